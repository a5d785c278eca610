"""What an adversary broke once: each stays mended."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.domain.errors import (
    InvalidInputError,
    NotAuthorizedError,
    OutcomeUnknownError,
    PermanentError,
    ThrottledError,
    TransientError,
)
from flexvault.domain.instance import ProtectionState
from flexvault.domain.job import JobStatus, Step
from flexvault.domain.open_job import fit_warnings
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.journal import Draft, append
from flexvault.services.policies import delete_policy, put_policy
from flexvault.services.protection import ProtectionRequest, record_protection, request_protection
from flexvault.services.reconcile import reconcile
from flexvault.services.requests import back_up_now
from flexvault.services.scheduling import tick
from flexvault.services.steps import StepRun
from tests.builders import (
    ACTOR,
    INSTANCE_ID,
    MONDAY,
    SERVER_ID,
    World,
    add_server,
    backup_files,
    policy_properties,
    protect,
    request_of,
    run_jobs,
    run_one,
    tiny_archive,
    world,
)
from tests.services.running import run_until


def protected() -> World:
    vault = world()
    protect(vault)
    return vault


def claim(vault: World, days: int = 0) -> None:
    vault.clock.advance_to(MONDAY + timedelta(days=days, hours=2))
    tick(vault.vault, vault.memory.orchestrations)


def test_an_event_that_does_not_fit_into_its_rows_is_refused_before_it_is_journalled():
    vault = protected()
    body = {"name": "big", "properties": {"text": "x" * 40_000}}
    with pytest.raises(PermanentError):
        append(vault.vault.ports, Draft(stream="vault", type="PolicyChanged", key="k", body=body))
    put_policy(vault.vault, "small", policy_properties(), ACTOR)
    assert catalog.find_policy(vault.vault.ports, "small") is not None


@pytest.mark.parametrize("error", [NotAuthorizedError("no"), InvalidInputError("bad")], ids=["403", "400"])
def test_a_changed_protection_that_fails_goes_on_being_backed_up(error: PermanentError):
    vault = protected()
    put_policy(vault.vault, "other", policy_properties(keep_for="P2M"), ACTOR)
    vault.memory.faults.fail_next("roles.find_missing", error)
    protect(vault, request_key="again", policy="other")
    assert vault.instance().state is ProtectionState.CONFIGURED
    assert vault.instance().error is not None
    claim(vault)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED


def test_an_outage_of_half_an_hour_does_not_end_a_running_backup():
    vault = protected()
    vault.memory.ltr.script = replace(vault.memory.ltr.script, duration=timedelta(hours=2))
    claim(vault)
    run_until(vault, Step.POLLING)
    vault.memory.faults.fail_next("ltr.find", TransientError("503"), times=7)
    for _ in range(7):
        with pytest.raises(TransientError):
            run_one(vault, vault.open_jobs()[0])
        vault.memory.orchestrations.wipe()
        vault.clock.advance(timedelta(minutes=5))
        reconcile(vault.vault, vault.memory.orchestrations)
    vault.clock.advance(timedelta(hours=2))
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED


def test_starts_that_never_get_an_answer_are_given_up_with_a_plain_word():
    vault = protected()
    vault.memory.faults.fail_next("ltr.start", OutcomeUnknownError("500"), times=100)
    claim(vault)
    run_jobs(vault)
    error = vault.jobs()[0].error or {}
    assert error["innerError"]["code"] == "StartOutcomeUnknown"
    assert len(vault.memory.ltr.accepted) == 0


def test_one_jobs_trouble_keeps_no_other_job_waiting():
    vault = protected()
    second = add_server(vault, "pg-billing")
    protect(vault, request_key="second", instance_id=INSTANCE_ID.replace("orders", "billing"), server_id=second)
    claim(vault)
    first, other = vault.open_jobs()
    for opened in (first, other):
        run_one(vault, opened)
    vault.clock.advance(timedelta(hours=1))
    vault.memory.faults.fail_next("rows.apply", PermanentError("too large", code="RowNotStorable"))
    done = reconcile(vault.vault, vault.memory.orchestrations)
    assert len(done.taken_over) == 1


def test_a_policy_that_gets_a_user_while_it_is_deleted_stays():
    vault = world()
    put_policy(vault.vault, "daily", policy_properties(), ACTOR)
    vault.memory.faults.run_next("vault_writer.create", lambda: protect(vault))
    with pytest.raises(InvalidInputError) as refused:
        delete_policy(vault.vault, "daily", ACTOR)
    assert refused.value.code == "UserErrorDppPolicyObjectInUse"
    assert catalog.find_policy(vault.vault.ports, "daily") is not None


def test_a_long_reason_of_the_server_is_kept_short_and_not_lost():
    vault = protected()
    script = replace(vault.memory.ltr.script, status="Failed", error_code="DumpFailed", error_message="ü" * 33_000)
    vault.memory.ltr.script = script
    claim(vault)
    run_jobs(vault)
    error = vault.jobs()[0].error or {}
    assert error["innerError"]["code"] == "DumpFailed"
    assert len(vault.memory.ltr.accepted) == 3


def test_a_request_id_used_again_after_a_day_is_a_new_request():
    vault = protected()
    first = back_up_now(vault.vault, INSTANCE_ID, "BackupDaily", "", "constant")
    run_jobs(vault)
    assert back_up_now(vault.vault, INSTANCE_ID, "BackupDaily", "", "constant").job_id == first.job_id
    vault.clock.advance(timedelta(days=2))
    later = back_up_now(vault.vault, INSTANCE_ID, "BackupDaily", "", "constant")
    assert later.job_id != first.job_id


def test_the_same_put_after_another_one_is_a_change_again():
    vault = protected()
    put_policy(vault.vault, "other", policy_properties("R/2026-01-05T04:00:00+00:00/P1D"), ACTOR)
    for policy in ("other", "daily", "other"):
        protect(vault, request_key=f"constant-{policy}", policy=policy)
    assert vault.instance().policy_name == "other"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        pytest.param({"_roles.sql": b""}, "RolesIncomplete", id="empty roles"),
        pytest.param(
            {"_roles.sql": b"--\n-- PostgreSQL database cluster dump\n--\nCREATE ROLE a"},
            "RolesIncomplete",
            id="cut roles",
        ),
        pytest.param({"_database_billing.sql": None}, "DatabaseMissing", id="a database is gone"),
    ],
)
def test_what_was_there_before_and_is_missing_now_is_warned_of(files: dict[str, bytes | None], code: str):
    vault = protected()
    whole = backup_files(orders=tiny_archive("orders"), billing=tiny_archive("billing"))
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=whole)
    claim(vault)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED
    changed = {name: data for name, data in {**whole, **files}.items() if data is not None}
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=changed)
    claim(vault, days=1)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED_WITH_WARNINGS
    assert code in json.dumps(vault.jobs()[0].warnings)


def test_a_strangers_blob_among_the_points_stops_no_retention():
    vault = protected()
    vault.memory.storage.put("vault", "points", "README.txt", b"x")
    vault.clock.advance(timedelta(days=60))
    begin_retention(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED
    assert [blob.name for blob in vault.memory.storage.list_blobs("vault", "points")] == ["README.txt"]


def test_a_database_that_is_gone_is_warned_of_while_a_point_still_holds_it():
    vault = protected()
    both = backup_files(orders=tiny_archive("orders"), more=tiny_archive("more"))
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=both)
    claim(vault)
    run_jobs(vault)
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=backup_files(orders=tiny_archive("orders")))
    for day in (1, 2, 3):
        claim(vault, days=day)
        run_jobs(vault)
        assert "DatabaseMissing" in json.dumps(vault.jobs()[0].warnings), day


def test_a_change_of_policy_that_fails_leaves_the_old_one_in_force():
    vault = protected()
    put_policy(vault.vault, "other", policy_properties(keep_for="P2M"), ACTOR)
    vault.memory.faults.fail_next("roles.find_missing", NotAuthorizedError("no"))
    protect(vault, request_key="again", policy="other")
    assert vault.instance().policy_name == "daily"
    assert vault.instance().error is not None


def test_a_promotion_that_is_throttled_again_and_again_but_advances_is_not_given_up():
    vault = protected()
    rows = b"".join(b"%d\tx\n" % number for number in range(40))
    files = backup_files(**{f"db{number:02d}": tiny_archive(f"db{number:02d}", rows) for number in range(12)})
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=files)
    claim(vault)
    run_until(vault, Step.PROMOTING)
    for _ in range(12):
        vault.memory.faults.run_next("vault_writer.commit", lambda: None)
        vault.memory.faults.fail_next("vault_writer.commit", TransientError("503"))
        opened = vault.open_jobs()[0]
        if opened.step is not Step.PROMOTING:
            break
        with suppress(TransientError):
            run_one(vault, opened)
        vault.memory.orchestrations.wipe()
        vault.clock.advance(timedelta(minutes=15))
        reconcile(vault.vault, vault.memory.orchestrations)
    vault.memory.faults.clear()
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED


def test_hiccups_far_apart_do_not_add_up_to_no_progress():
    vault = protected()
    vault.memory.servers.set_state(SERVER_ID, "Updating")
    claim(vault)
    for _ in range(6):
        vault.memory.faults.fail_next("servers.get", TransientError("503"))
        with pytest.raises(TransientError):
            run_one(vault, vault.open_jobs()[0])
        vault.memory.orchestrations.wipe()
        vault.clock.advance(timedelta(minutes=70))
        reconcile(vault.vault, vault.memory.orchestrations)
        run_one(vault, vault.open_jobs()[0])
    assert vault.open_jobs()[0].step is Step.PREPARING


def test_a_throttle_that_names_a_pause_is_waited_for_and_not_repeated():
    vault = protected()
    claim(vault)
    vault.memory.faults.fail_next("servers.get", ThrottledError("slow down", retry_after_seconds=300))
    answer = run_one(vault, vault.open_jobs()[0])
    assert (answer.next, answer.wait_seconds) == (Step.PREPARING, 300)


def test_a_protection_that_was_recorded_stays_whatever_becomes_of_its_job():
    vault = world()
    put_policy(vault.vault, "daily", policy_properties(), ACTOR)
    request = ProtectionRequest(
        instance_id=INSTANCE_ID, name="pg-orders", server_id=SERVER_ID, policy_name="daily", properties={}
    )
    request_protection(vault.vault, request, ACTOR, "k")
    run_until(vault, Step.RECORDING)
    for _ in range(20):
        opened = vault.open_jobs()[0]
        if opened.step is not Step.RECORDING:
            break
        # The entry is written; then this generation is gone before it says so.
        run = StepRun(vault.vault, request_of(opened))
        run.record()
        record_protection(run)
        vault.memory.orchestrations.wipe()
        vault.clock.advance(timedelta(hours=1))
        reconcile(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    assert (vault.jobs()[0].error or {})["code"] == "NoProgress"
    assert vault.instance().state is ProtectionState.CONFIGURED


def test_warnings_never_outgrow_their_row():
    many = [{"code": "X", "message": "m" * 900, "resource": "r" * 900} for _ in range(200)]
    kept = fit_warnings(many)
    assert kept[-1]["code"] == "MoreWarnings"
    assert len(json.dumps(kept)) < 16_000


def test_dropped_blocks_are_staged_again():
    vault = protected()
    claim(vault)
    run_until(vault, Step.PROMOTING)
    dropped = InvalidInputError("blocks are gone", inner_code="InvalidBlockList")
    vault.memory.faults.fail_next("vault_writer.commit", dropped)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED
