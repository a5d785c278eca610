"""The host runs a held activity again, with the same generation: the first run wakes when the next attempt is on its way."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.errors import ConflictError, ThrottledError, TransientError, VaultError
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.ports import WriteGrant
from flexvault.services import catalog
from flexvault.services.effects import run
from tests.builders import World, backup_files, request_of, run_jobs, run_one
from tests.services.running import claimed, only_open, run_until, step


def until_attempt_two(vault: World, wanted: Step) -> None:
    """Let the host's second run go on until a step of the second attempt is next."""
    vault.clock.advance(timedelta(minutes=5))
    for _ in range(12):
        step(vault)
        opened = only_open(vault)
        if opened.attempt == 2 and opened.step is wanted:
            return
    raise AssertionError("there was no second attempt")


def posted(vault: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answer the names of all starts that are sent from now on, accepted or not."""
    sent: list[str] = []
    original = vault.memory.ltr.start

    def start(server_id: str, name: str, grant: WriteGrant) -> object:
        sent.append(name)
        return original(server_id, name, grant)

    monkeypatch.setattr(vault.memory.ltr, "start", start)
    return sent


def require_one_start_a_name(vault: World, sent: list[str]) -> None:
    (job,) = (job for job in vault.jobs() if job.operation is Operation.BACKUP)
    assert len(sent) == len(set(sent))
    assert job.status in {JobStatus.COMPLETED, JobStatus.COMPLETED_WITH_WARNINGS}
    assert len(catalog.list_points(vault.vault.ports, vault.instance().key)) == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ThrottledError("busy", retry_after_seconds=60), id="throttled"),
        pytest.param(TransientError("not sent", code="NotSent"), id="not-sent"),
        pytest.param(ConflictError("busy", code="ServerIsBusy"), id="busy"),
    ],
)
def test_a_start_that_is_refused_late_takes_nothing_from_the_next_attempt(
    error: VaultError, monkeypatch: pytest.MonkeyPatch
):
    vault = claimed()
    run_until(vault, Step.STARTING)
    request, sent = request_of(only_open(vault)), posted(vault, monkeypatch)

    def the_second_run_starts_attempt_two_and_hears_no_answer() -> None:
        until_attempt_two(vault, Step.STARTING)
        vault.memory.faults.fail_next("ltr.start", TransientError("lost", code="Timeout"), after=True)
        run_one(vault, only_open(vault))
        raise error

    vault.memory.faults.run_next("ltr.start", the_second_run_starts_attempt_two_and_hears_no_answer)
    run(vault.vault, request)
    assert (only_open(vault).attempt, bool(only_open(vault).state["start_requested_at"])) == (2, True)

    run_jobs(vault)
    require_one_start_a_name(vault, sent)


def test_a_start_that_is_accepted_late_is_the_backup(monkeypatch: pytest.MonkeyPatch):
    vault = claimed()
    run_until(vault, Step.STARTING)
    request, sent = request_of(only_open(vault)), posted(vault, monkeypatch)
    vault.memory.faults.run_next("ltr.start", lambda: until_attempt_two(vault, Step.STARTING))

    run(vault.vault, request)

    run_jobs(vault)
    require_one_start_a_name(vault, sent)
    assert [name.rpartition("-")[2] for name in sent] == ["a1"]


def test_a_failure_that_is_told_late_is_not_the_next_attempts(monkeypatch: pytest.MonkeyPatch):
    vault = claimed()
    vault.memory.ltr.script = replace(
        vault.memory.ltr.script, status="Failed", error_code="Odd", error_message="m", duration=timedelta(minutes=1)
    )
    sent = posted(vault, monkeypatch)
    run_until(vault, Step.POLLING)
    vault.clock.advance(timedelta(minutes=2))
    request = request_of(only_open(vault))
    vault.memory.ltr.script = LtrScript(files=backup_files())
    vault.memory.faults.run_next("ltr.find", lambda: until_attempt_two(vault, Step.POLLING), after=True)

    run(vault.vault, request)

    run_jobs(vault)
    require_one_start_a_name(vault, sent)
    assert [name.rpartition("-")[2] for name in sent] == ["a1", "a2"]
