"""Compare the rows of one database with what its dump holds, several tables at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from flexvault.domain.dump_contents import Contents
from flexvault.domain.dump_facts import database_facts
from flexvault.kit.client import Client, ClientError
from flexvault.kit.comparison import Named, Tally
from flexvault.kit.row_streams import DUMP_SESSION, FIXED_SESSION, Rows, digest_rows, json_rows, with_settings

_EFFECTIVE: Final = "SELECT json_build_array({})".format(
    ", ".join(f"current_setting('{name}')" for name in FIXED_SESSION)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """A table, the command that writes its rows, and the rows that it must have."""

    named: Named
    command: str
    expected: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    found: Rows | None
    error: str = ""
    session: str = ""


def compare_rows(
    client: Client,
    contents: Contents,
    checks: Sequence[RowCheck],
    tally: Tally,
    *,
    jobs: int,
    on_line: Callable[[str], None],
) -> None:
    """Digest every table under pg_dump's settings.

    pg_dump leaves the time zone and others to the session. The target's own are tried first, then those of the
    source's database, then PostgreSQL's defaults, for tables alone whose number of rows is right.
    """
    database = contents.database
    sessions = _sessions(client, contents)
    used: dict[str, int] = {}

    def check(wanted: RowCheck) -> _Outcome:
        return _check(client, wanted, sessions)

    with ThreadPoolExecutor(jobs) as pool:
        largest_first = sorted(checks, key=lambda wanted: wanted.expected.size_bytes, reverse=True)
        for wanted, outcome in zip(largest_first, pool.map(check, largest_first), strict=True):
            if outcome.found is None:
                tally.not_proven(wanted.named, f"refused: {outcome.error}", source=str(wanted.expected))
            elif _same(outcome.found, wanted.expected):
                tally.equal(wanted.named, "tables")
                tally.counts["rows"] += outcome.found.count
                used[outcome.session] = used.get(outcome.session, 0) + 1
            else:
                tally.differ(wanted.named, str(wanted.expected), str(outcome.found))
    for session, count in used.items():
        number = f"{count} of {len(checks)} tables equal"
        tally.note(f"database {database}: {number} as a session with {session} writes them")
    on_line(f"database {database}: {len(checks)} tables")


def _check(client: Client, wanted: RowCheck, sessions: Mapping[str, Mapping[str, str]]) -> _Outcome:
    first: Rows | None = None
    for session, settings in sessions.items():
        try:
            asked = with_settings(client, DUMP_SESSION, settings)
            found = digest_rows(asked, wanted.named.database, wanted.command)
        except ClientError as error:
            return _Outcome(found=None, error=error.message)
        if _same(found, wanted.expected):
            return _Outcome(found=found, session=session)
        first = first or found
        if found.count != wanted.expected.count:
            break
    return _Outcome(found=first)


def _same(found: Rows, expected: Rows) -> bool:
    return (found.count, found.digest) == (expected.count, expected.digest)


def _sessions(client: Client, contents: Contents) -> dict[str, dict[str, str]]:
    """Return the settings to try in order, by what they amount to; those that amount to the same once."""
    [own] = json_rows(with_settings(client), _EFFECTIVE, contents.database)
    target = dict(zip(FIXED_SESSION, own, strict=True))
    names = {name.lower(): name for name in FIXED_SESSION}
    settings = database_facts(contents).settings
    source = {names[name.lower()]: value for name, value in settings if name.lower() in names}
    tries: Iterable[dict[str, str]] = (
        target, target | source, target | {"TimeZone": "UTC"}, dict(FIXED_SESSION)
    )  # fmt: skip
    return {", ".join(f"{name} {value}" for name, value in found.items()): found for found in tries}
