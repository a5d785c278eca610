"""What stands in the way of a server's backups: of one server now, of all as the last night found it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.pages import answer_page, read_page
from flexvault.api.resource_ids import is_resource_id
from flexvault.api.times import plain_time
from flexvault.domain.doctor import not_readable
from flexvault.domain.errors import InvalidInputError, TransientError
from flexvault.domain.findings import Finding
from flexvault.domain.instance import Instance
from flexvault.services.doctor import Examination, examine, find_protector, list_examined, tell_last
from flexvault.services.protection import require_server_id

EXAMINED_PER_PAGE = 10
"""Of servers that are asked for now: each takes ARM up to four reads."""
_KEY = re.compile(r"[0-9a-f]{32}")


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
    page = read_page(call, _KEY)
    if is_live:
        page = replace(page, size=min(page.size, EXAMINED_PER_PAGE))
    rest = (instance for instance in list_examined(call.vault) if instance.key > page.after)
    ask = _examine_now if is_live else _read_last
    return answer_page(call, page, rest, _place, lambda instance: _show(ask(call, instance)))


def _place(instance: Instance) -> str:
    return instance.key


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
    instance = find_protector(call.vault, server_id)
    return examine(call.vault, server_id, instance, call.vault.ports.clock.storage_now())


def _examine_now(call: Call, instance: Instance) -> Examination:
    """Examine one of many: what ARM cannot say now of one server must not hide the others."""
    now = call.vault.ports.clock.storage_now()
    try:
        return examine(call.vault, instance.server_id, instance, now)
    except TransientError as error:
        found = not_readable(instance.server_id, error.message, "ask again in a minute")
        return Examination(server_id=instance.server_id, instance=instance, checked_at=now, findings=(found,))


def _read_last(call: Call, instance: Instance) -> Examination:
    return tell_last(call.vault, instance, call.vault.ports.clock.storage_now())


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
