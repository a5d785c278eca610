"""The doctor's rounds: the server of every instance once a UTC day, a few at a time; what changed is raised."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.errors import AlreadyExistsError, RowChangedError, VaultError
from flexvault.domain.event_rows import config_target, put
from flexvault.domain.findings import Finding, FindingSeverity
from flexvault.domain.instance import RUNS_BACKUPS, Instance
from flexvault.domain.texts import shorten
from flexvault.services.doctor import Examination, examine, list_examined, read_examination
from flexvault.services.journal import find_row
from flexvault.services.vault import Vault

EXAMINED_PER_RUN = 20
LONGEST_REMEDY = 2_000
LARGEST_ROW = 30_000
"""Characters of JSON: Table Storage takes 32 K."""
ROUND = config_target(row_keys.DOCTOR)


def go_round(vault: Vault, now: datetime, verified: Collection[str] = ()) -> None:
    """Examine the next few servers of today's round; after the last one nothing is asked until tomorrow.

    Args:
        vault: The vault.
        now: The moment.
        verified: Keys of the instances whose rights were just asked for; of the others the round asks itself.
    """
    row = find_row(vault.ports, ROUND)
    values: dict[str, Any] = dict(row.values) if row is not None else {}
    day = f"{now:%Y-%m-%d}"
    is_new = values.get("day") != day
    if not is_new and values.get("is_done"):
        return
    cursor = "" if is_new else str(values.get("cursor", ""))
    due = list(list_examined(vault, after=cursor))
    for instance in due[:EXAMINED_PER_RUN]:
        _examine_one(vault, instance, now, verified)
    is_done = len(due) <= EXAMINED_PER_RUN
    cursor = cursor if is_done else due[EXAMINED_PER_RUN - 1].key
    try:
        changed = put(ROUND, row, {"day": day, "cursor": cursor, "is_done": is_done})
        vault.ports.rows.apply(ROUND.table, ROUND.partition, [changed])
    except (RowChangedError, AlreadyExistsError):
        return  # another run has come further; to examine twice does no harm


def _examine_one(vault: Vault, instance: Instance, now: datetime, verified: Collection[str]) -> None:
    """Examine one server; its trouble keeps no other from being examined.

    The rights are those that were verified in the same run: they are not asked for twice. Where that failed, and of
    what runs no backups, the row says nothing, which is not that nothing is missing.
    """
    missing: list[str] | None = [] if instance.key in verified else None
    if instance.rights and instance.state in RUNS_BACKUPS:
        missing = list(instance.rights["missing"])
    try:
        found = examine(vault, instance.server_id, instance, now, missing=missing)
    except VaultError as error:
        vault.ports.telemetry.emit("ServerNotExamined", {"instance": instance.name, "code": error.code})
        return
    before = read_examination(vault, instance)
    # Before the row: whoever dies in between raises it twice, which is better than never.
    _raise_changes(vault, instance, before.findings, found.findings)
    _keep(vault, instance, found)


def _raise_changes(vault: Vault, instance: Instance, before: Iterable[Finding], after: Iterable[Finding]) -> None:
    old = {(finding.code, finding.severity): finding for finding in before if _is_told(finding)}
    new = {(finding.code, finding.severity): finding for finding in after if _is_told(finding)}
    for kind, events in (("DoctorFinding", new.keys() - old.keys()), ("DoctorFindingGone", old.keys() - new.keys())):
        for key in sorted(events):
            finding = new.get(key) or old[key]
            facts = {
                "instance": instance.name,
                "server_id": instance.server_id,
                "code": finding.code,
                "severity": finding.severity.value,
                "message": finding.message,
                "remedy": finding.remedy,
            }
            vault.ports.telemetry.emit(kind, facts)


def _is_told(finding: Finding) -> bool:
    """A state that passes by itself is none that anybody is woken for."""
    return finding.severity is not FindingSeverity.INFORMATION and not finding.passes


def _keep(vault: Vault, instance: Instance, found: Examination) -> None:
    target = config_target(row_keys.doctor_row(instance.key))
    values = {"instance": instance.key, "checked_at": found.checked_at, "findings": _write(found.findings)}
    try:
        changed = put(target, find_row(vault.ports, target), values)
        vault.ports.rows.apply(target.table, target.partition, [changed])
    except (RowChangedError, AlreadyExistsError):
        return  # another run examined it at the same moment


def _write(findings: Iterable[Finding]) -> str:
    """Write findings, the worst first; what does not fit into a row is left out from the end."""
    kept: list[dict[str, Any]] = []
    for finding in findings:
        written = finding.to_json()
        written |= {"message": shorten(finding.message), "remedy": shorten(finding.remedy, LONGEST_REMEDY)}
        if len(json.dumps([*kept, written])) > LARGEST_ROW:
            break
        kept.append(written)
    return json.dumps(kept)
