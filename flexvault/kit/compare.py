"""Prove that a rebuilt server equals its recovery point, or a living source, or name every object that does not.

Rows are compared as sets: their number, and the sum of their digests. What follows from the rest (contents of
materialised views, statistics) and what a rebuild leaves out on purpose is named and counted as no equality.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

from flexvault.kit.client import Client
from flexvault.kit.compare_point import PointComparison
from flexvault.kit.compare_servers import compare_servers
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts
from flexvault.kit.row_streams import with_settings

REPORT_NAME: Final = "compare-report.json"
DEFAULT_JOBS: Final = 2
_SOURCE: Final = "SOURCE_"
_SAFE_SESSION: Final = {"search_path": "pg_catalog"}
"""A database may be set to find other functions first."""


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


def report(comparison: Comparison, path: Path, on_line: Callable[[str], None]) -> bool:
    """Write the report beside the files and its lines for people; say whether all is equal."""
    for line in comparison.lines():
        on_line(line)
    path.write_bytes(comparison.to_bytes())
    return comparison.is_equal
