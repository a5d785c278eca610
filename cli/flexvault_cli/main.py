"""The command line: words, options, exit status.

Exit status: 0 done; 1 the vault refused or the job failed; 2 the command was called wrongly; 130 after Ctrl-C.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import httpx

from flexvault_cli import __version__, commands
from flexvault_cli.advice import advise
from flexvault_cli.api import VaultApi
from flexvault_cli.connection import VARIABLES, find_connection
from flexvault_cli.errors import INTERRUPTED, CliError
from flexvault_cli.output import show_error

PEOPLE = ("reader", "operator", "contributor", "approver")
TIMEOUT_SECONDS = 100.0
INSTANCE_HELP = "name of the backup instance, or of its server"


class Actions(Protocol):
    """Where sub-commands are added; argparse has no public name for it."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...


def main() -> int:
    """Run the command of this process."""
    return run(sys.argv[1:], environ=os.environ)


def run(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run one command and answer its exit status.

    Args:
        arguments: What follows the name of the command.
        environ: Environment variables that may name the vault.
        transport: How requests are sent; the network unless given.
        sleep: How to wait, in seconds.
    """
    options = _make_parser().parse_args(arguments)
    options.as_json = options.output == "json"
    try:
        connection = find_connection(options.endpoints, options.person, environ)
        with httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS) as client:
            options.run(VaultApi(connection, client, sleep), options)
    except CliError as error:
        show_error(error, advise(error, is_local=options.endpoints is not None))
        return error.exit_code
    except KeyboardInterrupt:
        error = CliError("interrupted; a job that was started goes on", exit_code=INTERRUPTED)
        show_error(error, ["see: flexvault job list"])
        return error.exit_code
    return 0


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flexvault",
        parents=[_common_options()],
        description="Policies, protection, backups and restores of a flexvault vault.",
        epilog=f"Without --endpoints the vault is named by {', '.join(VARIABLES)}.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(endpoints=None, person="operator", output="table")
    nouns = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, summary, fill in (
        ("vault", "the vault itself", _fill_vault),
        ("policy", "schedules and retention", _fill_policy),
        ("instance", "protected servers", _fill_instance),
        ("job", "what ran and what is running", _fill_job),
        ("point", "recovery points", _fill_point),
    ):
        noun = nouns.add_parser(name, help=summary)
        fill(noun.add_subparsers(required=True, metavar="ACTION"))
    _fill_runs(nouns)
    return parser


def _common_options() -> argparse.ArgumentParser:
    """Make the options that may stand before or after the command's words."""
    options = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    options.add_argument("--endpoints", metavar="FILE", help="a local cloud's file, such as .local/endpoints.json")
    options.add_argument("--as", dest="person", choices=PEOPLE, help="whose token of that file (operator)")
    options.add_argument("--output", choices=("table", "json"), help="how answers are shown (table)")
    return options


def _add(actions: Actions, name: str, command: commands.Command) -> argparse.ArgumentParser:
    summary = (command.__doc__ or "").strip()
    parser = actions.add_parser(name, help=summary, description=summary, parents=[_common_options()])
    parser.set_defaults(run=command)
    return parser


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", action="store_true", help="wait until the job has ended; exit 1 if it failed")


def _fill_vault(actions: Actions) -> None:
    _add(actions, "show", commands.show_vault)


def _fill_policy(actions: Actions) -> None:
    _add(actions, "list", commands.list_policies)
    _add(actions, "show", commands.show_policy).add_argument("name")
    changed = _add(actions, "set", commands.set_policy)
    changed.add_argument("file", help="JSON: a policy resource, or its properties alone")
    changed.add_argument("--name", help="the policy's name (the file's member name, else the file's own name)")
    _add(actions, "delete", commands.delete_policy).add_argument("name")


def _fill_instance(actions: Actions) -> None:
    _add(actions, "list", commands.list_instances)
    _add(actions, "show", commands.show_instance).add_argument("instance", help=INSTANCE_HELP)
    protected = _add(actions, "protect", commands.protect_server)
    protected.add_argument(
        "server_id", metavar="SERVER_ID", help="resource id of the server (of a local cloud: its name)"
    )
    protected.add_argument("--policy", required=True, help="name of the policy")
    protected.add_argument("--name", help="the instance's name (derived from the server)")


def _fill_job(actions: Actions) -> None:
    _add(actions, "list", commands.list_jobs)
    shown = _add(actions, "show", commands.show_job)
    shown.add_argument("job", help="the job's id")
    _add_wait(shown)


def _fill_point(actions: Actions) -> None:
    _add(actions, "list", commands.list_points).add_argument("instance", help=INSTANCE_HELP)
    shown = _add(actions, "show", commands.show_point)
    shown.add_argument("instance", help=INSTANCE_HELP)
    shown.add_argument("point", help="the recovery point's id")


def _fill_runs(nouns: Actions) -> None:
    backup = _add(nouns, "backup", commands.back_up)
    backup.add_argument("instance", help=INSTANCE_HELP)
    backup.add_argument("--rule", help="the policy's backup rule (its only one)")
    backup.add_argument("--tag", help="the retention tag to use instead of the policy's choice")
    _add_wait(backup)
    restored = _add(nouns, "restore", commands.restore)
    restored.add_argument("instance", help=INSTANCE_HELP)
    restored.add_argument("point", help="the recovery point's id")
    restored.add_argument("--container", required=True, metavar="URL", help="URL of the container to restore into")
    restored.add_argument("--prefix", required=True, help="what every restored file's name begins with")
    restored.add_argument("--container-id", metavar="ID", help="resource id of the container or its account")
    _add_wait(restored)
