"""Long-term retention: the server's own backup API, as the control identity.

Source: https://learn.microsoft.com/rest/api/postgresql/ (BackupsLongTermRetention)
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError

from flexvault.adapters.azure.arm import Arm, ServerId
from flexvault.adapters.azure.arm_errors import classify, is_without_token
from flexvault.adapters.azure.pipeline import status_of
from flexvault.domain.errors import NotFoundError, OutcomeUnknownError, ThrottledError, TransientError, VaultError
from flexvault.domain.redaction import redact
from flexvault.domain.source_roles import grant_commands
from flexvault.domain.texts import shorten
from flexvault.ports import LtrOperation, WriteGrant

_PLACE_MISSING = frozenset({"ResourceGroupNotFound", "SubscriptionNotFound"})
START_TIMEOUT_SECONDS = 60
"""Far below the time after which a backup without a trace counts as not started."""


class AzureLtr:
    """Backups of flexible servers.

    Args:
        arm: The control identity's way into ARM.
        start_timeout_seconds: How long the start waits for an answer.
    """

    def __init__(self, arm: Arm, *, start_timeout_seconds: float = START_TIMEOUT_SECONDS) -> None:
        self._arm = arm
        self._start_timeout_seconds = start_timeout_seconds

    def check_prerequisites(self, server_id: str, backup_name: str) -> int:
        """Ask how many containers the backup needs."""
        place, backups = self._backups(server_id)
        body = {"backupSettings": {"backupName": backup_name}}
        try:
            answer: Any = backups.check_prerequisites(place.resource_group, place.name, body)
        except AzureError as error:
            raise self._classify(error, server_id) from None
        return int(answer.properties.number_of_containers)

    def start(self, server_id: str, backup_name: str, grant: WriteGrant) -> None:
        """POST startLtrBackup once.

        The answer's body is not read: it may be empty, and only `find` says what became of the backup.

        Raises:
            TransientError: code NotSent: there was no token, so surely nothing was sent.
        """
        place, backups = self._backups(server_id)
        body = {
            "backupSettings": {"backupName": backup_name},
            "targetDetails": {"sasUriList": list(grant.reveal())},
        }
        try:
            backups.begin_start(
                place.resource_group,
                place.name,
                body,
                polling=False,
                retry_total=0,
                permit_redirects=False,
                connection_timeout=10,
                read_timeout=self._start_timeout_seconds,
            )
        except AzureError as error:
            raise self._classify_start(error, server_id, backup_name) from None

    def find(self, server_id: str, backup_name: str) -> LtrOperation | None:
        """Read one operation.

        Raises:
            NotFoundError: code ResourceGroupNotFound: not the name but the server's group is unknown.
        """
        place, backups = self._backups(server_id)
        try:
            return _operation(backups.get(place.resource_group, place.name, backup_name))
        except AzureError as error:
            problem = self._classify(error, server_id)
            # What the provider calls a name that it does not know (yet) is not documented: any 404 but the group's.
            if isinstance(problem, NotFoundError) and problem.code not in _PLACE_MISSING:
                return None
            raise problem from None

    def list_by_server(self, server_id: str) -> Sequence[LtrOperation]:
        """Read all operations that the server remembers."""
        place, backups = self._backups(server_id)
        try:
            return tuple(_operation(found) for found in backups.list_by_server(place.resource_group, place.name))
        except AzureError as error:
            raise self._classify(error, server_id) from None

    def _backups(self, server_id: str) -> tuple[ServerId, Any]:
        place = ServerId.parse(server_id)
        return place, self._arm.postgres(place.subscription_id).backups_long_term_retention

    def _classify(self, error: AzureError, server_id: str) -> VaultError:
        hint = grant_commands(server_id, self._arm.find_principal_id(server_id))
        return classify(error, f"backups of server '{server_id}'", hint=hint, target=server_id)

    def _classify_start(self, error: AzureError, server_id: str, backup_name: str) -> VaultError:
        if is_without_token(error):
            text = f"backup '{backup_name}' of server '{server_id}' was not sent: there is no token"
            return TransientError(text, code="NotSent", target=server_id)
        problem = self._classify(error, server_id)
        has_refused = isinstance(problem, ThrottledError) or not isinstance(problem, TransientError)
        # A redirect and its like say nothing: only an answer that refuses is a refusal.
        if has_refused and status_of(error) >= HTTPStatus.BAD_REQUEST:
            return problem
        return OutcomeUnknownError(
            f"whether backup '{backup_name}' of server '{server_id}' was started is not known",
            target=server_id,
            inner_code=problem.inner_code or type(error).__name__,
        )


def _operation(found: Any) -> LtrOperation:
    properties: Any = found.properties or {}
    return LtrOperation(
        backup_name=str(properties.get("backupName") or found.name),
        status=str(properties.get("status") or ""),
        percent_complete=properties.get("percentComplete"),
        datasource_size_bytes=properties.get("datasourceSizeInBytes"),
        transferred_bytes=properties.get("dataTransferredInBytes"),
        started_at=properties.start_time,
        ended_at=properties.end_time,
        error_code=str(properties.get("errorCode") or ""),
        error_message=redact(shorten(str(properties.get("errorMessage") or ""))),
    )
