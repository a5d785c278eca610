"""The rows that events change, and the few ways in which they do."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_type import Batch, Rows, Target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Change, Insert, Merge, Replace, Row


def jobs_target(key: str) -> Target:
    """Answer a row of the jobs' partition."""
    return Target(table=row_keys.JOBS, partition=row_keys.JOBS_PARTITION, key=key)


def job_target(job_id: str) -> Target:
    """Answer the row of a job."""
    return jobs_target(row_keys.job_row(job_id))


def schedule_target(instance: str) -> Target:
    """Answer the row of an instance's schedule."""
    return jobs_target(row_keys.schedule_row(instance))


def config_target(key: str) -> Target:
    """Answer a row of the vault's configuration."""
    return Target(table=row_keys.CONFIG, partition=row_keys.VAULT_PARTITION, key=key)


def policy_target(name: str) -> Target:
    """Answer the row of a policy, which a protection needs to be there."""
    return config_target(row_keys.policy_row(name))


def instance_target(instance: str) -> Target:
    """Answer the row of a backup instance."""
    return config_target(row_keys.instance_row(instance))


def server_target(server_id: str) -> Target:
    """Answer the row that says which instance protects a server."""
    return config_target(row_keys.server_row(server_id))


def seq_of(row: Row | None) -> int:
    """Answer the number of the last entry that changed a row; 0 when there is none."""
    return 0 if row is None else int(str(row.values.get("journal_seq", 0)))


def is_older(row: Row | None, entry: Entry) -> bool:
    """Say whether a row is from before an entry of the same stream."""
    return seq_of(row) < entry.seq


def put(target: Target, row: Row | None, values: Mapping[str, Any]) -> Change:
    """Set members of a row, which need not be there yet; its other members stay."""
    if row is None:
        return Insert(key=target.key, values=values)
    return Replace(key=target.key, values={**row.values, **values}, etag=row.etag)


def batch_of(target: Target, *changes: Change) -> Batch:
    """Gather changes of a target's partition."""
    return Batch(table=target.table, partition=target.partition, changes=changes)


def mark_job(entry: Entry, rows: Rows, member: str) -> Sequence[Batch]:
    """Write into the job's row that this event is done, once."""
    target = job_target(entry.body["job_id"])
    row = rows[target]
    if row is None or row.values.get(member):
        return ()
    return (batch_of(target, Merge(key=target.key, values={member: entry.event_id}, etag=row.etag)),)
