"""Prove that a rebuilt server equals its recovery point, or a living source, or name every object that does not.

Rows are compared as sets: their number, and the sum of their digests. What follows from the rest (contents of
materialised views, statistics) and what a rebuild leaves out on purpose is named and counted as no equality.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flexvault.domain.errors import InvalidInputError, VaultError
from flexvault.domain.sql_text import one_line
from flexvault.domain.verification import Verdict
from flexvault.kit.client import Client
from flexvault.kit.compare_point import PointComparison
from flexvault.kit.compare_report import OF_POINT, OF_SOURCE, Evidence, report_file
from flexvault.kit.compare_servers import compare_servers, require_comparable
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Commands, Options, add_command, choices_of
from flexvault.kit.restore_report import read_report
from flexvault.kit.row_streams import with_settings
from flexvault.kit.server_identity import SOURCE, TARGET, ServerIdentity, identify, naming
from flexvault.kit.unfinished import unfinished_rebuild

_SOURCE: Final = "SOURCE_"
_APPLICATION_NAME: Final = "flexvault-compare"
"""Another than a rebuild's, which ends what a killed one left at work."""
_SAFE_SESSION: Final = {"search_path": "pg_catalog"}
"""A database may be set to find other functions first."""
_ALL: Final = Options()
_AGAIN: Final = "run the same command again: it compares anew"


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the kit is a program of its own, without the ports


def compare(
    client: Client,
    facts: KitFacts,
    folder: Path,
    options: Options = _ALL,
    *,
    source: Client | None = None,
    on_line: Callable[[str], None] = lambda _: None,
    now: Callable[[], datetime] = _now,
) -> Comparison:
    """Compare a server with the recovery point of a kit, or with a living source.

    Args:
        client: Reaches the rebuilt server.
        facts: Of the kit.
        folder: With the files of the restore and its report; a living source needs none.
        options: What was restored.
        source: Reaches the living source.
        on_line: Hears how far it is.
        now: The clock, for the report.

    Raises:
        ClientError: A server cannot be reached.
        InvalidInputError: The choice cannot be compared, or the source is the target.
        MissingProgramError: psql is not there.
    """
    started_at = now()
    pinned = replace(with_settings(client, _SAFE_SESSION), application_name=_APPLICATION_NAME)
    of_source = with_settings(source, _SAFE_SESSION) if source else None
    if source:
        require_comparable(options)
    one, other = _identities(of_source, pinned)
    against = f"the living source {one}" if one else f"the recovery point of {facts.recovery_point_time}"
    on_line(f"compare the target {other} with {against} of {facts.server_name}")
    said = read_report(folder, facts)
    if said.note:
        on_line(said.note)
    with naming(pinned, TARGET):
        unfinished = unfinished_rebuild(pinned, facts.kit_id)
    if unfinished:
        on_line(f"a rebuild of the target is unfinished: {unfinished.said}")
    if of_source is not None:
        found = compare_servers(of_source, pinned, options, said=said, on_line=on_line)
        files = ()
    else:
        with naming(pinned, TARGET):
            comparison = PointComparison(pinned, facts, folder, options, said=said, on_line=on_line)
            comparison.compare()
        found, files = comparison.tally.result(), tuple(comparison.proofs.values())
    if unfinished:
        chosen = {options.into} if options.into else options.named
        found = found.with_unfinished(unfinished.said, is_proof=not unfinished.concerns(chosen))
    verification = facts.verification
    if verification and verification.verdict == Verdict.BROKEN:
        said_broken = f"verification {verification.number} of {verification.completed_at} found errors in it"
        found = found.with_broken_point(said_broken, is_proof=source is not None)
    evidence = Evidence(
        facts=facts,
        options=options,
        target=other,
        source=one,
        files=files,
        started_at=started_at,
        completed_at=now(),
    )
    return replace(found, about=evidence.to_json(), against=f"the living source {one}" if one else found.against)


def _identities(source: Client | None, target: Client) -> tuple[ServerIdentity | None, ServerIdentity]:
    one = None
    if source is not None:
        with naming(source, SOURCE):
            one = identify(source)
    with naming(target, TARGET):
        other = identify(target)
    if one is not None and one.is_same_as(other):
        raise InvalidInputError(
            f"the source {one} and the target {other} are the same server: a comparison with itself proves nothing",
            hint="let PGHOST, PGPORT and so on name the rebuilt server, and SOURCE_PGHOST, SOURCE_PGPORT and so on the "
            "living source; without any SOURCE_PG variable the recovery point is compared",
        )
    return one, other


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
    where = f"where the report goes; else {OF_POINT} or {OF_SOURCE} beside the kit, by what is compared"
    command.add_argument("--report", type=Path, metavar="FILE", help=where)
    command.set_defaults(run=run)


def run(facts: KitFacts, kit: Path, chosen: argparse.Namespace) -> int:
    """Run the command; what stopped it is said here, as it was no rebuild that stopped."""
    client = Client()
    source = source_client(client)
    folder = chosen.files or kit.resolve().parent.parent
    path = chosen.report or kit.resolve().parent / (OF_SOURCE if source else OF_POINT)
    try:
        with report_file(path) as report:
            found = compare(client, facts, folder, choices_of(chosen), source=source, on_line=_say)
            report.write(found.to_bytes())
    except VaultError as error:
        return _stopped(f": {error.message}", error.hint)
    except BrokenPipeError:  # who reads has enough, as `head` has
        raise
    except OSError as error:
        return _stopped(f": {error}", _AGAIN)
    except KeyboardInterrupt:
        return _stopped(" by you", _AGAIN)
    for line in found.lines(report=str(path)):
        _say(line)
    return 0 if found.is_equal else 1


def _stopped(why: str, hint: str) -> int:
    sys.stderr.write(f"compare stopped{why}\n" + (f"hint: {hint}\n" if hint else ""))
    return 1


def _say(line: str) -> None:
    sys.stdout.write(f"{one_line(line)}\n")
    sys.stdout.flush()
