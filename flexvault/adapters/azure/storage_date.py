"""The time of a storage account, taken from the Date header of its answers."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobServiceClient

from flexvault.adapters.azure.blob_errors import classify

MAX_AGE = timedelta(seconds=60)
"""How long one reading is carried on by this machine's monotonic clock."""


class StorageDate:
    """Reads the Date header at most once per `MAX_AGE` and counts on from there.

    Args:
        service: Any client of the account; what it may do there does not matter.
        monotonic: Seconds of a clock that is never set.
    """

    def __init__(self, service: BlobServiceClient, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._reading: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """Answer the account's time, aware, in UTC, to about a second.

        Raises:
            TransientError: Storage did not answer.
        """
        with self._lock:
            at = self._monotonic()
            if self._reading is None or at - self._reading[1] > MAX_AGE.total_seconds():
                self._reading = (self._ask(), self._monotonic())
            date, read_at = self._reading
            return date + timedelta(seconds=max(0.0, self._monotonic() - read_at))

    def _ask(self) -> datetime:
        dates: list[str] = []

        def note(response: Any) -> None:
            if date := response.http_response.headers.get("Date"):
                dates.append(date)

        try:
            self._service.get_account_information(raw_response_hook=note)
        except AzureError as error:
            # A refusal carries storage's Date as well; only silence is no time.
            if not dates and (date := _date_of(error)):
                dates.append(date)
            if not dates:
                raise classify(error, f"the clock of {self._service.url}") from None
        return parsedate_to_datetime(dates[-1])


def _date_of(error: AzureError) -> str:
    response: Any = getattr(error, "response", None)
    return str(response.headers.get("Date", "")) if response is not None else ""
