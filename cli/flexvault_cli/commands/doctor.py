"""The command that says what stands in the way of backups."""

import argparse
from urllib.parse import quote

from flexvault_cli.api import VaultApi
from flexvault_cli.commands.instances import read_server_id
from flexvault_cli.commands.lookup import find_instance, own_path
from flexvault_cli.doctor_views import FINDINGS, list_remedies, name_sql, sum_up, tell_when, write_script
from flexvault_cli.errors import CliError
from flexvault_cli.output import error_console, show_error_lines, show_json, show_lines, show_rows
from flexvault_cli.wire import Json, dig_list


def ask_doctor(api: VaultApi, options: argparse.Namespace) -> None:
    """Say what stands in the way of backups; exit 1 when one will fail."""
    servers = _ask(api, options)
    if options.as_json:
        show_json(servers)
    else:
        for server in servers:
            _show(server, with_sql=bool(options.sql))
        say = show_error_lines if options.sql else show_lines
        say(sum_up(servers) if servers else ["no server is protected"])
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
    """Show one server; with the SQL, standard output has nothing else, so that psql can read it."""
    say, console = (show_error_lines, error_console()) if with_sql else (show_lines, None)
    say([f"{server.get('server')}: {tell_when(server)}"])
    found = [finding for finding in dig_list(server, "findings") if finding.get("check") != "NotCheckable"]
    unasked = [finding for finding in dig_list(server, "findings") if finding.get("check") == "NotCheckable"]
    rows = [*found, *(finding for finding in unasked if not finding.get("sql"))]
    if rows:
        show_rows(rows, FINDINGS, as_json=False, console=console)
    else:
        say(["nothing stands in the way" if server.get("checkedAt") else "nothing was looked at"])
    say(list_remedies(rows))
    show_lines(write_script(server) if with_sql else name_sql(unasked))
