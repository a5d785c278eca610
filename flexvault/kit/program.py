"""The command line of the rebuild kit."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from flexvault.domain.errors import VaultError
from flexvault.domain.sql_text import on_terminal, one_line
from flexvault.kit import compare
from flexvault.kit.client import GO_ON_HINT, Client, ClientError
from flexvault.kit.dumps import find_folder
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Options, add_command, add_names, choices_of, protect
from flexvault.kit.restore import check_only, make_roles, restore
from flexvault.kit.show import show, show_databases, show_known_errors

DONE, STOPPED, WRONG_USAGE = 0, 1, 2
_UNREACHABLE: Final = re.compile(r"connection to server|server closed the connection|terminating connection")
_CONNECTION_HINT: Final = "see to the server and to PGHOST, PGPORT, PGUSER, PGPASSWORD, PGSSLMODE; {again}"


def main(facts_bytes: bytes, kit: Path, words: Sequence[str]) -> int:
    """Run a command and answer the exit status: 0 done, 1 stopped or something differs, 2 wrong usage.

    Args:
        facts_bytes: Content of `kit.json`.
        kit: Path of `rebuild.pyz`.
        words: The command line without the program's name.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # names of any language, on a terminal of any encoding
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    facts = KitFacts.from_bytes(facts_bytes)
    chosen = _parser(facts).parse_args(protect(words))
    again = GO_ON_HINT if chosen.run is _restore else "mend this, then run the same command again"
    try:
        return chosen.run(facts, kit, chosen)
    except VaultError as error:
        hint = error.hint or (again if isinstance(error, ClientError) else "")
        _stop(error.message, _CONNECTION_HINT.format(again=again) if _is_unreachable(error) else hint)
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what Python still holds of it goes nowhere
        if chosen.run is not _show:
            _stop("nobody reads what it says any more", again)
    except OSError as error:
        _stop(str(error), again)
    except KeyboardInterrupt:
        sys.stderr.write("rebuild stopped by you; run the same command again: it goes on\n")
    return STOPPED


def _stop(message: str, hint: str) -> None:
    advice = f"\nhint: {hint}" if hint else ""
    sys.stderr.write(f"{on_terminal(f'rebuild stopped: {message}{advice}')}\n")


def _is_unreachable(error: VaultError) -> bool:
    return isinstance(error, ClientError) and bool(_UNREACHABLE.search(error.message))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{on_terminal(line)}\n")
    sys.stdout.flush()


def options_of(chosen: argparse.Namespace) -> Options:
    """Read the choices of a rebuild."""
    return replace(
        choices_of(chosen),
        updates_roles=chosen.existing_roles == "update",
        kept_roles=frozenset(chosen.keep_role),
        allows_source=chosen.allow_source,
        with_passwords=chosen.with_passwords,
        with_subscriptions=chosen.with_subscriptions,
        without_extensions=frozenset(chosen.without_extension),
        search_paths=dict(chosen.search_path),
    )


def _parser(facts: KitFacts) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rebuild.pyz",
        description=f"Rebuild {one_line(facts.server_name)} as of {facts.recovery_point_time} from its files.".replace(
            "%", "%%"
        ),
        epilog="The target is named by PGHOST, PGPORT, PGUSER, PGPASSWORD and PGSSLMODE. README.md tells the rest.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("check", _check, "say what is in the way; changes nothing"),
        ("restore", _restore, "check, then rebuild roles and databases; the same command goes on after a stop"),
        ("roles", _roles, "check, then make the roles alone"),
    ):
        command = add_command(commands, name, text)
        _add_rebuild_options(command)
        command.set_defaults(run=run)
    shown = commands.add_parser("show", help="say what the kit holds; needs no server", allow_abbrev=False)
    shown.add_argument("--files", type=Path, metavar="FOLDER", help="where the files of the restore lie")
    add_names(shown, "--database", ("NAME",), "list what it holds, by name; repeatable")
    shown.add_argument("--known-errors", action="store_true", help="errors behind which a rebuild goes on")
    shown.set_defaults(run=_show)
    compare.add_to(commands)
    return parser


def _add_rebuild_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--existing-roles", choices=("refuse", "update"), default="refuse", help="give them the backup's attributes")
    add_names(command, "--keep-role", ("NAME",), "leave it, and memberships in it, as they are; repeatable")
    add("--allow-source", action="store_true", help="rebuild beside the living databases of the source itself")
    add("--with-passwords", action="store_true", help="restore the verifiers of passwords, if the roles file has them")
    add("--with-subscriptions", action="store_true", help="make subscriptions, disabled; their passwords come along")
    add_names(command, "--without-extension", ("NAME",), "leave it out, with all that needs it")
    text = "for functions that need another search_path than their database's own, such as 'app, public'"
    add_names(command, "--search-path", ("DATABASE", "PATH"), text)


def _check(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    checked = check_only(Client(), facts, find_folder(facts, kit, chosen.files), options_of(chosen), say)
    return DONE if checked.is_ready else STOPPED


def _restore(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    folder = find_folder(facts, kit, chosen.files)
    left = restore(Client(), facts, folder, options_of(chosen), say, now=_now)
    for item in left:
        say(f"{item.object} is {item.reason}")
    say("what was chosen is rebuilt, the rebuild is unfinished" if left else "rebuild complete")
    return DONE


def _roles(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    make_roles(Client(), facts, find_folder(facts, kit, chosen.files), options_of(chosen), say, now=_now)
    return DONE


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - here the kit's own program begins, no port is packed


def _show(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    if chosen.known_errors:
        show_known_errors(say)
        return DONE
    folder = chosen.files or kit.resolve().parent.parent
    if chosen.database:
        show_databases(facts, folder, chosen.database, say)
    else:
        show(facts, folder, say)
    return DONE
