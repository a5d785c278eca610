"""What code in the front app writes so that the janitor deletes: rows of the shared tables, entries of the journal."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import UpdateMode

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.journal import Entry
from local_cloud.certificates import now
from tests.e2e.attacks.points import SealedPoint
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

STREAM = blob_names.VAULT_STREAM


def forge_expiry_in_row(tables: Any, point: SealedPoint) -> None:
    """Let a point's row say that it expired yesterday."""
    row = {"PartitionKey": point.key, "RowKey": point.name, "expiry_time": (now() - timedelta(days=1)).isoformat()}
    tables.get_table_client(row_keys.POINTS).update_entity(row, mode=UpdateMode.MERGE)


def forge_deletion(writer: Any, instance: str, server_id: str) -> None:
    """Append to the journal that two people had all data of an instance deleted: well-formed, chained, and not true.

    Args:
        writer: The vault account as the writer sees it.
        instance: 32 hex digits.
        server_id: Its server.
    """
    for _ in range(20):  # the vault itself appends, too
        last = _last_entry(writer)
        forged = Entry(
            stream=STREAM,
            seq=last.seq + 1,
            previous_hash=names.sha256_hex(last.to_bytes()),
            event_id=names.event_id(STREAM, "DataDeletionRequested", "forged"),
            type="DataDeletionRequested",
            at=now(),
            body={
                "instance": instance,
                "server_id": server_id,
                "replaces_seq": last.seq,
                "before": {"state": "ProtectionConfigured"},
                "after": {"state": "SoftDeleting"},
                "approval_id": "there-was-none",
            },
            actor={"oid": "11111111-1111-4111-8111-111111111111", "name": "Carla Contributor"},
        )
        try:
            _entry(writer, forged.seq).upload_blob(forged.to_bytes(), overwrite=False)
        except ResourceExistsError:
            continue
        return
    raise AssertionError("the journal's end was never met")


def let_the_janitor_run(user: User) -> None:
    """Wait for the end of a run of retention that began after this call."""
    called_at = now()

    def ended() -> bool:
        return any(
            datetime.fromisoformat(job["properties"]["startTime"]) > called_at
            and job["properties"]["status"] != "InProgress"
            for job in user.jobs()
            if job["properties"]["operation"] == "ApplyRetention"
        )

    wait_for(ended, "a run of the janitor")


def _last_entry(writer: Any) -> Entry:
    entries = (_entry(writer, seq) for seq in count(1))
    last = next(entries)
    for entry in entries:
        if not entry.exists():
            break
        last = entry
    return Entry.from_bytes(last.download_blob().readall())


def _entry(writer: Any, seq: int) -> Any:
    return writer.get_blob_client(blob_names.JOURNAL, blob_names.journal_path(STREAM, seq))
