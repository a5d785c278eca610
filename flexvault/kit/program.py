"""The command line of the rebuild kit."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from flexvault.domain.dump_choice import TableName
from flexvault.domain.errors import VaultError
from flexvault.kit.client import Client
from flexvault.kit.dumps import find_folder
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Options
from flexvault.kit.outcome import one_line
from flexvault.kit.restore import make_roles, report, restore, run_check
from flexvault.kit.show import show, show_known_errors

DONE, STOPPED, WRONG_USAGE = 0, 1, 2

_MOST_JOBS: Final = 64
_COMPARE: Final = "flexvault.kit.compare"
_GUARD: Final = "\0"
_NAMES: Final = {
    "--database": 1,
    "--schema": 2,
    "--table": 3,
    "--into": 1,
    "--without-extension": 1,
    "--search-path": 2,
}
"""Options whose values are names, which may begin with a dash, and how many they take."""


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
    chosen = _parser(facts).parse_args(_protect(words))
    try:
        return chosen.run(facts, kit, chosen)
    except VaultError as error:
        hint = f"\nhint: {error.hint}" if error.hint else ""
        sys.stderr.write(f"rebuild stopped: {error.message}{hint}\n")
    except OSError as error:
        sys.stderr.write(f"rebuild stopped: {error}\nhint: mend this, then run the same command again: it goes on\n")
    except KeyboardInterrupt:
        sys.stderr.write("rebuild stopped by you; run the same command again: it goes on\n")
    return STOPPED


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def options_of(chosen: argparse.Namespace) -> Options:
    """Read the choices."""
    schemas: dict[str, tuple[str, ...]] = {}
    for database, schema in chosen.schema:
        schemas[database] = (*schemas.get(database, ()), schema)
    tables: dict[str, tuple[TableName, ...]] = {}
    for database, schema, table in chosen.table:
        tables[database] = (*tables.get(database, ()), TableName(schema, table))
    return Options(
        databases=tuple(chosen.database),
        schemas=schemas,
        tables=tables,
        into=chosen.into,
        jobs=chosen.jobs,
        updates_roles=chosen.existing_roles == "update",
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
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_options(command)
        command.set_defaults(run=run)
    shown = commands.add_parser("show", help="say what the kit holds; needs no server", allow_abbrev=False)
    shown.add_argument("--files", type=Path, metavar="FOLDER", help="where the files of the restore lie")
    shown.add_argument("--known-errors", action="store_true", help="errors behind which a rebuild goes on")
    shown.set_defaults(run=_show)
    if find_spec(_COMPARE):
        importlib.import_module(_COMPARE).add_command(commands)
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--files", type=Path, metavar="FOLDER", help="where the files of the restore lie; else the kit's parent folder")
    add("--database", action="append", type=_name, default=[], metavar="NAME", help="restore only this one; repeatable")
    add(
        "--schema",
        action="append",
        type=_name,
        default=[],
        nargs=2,
        metavar=("DATABASE", "SCHEMA"),
        help="only this schema of it",
    )
    add(
        "--table",
        action="append",
        type=_name,
        default=[],
        nargs=3,
        metavar=("DATABASE", "SCHEMA", "TABLE"),
        help="only it",
    )
    add("--into", type=_name, default="", metavar="NAME", help="name of the new database, when one is restored")
    add("--jobs", type=_jobs, default=2, metavar="N", help="streams of data at once (2)")
    add("--existing-roles", choices=("refuse", "update"), default="refuse", help="give them the backup's attributes")
    add("--with-passwords", action="store_true", help="restore the verifiers of passwords, if the roles file has them")
    add("--with-subscriptions", action="store_true", help="make subscriptions, disabled; their passwords come along")
    add(
        "--without-extension",
        action="append",
        type=_name,
        default=[],
        metavar="NAME",
        help="leave it out, with all that needs it",
    )
    add(
        "--search-path",
        action="append",
        type=_name,
        default=[],
        nargs=2,
        metavar=("DATABASE", "PATH"),
        help="for functions that need another search_path than their database's own, such as 'app, public'",
    )


def _protect(words: Sequence[str]) -> list[str]:
    """Keep names that begin with a dash from being read as options; `_name` takes the guard away."""
    guarded: list[str] = []
    left = 0
    for word in words:
        guarded.append(_GUARD + word if left else word)
        left = left - 1 if left else _NAMES.get(word, 0)
    return guarded


def _name(text: str) -> str:
    return text.removeprefix(_GUARD)


def _jobs(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= _MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST_JOBS}")


def _check(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    checked = run_check(Client(), facts, find_folder(facts, kit, chosen.files), options_of(chosen), say)
    return DONE if checked.is_ready else STOPPED


def _restore(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    restore(Client(), facts, find_folder(facts, kit, chosen.files), options_of(chosen), say)
    say("rebuild complete")
    return DONE


def _roles(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    folder = find_folder(facts, kit, chosen.files)
    report(folder, facts, make_roles(Client(), facts, folder, options_of(chosen), say), say)
    return DONE


def _show(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    if chosen.known_errors:
        show_known_errors(say)
    else:
        show(facts, chosen.files or kit.resolve().parent.parent, say)
    return DONE
