"""Prove that a rebuilt server equals its recovery point, or a living source, or name every object that does not.

Rows are compared as sets: their number, and the sum of their digests. What follows from the rest (contents of
materialised views, statistics) and what a rebuild leaves out on purpose is named and counted as no equality.
"""

import argparse
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from flexvault.kit.client import Client
from flexvault.kit.compare_point import PointComparison
from flexvault.kit.compare_servers import compare_servers
from flexvault.kit.comparison import Comparison, one_line
from flexvault.kit.facts import KitFacts
from flexvault.kit.row_streams import with_settings

REPORT_NAME: Final = "compare-report.json"
DEFAULT_JOBS: Final = 2
_MOST_JOBS: Final = 64
_SOURCE: Final = "SOURCE_"
_SAFE_SESSION: Final = {"search_path": "pg_catalog"}
"""A database may be set to find other functions first."""


class Commands(Protocol):
    """Where a command is added: what `add_subparsers` of an argument parser answers."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...


def compare(
    client: Client,
    facts: KitFacts,
    folder: Path,
    *,
    source: Client | None = None,
    databases: Collection[str] = (),
    jobs: int = DEFAULT_JOBS,
    on_line: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare a server with the recovery point of a kit, or with a living source.

    Args:
        client: Reaches the rebuilt server.
        facts: Of the kit.
        folder: With the files of the restore; a living source needs none.
        source: Reaches the living source.
        databases: Exact names; all when there are none.
        jobs: Tables at once.
        on_line: Hears how far it is.

    Raises:
        ClientError: A server cannot be reached.
        MissingProgramError: psql is not there.
    """
    pinned = with_settings(client, _SAFE_SESSION)
    if source is not None:
        return compare_servers(
            with_settings(source, _SAFE_SESSION), pinned, databases=databases, jobs=jobs, on_line=on_line
        )
    comparison = PointComparison(pinned, facts, folder, jobs=jobs, on_line=on_line)
    comparison.compare(databases)
    return comparison.tally.result()


def source_client(client: Client) -> Client | None:
    """Make the client of a living source from `SOURCE_PGHOST`, `SOURCE_PGPASSWORD` and so on; nothing without any.

    They are variables of the environment, because a command line is shown to everybody on the machine.
    """
    named = {name: value for name, value in client.environment.items() if name.startswith(f"{_SOURCE}PG")}
    if not named:
        return None
    others = {name: value for name, value in client.environment.items() if not name.startswith(("PG", _SOURCE))}
    return replace(client, environment=others | {name.removeprefix(_SOURCE): value for name, value in named.items()})


def add_command(commands: Commands) -> None:
    """Add `compare` to the kit's command line; it answers 0 when all is equal and 1 when not."""
    text = (
        "compare the server with the recovery point, or with a living source (SOURCE_PGHOST, SOURCE_PGUSER and so on)"
    )
    command = commands.add_parser("compare", help=text, description=text, allow_abbrev=False)
    add = command.add_argument
    add("--files", type=Path, metavar="FOLDER", help="where the files of the restore lie; else the kit's parent folder")
    add("--database", action="append", type=_name, default=[], metavar="NAME", help="compare only this one; repeatable")
    add("--jobs", type=_jobs, default=DEFAULT_JOBS, metavar="N", help=f"tables at once ({DEFAULT_JOBS})")
    add("--report", type=Path, metavar="FILE", help=f"where the report goes; else {REPORT_NAME} beside the kit")
    command.set_defaults(run=run)


def run(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        ClientError: A server cannot be reached.
        MissingProgramError: psql is not there.
    """
    client = Client()
    folder = chosen.files or kit.resolve().parent.parent
    found = compare(
        client,
        facts,
        folder,
        source=source_client(client),
        databases=chosen.database,
        jobs=chosen.jobs,
        on_line=_say,
    )
    for line in found.lines():
        _say(line)
    (chosen.report or kit.resolve().parent / REPORT_NAME).write_bytes(found.to_bytes())
    return 0 if found.is_equal else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{one_line(line)}\n")
    sys.stdout.flush()


def _name(text: str) -> str:
    return text.removeprefix("\0")  # the program's guard for names that begin with a dash


def _jobs(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= _MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST_JOBS}")
