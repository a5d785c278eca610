"""Rebuild a server: check, roles, databases one after the other, then the table of what became of everything."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from flexvault.domain.errors import ConflictError, VaultError
from flexvault.kit.check import Checked, check
from flexvault.kit.client import Client, ClientError, MissingProgramError
from flexvault.kit.database import DatabaseRebuild
from flexvault.kit.facts import KitFacts
from flexvault.kit.going_on import left_unfinished
from flexvault.kit.load import Say
from flexvault.kit.options import Options
from flexvault.kit.outcome import Outcome, table, write_report
from flexvault.kit.progress import ROLES, Progress, only_rebuild, require_alone
from flexvault.kit.run_facts import RunFacts
from flexvault.kit.system import list_jobs, list_system_database
from flexvault.kit.target import Target, look_at

type Clock = Callable[[], datetime]

_QUIET_KINDS: Final = 40
"""Objects of one kind, database, state and reason that the screen shows by name; the report has all."""


class NotReadyError(ConflictError):
    """The check found something in the way; nothing was changed."""

    default_code = "NotReady"


def check_only(client: Client, facts: KitFacts, folder: Path, options: Options, say: Say) -> Checked:
    """Check, and say all that was found.

    Raises:
        ConflictError: A rebuild is at work: what is found now is not what its end leaves.
    """
    with suppress(ClientError, MissingProgramError):  # the check says why the server cannot be asked
        require_alone(client)
    return _run_check(client, facts, folder, options, say)


def make_roles(client: Client, facts: KitFacts, folder: Path, options: Options, say: Say, *, now: Clock) -> None:
    """Check what concerns the roles, then make them alone.

    Raises:
        NotReadyError, ConflictError, ClientError: See there.
    """
    started = now()
    with _ready(client, facts, folder, replace(options, only_roles=True), say) as (target, checked):
        progress = Progress(client, facts.kit_id)
        progress.begin()
        outcomes = _make_roles(checked, progress, target, say)
        _report(folder, RunFacts.of(client, facts, target, started, now()), outcomes, say)


def restore(client: Client, facts: KitFacts, folder: Path, options: Options, say: Say, *, now: Clock) -> list[Outcome]:
    """Rebuild the server, or go on where an earlier run of this kit stopped.

    Returns:
        The databases that an earlier run began and that are still unfinished, as they were not chosen.

    Raises:
        NotReadyError, ConflictError, ClientError: See there.
    """
    started = now()
    with _ready(client, facts, folder, options, say) as (target, checked):
        progress = Progress(client, facts.kit_id)
        progress.begin()
        outcomes = _make_roles(checked, progress, target, say)
        borrowed: list[str] = []
        if checked.roles is not None:
            owners = {entry.owner for plan in checked.plans for entry in plan.restored}
            owners |= {plan.dump.facts.owner for plan in checked.plans}
            borrowed = checked.roles.borrow(owners, progress, progress.read().get(ROLES))
        for plan in checked.plans:
            rebuild = DatabaseRebuild(client, target, plan, progress, jobs=options.jobs, say=say)
            outcomes += rebuild.run(progress.read().get(plan.name))
            outcomes += list_jobs(plan.dump)
        if checked.roles is not None:
            outcomes += checked.roles.set_in_databases()
            checked.roles.give_back(borrowed)
        outcomes += _not_restored(facts, checked)
        left = left_unfinished(progress.read(), look_at(client).databases)
        outcomes += left
        _report(folder, RunFacts.of(client, facts, target, started, now()), outcomes, say)
        if not left:  # else its rows are still needed
            progress.end()
    return left


def _report(folder: Path, run: RunFacts, outcomes: Sequence[Outcome], say: Say) -> None:
    """Show the table and write it beside the kit."""
    for line in [*run.lines(), *table(_shortened(outcomes))]:
        say(line)
    try:
        path = write_report(folder, run, outcomes)
    except OSError as error:  # the folder may be read only; the table is on the screen
        say(f"the report could not be written: {error}")
    else:
        say(f"report: {path}")


def _run_check(client: Client, facts: KitFacts, folder: Path, options: Options, say: Say) -> Checked:
    checked = check(client, facts, folder, options, say)
    for finding in checked.findings:
        say(str(finding))
    say("check: ready" if checked.is_ready else "check: not ready, nothing was changed")
    return checked


@contextmanager
def _ready(
    client: Client, facts: KitFacts, folder: Path, options: Options, say: Say
) -> Generator[tuple[Target, Checked]]:
    """Check while no other kit can change the server, for as long as the block lasts: what was found stays so."""
    with ExitStack() as stack:
        trouble: VaultError | None = None
        try:
            stack.enter_context(only_rebuild(client))
        except (ClientError, MissingProgramError) as error:
            trouble = error
        checked = _run_check(
            client, facts, folder, options, say
        )  # it says that trouble, too, and whatever else there is
        if checked.target is None or not checked.is_ready:
            count = sum(finding.is_error for finding in checked.findings)
            hint = "do what the lines above say, then run it again"
            what = "1 thing is" if count == 1 else f"{count} things are"
            raise NotReadyError(f"{what} in the way, nothing was changed", hint=hint)
        if trouble is not None:
            raise trouble
        yield checked.target, checked


def _make_roles(checked: Checked, progress: Progress, target: Target, say: Say) -> list[Outcome]:
    if checked.roles is None or not checked.roles.plan:
        say("roles: the backup holds no roles file")
        return [Outcome(database="", kind="roles", name="", state="left out", reason="the backup holds no roles file")]
    kind = "superuser" if target.is_superuser else "no superuser"
    say(f"roles: for PostgreSQL {target.major}, {kind}")
    return checked.roles.make(progress, progress.read().get(ROLES))


def _not_restored(facts: KitFacts, checked: Checked) -> list[Outcome]:
    found = [item for dump in checked.system for item in list_system_database(dump)]
    reason = "its file is not among those of this restore"
    found += [
        Outcome(database="", kind="database", name=name, state="left out", reason=reason) for name in facts.left_out
    ]
    return found


def _shortened(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Show some objects of each kind by name, and count the others."""
    shown: list[Outcome] = []
    counts: dict[tuple[str, str, str], int] = {}
    for item in outcomes:
        key = (item.database, item.kind, item.state)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= _QUIET_KINDS:
            shown.append(item)
    for (database, kind, state), count in counts.items():
        if count > _QUIET_KINDS:
            reason = f"{count - _QUIET_KINDS} more, see the report"
            last = next(
                item for item in reversed(outcomes) if (item.database, item.kind, item.state) == (database, kind, state)
            )
            shown.append(Outcome(database=database, kind=kind, name="...", state=last.state, reason=reason))
    return shown
