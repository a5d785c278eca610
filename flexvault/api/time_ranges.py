"""Ranges of time to which an instance could be restored: there are none between recovery points."""

from datetime import datetime
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.times import read_time

STORES = ("VaultStore", "OperationalStore", "ArchiveStore")


def find_restorable_time_ranges(call: Call) -> Answer:
    """Answer no range, as Azure Backup does where recovery points are discrete: those are what can be restored."""
    find_named(call)
    body = call.body(shapes.TIME_RANGES)
    reader = Reader(body)
    reader.expect("sourceDataStoreType", *STORES)
    first, last = (_read(reader, member) for member in ("startTime", "endTime"))
    if first is not None and last is not None and first > last:
        reader.wrong("endTime", "must not be before startTime")
    reader.finish("question for restorable time ranges")
    properties: dict[str, Any] = {
        "objectType": "AzureBackupFindRestorableTimeRangesResponse",
        "restorableTimeRanges": [],
    }
    return Answer(body={"id": None, "name": None, "type": None, "properties": properties})


def _read(reader: Reader, member: str) -> datetime | None:
    text = reader.text(member, optional=True)
    if not text:
        return None
    moment = read_time(text)
    if moment is None:
        reader.wrong(member, "must be a time such as 2026-01-31T00:00:00Z")
    return moment
