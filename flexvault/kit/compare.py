"""Prove that a rebuilt server equals its recovery point, or a living source, or name every object that does not.

Rows are compared as sets: their number, and the sum of their digests. What follows from the rest (contents of
materialised views, statistics) and what a rebuild leaves out on purpose is named and counted as no equality.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from flexvault.domain.sql_text import one_line
from flexvault.kit.client import Client
from flexvault.kit.compare_point import PointComparison
from flexvault.kit.compare_servers import compare_servers
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Commands, Options, add_command, choices_of
from flexvault.kit.restore_report import read_report
from flexvault.kit.row_streams import with_settings

REPORT_NAME: Final = "compare-report.json"
_SOURCE: Final = "SOURCE_"
_SAFE_SESSION: Final = {"search_path": "pg_catalog"}
"""A database may be set to find other functions first."""
_ALL: Final = Options()


def compare(
    client: Client,
    facts: KitFacts,
    folder: Path,
    options: Options = _ALL,
    *,
    source: Client | None = None,
    on_line: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare a server with the recovery point of a kit, or with a living source.

    Args:
        client: Reaches the rebuilt server.
        facts: Of the kit.
        folder: With the files of the restore and its report; a living source needs none.
        options: What was restored.
        source: Reaches the living source.
        on_line: Hears how far it is.

    Raises:
        ClientError: A server cannot be reached.
        InvalidInputError: The choice cannot be compared.
        MissingProgramError: psql is not there.
    """
    pinned = with_settings(client, _SAFE_SESSION)
    said = read_report(folder, facts)
    if said.note:
        on_line(said.note)
    if source is not None:
        return compare_servers(with_settings(source, _SAFE_SESSION), pinned, options, said=said, on_line=on_line)
    comparison = PointComparison(pinned, facts, folder, options, said=said, on_line=on_line)
    comparison.compare()
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


def add_to(commands: Commands) -> None:
    """Add `compare` to the kit's command line; it answers 0 when all is equal and 1 when not."""
    text = (
        "compare the server with the recovery point, or with a living source (SOURCE_PGHOST, SOURCE_PGUSER and so on)"
    )
    command = add_command(commands, "compare", text)
    where = f"where the report goes; else {REPORT_NAME} beside the kit"
    command.add_argument("--report", type=Path, metavar="FILE", help=where)
    command.set_defaults(run=run)


def run(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        ClientError, InvalidInputError, MissingProgramError: See `compare`.
    """
    client = Client()
    source = source_client(client)
    folder = chosen.files or kit.resolve().parent.parent
    found = compare(client, facts, folder, choices_of(chosen), source=source, on_line=_say)
    for line in found.lines():
        _say(line)
    (chosen.report or kit.resolve().parent / REPORT_NAME).write_bytes(found.to_bytes())
    return 0 if found.is_equal else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{one_line(line)}\n")
    sys.stdout.flush()
