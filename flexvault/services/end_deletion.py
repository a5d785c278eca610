"""End the deletion of backup instances: once nothing of one is left, its server is free again."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import ConflictError, PermanentError, RowChangedError
from flexvault.domain.event_rows import instance_target
from flexvault.domain.events import Rows
from flexvault.domain.instance import GOING, Instance
from flexvault.domain.job import Operation
from flexvault.domain.retention import Regime, is_soft_deleted
from flexvault.domain.rows import Merge
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.immutability import find_left
from flexvault.services.journal import Draft, append, find_row
from flexvault.services.manifests import list_manifests
from flexvault.services.progress import warning
from flexvault.services.retention_plan import find_unfinished
from flexvault.services.standings import Standings
from flexvault.services.vault import Vault

NAMED = 3
"""Manifests, or holds, that a warning names."""


def end_deletions(vault: Vault, standing: Mapping[str, Any], job_id: str) -> list[Mapping[str, Any]]:
    """Append `InstanceDeleted` for every instance that is being deleted and of which nothing is left, nor a hold.

    Answers a warning for each one that cannot end yet; one that only waits for storage's policies to end is told once,
    not each night until then.

    Args:
        vault: The vault.
        standing: How far a plan read the journal: it decides which deletion was approved, never a row alone.
        job_id: The retention job that tells it, also when its activity runs again.
    """
    standings = Standings(vault.ports, standing)
    standings.catch_up(blob_names.VAULT_STREAM)
    warnings: list[Mapping[str, Any]] = []
    now = vault.ports.clock.storage_now()
    for instance in list(_list_deleting(vault.ports)):
        found = standings.protection(instance.key)
        if found is not None and is_soft_deleted(found.purge_at, now):
            continue  # the journal says until when, whatever the row says
        obstacles = _find_obstacles(vault.ports, standings, instance)
        manifests = _describe_manifests(vault.ports, instance)
        if manifests and not obstacles and (until := _find_end(vault.ports, instance)):
            if _is_news(vault.ports, instance, until, job_id):
                text = f"the deletion of backup instance '{instance.name}' waits for storage, which protects the rest"
                warnings.append(warning("DeletionUnfinished", f"{text} until {until}: {manifests}", instance.id))
            continue
        why_not = "; ".join([*obstacles, *([manifests] if manifests else [])])
        if why_not:
            text = f"the deletion of backup instance '{instance.name}' cannot end yet: {why_not}"
            warnings.append(warning("DeletionUnfinished", text, instance.id))
            continue
        try:
            append(vault.ports, _draft(instance), by_retention=True)
        except PermanentError as error:
            # One instance's trouble must not keep the others from being ended.
            vault.ports.telemetry.emit("DeletionNotEnded", {"instance": instance.name, "code": error.code})
    return warnings


def _list_deleting(ports: Ports) -> Iterator[Instance]:
    return (instance for instance in catalog.list_instances(ports) if instance.state in GOING)


def _find_obstacles(ports: Ports, standings: Standings, instance: Instance) -> list[str]:
    """Say what could still make or keep a recovery point; the vault account decides, never a row alone."""
    problem = standings.find_problem(instance.key)
    left = [problem] if problem else []
    found = standings.protection(instance.key)
    if found is None or (found.regime, found.deletion_seq) != (Regime.DELETE, instance.deletion_seq):
        left.append("its row names a deletion that is not the journal's")
    opened = catalog.find_open_job(ports, row_keys.open_row(Operation.BACKUP, instance.key))
    if opened is not None:
        left.append(f"backup job {opened.job_id} is open")
    if next(find_unfinished(ports, instance.key), None) is not None:
        left.append("a recovery point has a tombstone and is not gone")
    if not left:  # its stream is read to its end only for one that would end now
        standings.catch_up(instance.key)
        problem = standings.find_problem(instance.key)
        left += [problem] if problem else []
    holds = standings.instance(instance.key).holds
    left += [f"{len(holds)} legal hold(s) stand: {', '.join(holds[:NAMED])}"] if holds else []
    return left


def _describe_manifests(ports: Ports, instance: Instance) -> str:
    manifests = [point_id for _, point_id in list_manifests(ports, f"{instance.key}/")]
    more = "" if len(manifests) <= NAMED else f" and {len(manifests) - NAMED} more"
    return f"{len(manifests)} manifest(s) are left: {', '.join(manifests[:NAMED])}{more}" if manifests else ""


def _find_end(ports: Ports, instance: Instance) -> str:
    """Answer until when storage's policies keep all that is left; nothing where something else does, too."""
    left = find_left(ports, instance.key, ports.clock.storage_now())
    return left.until.isoformat() if left is not None and left.until is not None else ""


def _is_news(ports: Ports, instance: Instance, until: str, job_id: str) -> bool:
    """Write into the instance's row what is told; answers whether another job told the same before."""
    target = instance_target(instance.key)
    row = find_row(ports, target)
    if row is None or row.values.get("waits_until") == until:
        return row is not None and row.values.get("waits_told_by") == job_id
    change = Merge(key=target.key, values={"waits_until": until, "waits_told_by": job_id}, etag=row.etag)
    with suppress(RowChangedError):  # then the next job tells it again
        ports.rows.apply(target.table, target.partition, [change])
    return True


def _draft(instance: Instance) -> Draft:
    def check(rows: Rows) -> None:
        row = rows[instance_target(instance.key)]
        now = None if row is None else Instance.from_values(row.values)
        is_same = now is not None and now.state in GOING and not now.is_deleted
        if now is None or not is_same or now.deletion_seq != instance.deletion_seq:
            raise ConflictError(f"the backup instance '{instance.name}' is not the one that was looked at")

    body = {
        "instance": instance.key,
        "server_id": instance.server_id,
        "deletion_seq": instance.deletion_seq,
        "before": {"state": instance.state.value},
        "after": None,
    }
    return Draft(
        stream=blob_names.VAULT_STREAM,
        type="InstanceDeleted",
        key=f"{instance.key}-{instance.deletion_seq}",
        body=body,
        actor={"name": "retention"},
        check=check,
    )
