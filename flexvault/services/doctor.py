"""Examine servers: live, or as the last night found them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flexvault.domain import row_keys
from flexvault.domain.doctor import (
    Rights,
    examine_protection,
    examine_rights,
    examine_server,
    not_readable,
    rows_unreadable,
)
from flexvault.domain.doctor_sql import not_checkable
from flexvault.domain.errors import NotAuthorizedError, NotFoundError, PermanentError, TransientError
from flexvault.domain.event_rows import config_target
from flexvault.domain.findings import Finding, FindingSeverity, worst_first
from flexvault.domain.instance import GOING, PAUSED, RUNS_BACKUPS, Instance, ProtectionState
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.protection_findings import STATE_CODES, describe_broken, examine_state, not_examined
from flexvault.domain.source_roles import NEEDED_ACTIONS
from flexvault.ports import Server
from flexvault.services import catalog
from flexvault.services.journal import find_row
from flexvault.services.server_facts import gather_facts, gather_protection
from flexvault.services.soft_delete import find_gone_at, tell_soft_deletion
from flexvault.services.source_checks import SERVER_GONE
from flexvault.services.vault import Vault
from flexvault.services.verifications import list_broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What is known of a server at one moment."""

    server_id: str
    instance: Instance | None
    """Of this vault; nothing while it does not protect the server."""
    checked_at: datetime | None
    """Nothing while no night has come since it was protected."""
    findings: tuple[Finding, ...]
    """The worst first."""

    @property
    def with_sql(self) -> tuple[Finding, ...]:
        """Answer the findings, and those that a person has to ask PostgreSQL for."""
        return (*self.findings, *not_checkable(self.server_id))


def examine(
    vault: Vault, server_id: str, instance: Instance | None, now: datetime, *, missing: Sequence[str] | None = None
) -> Examination:
    """Ask ARM for a server and judge it; what stands in the way of asking is a finding itself.

    Args:
        vault: The vault.
        server_id: ARM id of the server.
        instance: The vault's instance of it, if there is one.
        now: The moment.
        missing: Actions that the control identity lacks there, where the caller has asked already.

    Raises:
        TransientError: ARM cannot say it now.
    """
    try:
        server = vault.ports.servers.get(server_id)
    except PermanentError as error:
        findings = [_unread(server_id, error)]
    else:
        findings = [
            *_examine_server(vault, server, instance, now),
            *examine_rights(server.id, _ask_rights(vault, server.id, missing), is_protected=_is_running(instance)),
        ]
        server_id = server.id
    if instance is not None and instance.state in PAUSED:
        findings = [_less_urgent(finding) for finding in findings]
    broken = _examine_points(vault, instance) if instance is not None else []
    found = worst_first([*_examine_state(vault, instance, now), *broken, *findings])
    return Examination(server_id=server_id, instance=instance, checked_at=now, findings=found)


def tell_last(vault: Vault, instance: Instance, now: datetime) -> Examination:
    """Answer what the last night found, with what the instance's state means now: a night's word of it is out of date.

    Where no night has come, that is a finding: nothing found must not look like nothing wrong.
    """
    read = read_examination(vault, instance)
    kept = [finding for finding in read.findings if finding.code not in STATE_CODES]
    unseen = [not_examined(instance)] if read.checked_at is None else []
    return replace(read, findings=worst_first([*_examine_state(vault, instance, now), *unseen, *kept]))


def examine_one_of_many(vault: Vault, instance: Instance, now: datetime) -> Examination:
    """Examine an instance's server; what ARM cannot say now of one server must not hide the others."""
    try:
        return examine(vault, instance.server_id, instance, now)
    except TransientError as error:
        unread = not_readable(instance.server_id, error.message, "ask again in a minute")
        found = worst_first([*_examine_state(vault, instance, now), unread])
        return Examination(server_id=instance.server_id, instance=instance, checked_at=now, findings=found)


def read_examination(vault: Vault, instance: Instance) -> Examination:
    """Answer what the last night found of an instance's server; a row that cannot be read counts as none."""
    row = find_row(vault.ports, config_target(row_keys.doctor_row(instance.key)))
    checked_at, findings = None, ()
    try:
        if row is not None and isinstance(moment := row.values["checked_at"], datetime):
            findings = tuple(Finding.from_json(found) for found in json.loads(str(row.values["findings"])))
            checked_at = moment
    except MALFORMED:
        checked_at, findings = None, ()
    return Examination(server_id=instance.server_id, instance=instance, checked_at=checked_at, findings=findings)


def list_examined(vault: Vault, *, after: str = "") -> Iterator[Instance]:
    """Answer the instances whose servers are examined each night, by their keys: all but those that are being deleted.

    Also those whose backups do not run: that is what the doctor has to say of them. `after` is the key of the last one.
    """
    return (one for one in catalog.list_instances(vault.ports, after=after) if one.state not in GOING)


def _examine_state(vault: Vault, instance: Instance | None, now: datetime) -> list[Finding]:
    if instance is None:
        return []
    if instance.state is not ProtectionState.SOFT_DELETED:
        return examine_state(instance, now)
    purge_at = tell_soft_deletion(vault.ports, instance).purge_at
    return examine_state(instance, now, purge_at=purge_at, gone_at=find_gone_at(vault.ports, instance, purge_at))


def _examine_points(vault: Vault, instance: Instance) -> list[Finding]:
    try:
        broken = list_broken(vault.ports, instance.key)
    except MALFORMED as error:
        return [rows_unreadable(instance.server_id, instance.name, type(error).__name__)]
    return [describe_broken(instance, broken)] if broken else []


def _less_urgent(finding: Finding) -> Finding:
    """Make a warning of an error: while backups are paused none fails, and the server may well be gone."""
    return replace(finding, severity=FindingSeverity.WARNING) if finding.is_error else finding


def _is_running(instance: Instance | None) -> bool:
    return instance is not None and instance.state in RUNS_BACKUPS


def _unread(server_id: str, error: PermanentError) -> Finding:
    if isinstance(error, NotFoundError):
        return not_readable(server_id, "it does not exist", SERVER_GONE)
    return not_readable(server_id, error.message, error.hint or "compare the id, then try again")


def _ask_rights(vault: Vault, server_id: str, missing: Sequence[str] | None) -> Rights:
    roles = vault.ports.roles
    try:
        missing = roles.find_missing(server_id) if missing is None else missing
        can_grant = bool(missing) and roles.can_grant(server_id)
    except NotAuthorizedError:
        missing, can_grant = NEEDED_ACTIONS, False  # who may not even ask what they may do may do nothing
    return Rights(missing=missing, can_grant=can_grant, commands=roles.grant_commands(server_id) if missing else "")


def _examine_server(vault: Vault, server: Server, instance: Instance | None, now: datetime) -> list[Finding]:
    if instance is None:
        return examine_server(gather_facts(vault, server), now)
    try:
        points = catalog.list_sealed_points(vault.ports, instance.key)
        found = examine_server(gather_facts(vault, server, instance.key, points), now)
        if _is_running(instance):
            found += examine_protection(server, gather_protection(vault, instance, server, points), now)
    except (*MALFORMED, NotFoundError) as error:
        unread = rows_unreadable(server.id, instance.name, type(error).__name__)
        return [unread, *examine_server(gather_facts(vault, server), now)]
    return found
