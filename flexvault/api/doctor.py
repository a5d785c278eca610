"""What stands in the way of a server's backups: of one server now, of all as the last night found it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.api.instances import INSTANCE_PLACE, find_named
from flexvault.api.pages import answer_page, read_page
from flexvault.api.resource_ids import is_resource_id
from flexvault.api.times import plain_time
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.findings import Finding
from flexvault.domain.instance import Instance
from flexvault.services import catalog
from flexvault.services.doctor import Examination, examine, examine_one_of_many, list_examined, tell_last
from flexvault.services.protection import require_server_id
from flexvault.services.vault import Vault

EXAMINED_PER_PAGE = 10
"""Of servers that are asked for now: each takes ARM up to four reads."""


def ask_doctor(call: Call) -> Answer:
    """Show what stands in the way of backups.

    With `server` of that server, protected or not, as ARM shows it now. Else of every server of the vault, also
    of those whose backups are paused, page by page, as the last night found it; with `now=true` as ARM shows it now, in
    pages of ten.
    """
    server_id = call.query.get("server", "")
    is_live = _read_flag(call.query.get("now", ""))
    if "server" in call.query:
        return Answer(body={"value": [_show(_examine_named(call, server_id))]})
    page = read_page(call, INSTANCE_PLACE)
    if is_live:
        page = replace(page, size=min(page.size, EXAMINED_PER_PAGE))
    examined = list_examined(call.vault, after=page.after)
    ask = _examine_now if is_live else _read_last
    return answer_page(call, page, examined, lambda one: one.key, lambda one: _show(ask(call.vault, one)))


def ask_doctor_of_instance(call: Call) -> Answer:
    """Show what stands in the way of one backup instance's backups, as ARM shows its server now."""
    instance = find_named(call)
    return Answer(body=_show(examine(call.vault, instance.server_id, instance, call.vault.ports.clock.storage_now())))


def _examine_named(call: Call, server_id: str) -> Examination:
    if not is_resource_id(server_id):
        raise InvalidInputError(
            f"'{server_id}' is no ARM id", target="server", hint="send the resource id of a flexible server"
        )
    require_server_id(server_id, "server")
    instance = catalog.find_protector(call.vault.ports, server_id)
    return examine(call.vault, server_id, instance, call.vault.ports.clock.storage_now())


def _examine_now(vault: Vault, instance: Instance) -> Examination:
    return examine_one_of_many(vault, instance, vault.ports.clock.storage_now())


def _read_last(vault: Vault, instance: Instance) -> Examination:
    return tell_last(vault, instance, vault.ports.clock.storage_now())


def _read_flag(text: str) -> bool:
    if text.lower() not in {"", "true", "false"}:
        raise InvalidInputError(f"now is '{text}'", target="now", hint="send now=true, or leave it out")
    return text.lower() == "true"


def _show(examined: Examination) -> Mapping[str, Any]:
    return {
        "server": examined.server_id,
        "backupInstance": examined.instance.name if examined.instance else None,
        "checkedAt": plain_time(examined.checked_at) if examined.checked_at else None,
        "findings": [_show_finding(finding) for finding in examined.with_sql],
    }


def _show_finding(finding: Finding) -> Mapping[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "subject": finding.subject,
        "message": finding.message,
        "remedy": finding.remedy or None,
        "check": finding.check.value,
        "sql": finding.sql or None,
    }
