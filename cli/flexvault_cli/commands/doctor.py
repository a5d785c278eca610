"""The command that says what stands in the way of backups."""

import argparse
from urllib.parse import quote

from flexvault_cli.api import VaultApi
from flexvault_cli.commands.instances import read_server_id
from flexvault_cli.commands.lookup import find_instance, own_path
from flexvault_cli.doctor_views import FINDINGS, list_remedies, list_sql, tell_when
from flexvault_cli.errors import CliError
from flexvault_cli.output import show_json, show_lines, show_rows
from flexvault_cli.wire import Json, dig_list


def ask_doctor(api: VaultApi, options: argparse.Namespace) -> None:
    """Say what stands in the way of backups; exit 1 when one will fail."""
    servers = _ask(api, options)
    if options.as_json:
        show_json(servers)
    else:
        for server in servers:
            _show(server, with_sql=bool(options.sql))
        if not servers:
            show_lines(["no server is protected"])
    errors = [found for server in servers for found in dig_list(server, "findings") if found["severity"] == "Error"]
    if errors:
        text = f"{len(errors)} thing(s) keep backups from being done"
        raise CliError(text, code="DoctorFoundErrors", actions=[str(found.get("remedy")) for found in errors[:3]])


def _ask(api: VaultApi, options: argparse.Namespace) -> list[Json]:
    if options.server:
        server_id = read_server_id(api, options.server)
        return dig_list(api.get(f"/vault/doctor?server={quote(server_id, safe='')}"), "value")
    if options.instance:
        return [api.get(f"{own_path(find_instance(api, options.instance))}/doctor")]
    return api.list_all("/vault/doctor?now=true" if options.now else "/vault/doctor")


def _show(server: Json, *, with_sql: bool) -> None:
    show_lines([f"{server.get('server')}: {tell_when(server)}"])
    found = [finding for finding in dig_list(server, "findings") if finding.get("check") != "NotCheckable"]
    unasked = [finding for finding in dig_list(server, "findings") if finding.get("check") == "NotCheckable"]
    rows = [*found, *(finding for finding in unasked if not finding.get("sql"))]
    show_rows(rows, FINDINGS, as_json=False, empty="nothing stands in the way")
    show_lines(list_remedies(rows))
    show_lines(list_sql(unasked, whole=with_sql))
