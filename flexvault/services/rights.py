"""The control identity's rights on protected servers: verified every night, raised when they change, never healed.

To grant again is a person's decision: they run the commands, or PUT the backup instance once more.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from flexvault.domain import doctor, row_keys
from flexvault.domain.errors import (
    AlreadyExistsError,
    NotAuthorizedError,
    NotFoundError,
    RowChangedError,
    TransientError,
    VaultError,
)
from flexvault.domain.event_rows import config_target, instance_target, put
from flexvault.domain.instance import RUNS_BACKUPS, Instance
from flexvault.domain.job import Failure
from flexvault.domain.rows import Merge, Row
from flexvault.domain.source_roles import NEEDED_ACTIONS
from flexvault.services import catalog
from flexvault.services.journal import find_row
from flexvault.services.vault import Vault

CHECKED_PER_RUN = 20
MAX_TRIES = 10
LOOK_AGAIN = timedelta(hours=1)
"""Who lacks something is looked at again this often, so that what a person mended is soon seen."""
RIGHTS = config_target(row_keys.RIGHTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """How far a pass over the instances, in order of their keys, has come."""

    day: str = ""
    """The UTC day whose pass it is."""
    cursor: str = ""
    is_done: bool = False
    only_missing: bool = False
    """It looks only at those that lack something."""
    look_at: datetime | None = None
    """When the next pass of the same day begins."""

    @classmethod
    def from_row(cls, row: Row | None) -> "_Pass":
        values: Mapping[str, Any] = row.values if row is not None else {}
        look_at = values.get("look_at")
        return cls(
            day=str(values.get("day", "")),
            cursor=str(values.get("cursor", "")),
            is_done=bool(values.get("is_done", False)),
            only_missing=bool(values.get("only_missing", False)),
            look_at=look_at if isinstance(look_at, datetime) else None,
        )

    def to_values(self) -> dict[str, Any]:
        values = {"day": self.day, "cursor": self.cursor, "is_done": self.is_done, "only_missing": self.only_missing}
        return values if self.look_at is None else {**values, "look_at": self.look_at}


def verify_rights(vault: Vault, now: datetime) -> frozenset[str]:
    """Ask for each protected server what the identity may do: once a UTC day, a few servers at a time.

    Answers the keys of the instances for which it was answered in this run.
    """
    row = find_row(vault.ports, RIGHTS)
    before = _Pass.from_row(row)
    current = _next_pass(before, now)
    if current is None:
        return frozenset()
    protected = sorted(catalog.list_instances(vault.ports), key=lambda instance: instance.key)
    due = [
        instance
        for instance in protected
        if instance.state in RUNS_BACKUPS and instance.key > current.cursor and _is_due(instance, current)
    ]
    verified = frozenset(one.key for one in due[:CHECKED_PER_RUN] if verify_instance(vault, one, now))
    if len(due) > CHECKED_PER_RUN:
        current = replace(current, cursor=due[CHECKED_PER_RUN - 1].key)
    else:
        current = replace(current, is_done=True, look_at=now + LOOK_AGAIN)
    with suppress(RowChangedError, AlreadyExistsError):  # another run has come further; to verify twice does no harm
        vault.ports.rows.apply(RIGHTS.table, RIGHTS.partition, [put(RIGHTS, row, current.to_values())])
    return verified


def note_rights(vault: Vault, instance: Instance, missing: Sequence[str], now: datetime) -> None:
    """Raise what disappeared, once, and say when it is back; the instance's row is what everybody sees of it."""
    if sorted((instance.rights or {"missing": []})["missing"]) == sorted(missing):
        return
    facts = {"instance": instance.name, "server_id": instance.server_id}
    text = ""
    # Before the row: whoever dies in between raises it twice, which is better than never.
    if missing:
        error = missing_rights(vault, instance.server_id, missing)
        failure = Failure(code=error.code, message=error.message, recommended_action=error.hint)
        text = json.dumps({"missing": sorted(missing), "since": now.isoformat(), "error": failure.to_json()})
        vault.ports.telemetry.emit("RightsMissing", {**facts, "missing": ", ".join(missing), "command": error.hint})
    else:
        vault.ports.telemetry.emit("RightsRestored", facts)
    _write(vault, instance, text)


def _write(vault: Vault, instance: Instance, text: str) -> None:
    target = instance_target(instance.key)
    for _ in range(MAX_TRIES):
        row = find_row(vault.ports, target)
        if row is None or row.values.get("is_deleted"):
            return
        try:
            change = Merge(key=target.key, values={"rights": text}, etag=row.etag)
            vault.ports.rows.apply(target.table, target.partition, [change])
        except RowChangedError:
            continue
        return
    raise TransientError(f"the row of backup instance '{instance.name}' is contended", code="RowContended")


def missing_rights(vault: Vault, server_id: str, missing: Sequence[str]) -> NotAuthorizedError:
    """Say what the control identity lacks on a server; the hint holds the commands that grant it."""
    found = doctor.missing_rights(server_id, missing, vault.ports.roles.grant_commands(server_id))
    return NotAuthorizedError(found.message, code=found.code, target=server_id, hint=found.remedy)


def _next_pass(before: _Pass, now: datetime) -> _Pass | None:
    day = f"{now:%Y-%m-%d}"
    if before.day != day:
        return _Pass(day=day)
    if not before.is_done:
        return before
    if before.look_at is not None and now < before.look_at:
        return None
    return _Pass(day=day, only_missing=True)


def _is_due(instance: Instance, current: _Pass) -> bool:
    return not current.only_missing or instance.rights is not None


def verify_instance(vault: Vault, instance: Instance, now: datetime) -> bool:
    """Ask for one server what the identity may do, and note it; its trouble keeps nothing else from being done.

    Answers whether it is known now.
    """
    try:
        note_rights(vault, instance, _find_missing(vault, instance.server_id), now)
    except NotFoundError:
        return False  # a server that is gone is no lost right: its backups say so
    except VaultError as error:
        vault.ports.telemetry.emit("RightsNotVerified", {"instance": instance.name, "code": error.code})
        return False
    return True


def _find_missing(vault: Vault, server_id: str) -> Sequence[str]:
    try:
        return vault.ports.roles.find_missing(server_id)
    except NotAuthorizedError:
        return NEEDED_ACTIONS  # who may not even ask what they may do may do nothing
