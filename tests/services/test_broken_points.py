"""A point whose deep verification failed is no good one: retention, nightly work and verification treat it so."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import ConflictError, NotAuthorizedError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import Step
from flexvault.domain.journal import Entry
from flexvault.domain.retention import PointFacts, Reason, newest_points
from flexvault.domain.retention_texts import explain
from flexvault.domain.rows import Delete, Insert, Merge
from flexvault.domain.verification import Verdict
from flexvault.ports import Ports
from flexvault.services import catalog, verifications
from flexvault.services.apply_retention import begin_retention
from flexvault.services.doctor import examine
from flexvault.services.journal import find_entry
from flexvault.services.kit_facts import kit_facts
from flexvault.services.poisoning_guard import find_previous
from flexvault.services.preview_retention import preview_instance
from flexvault.services.request_verification import verify_point
from flexvault.services.requests import validate_restore
from flexvault.services.retention_plan import store_plan
from flexvault.services.scheduling import tick
from flexvault.services.standings import Standings, judged_by, require_unchanged
from flexvault.services.verifications import list_broken, read_newest
from flexvault.services.verify_page import Order
from flexvault.services.verify_vault import verify_vault
from tests.builders import MONDAY, World, let_pass, run_jobs, run_one
from tests.services.invariants import require_rest
from tests.services.running import FIRST_SLOT, newest_job, only_open, restore_order, run_until
from tests.services.test_retention import clean_up, states
from tests.services.verifying import archive_of, flip, newest, verified, with_point

PLACE = 700


def points(world: World) -> list[RecoveryPoint]:
    """Every point, oldest first."""
    found = catalog.list_all_points(world.vault.ports, world.instance().key)
    return sorted(found, key=lambda point: point.recovery_point_time)


def with_two_points() -> World:
    """Two recovery points, a day apart."""
    world = with_point()
    world.clock.advance_to(FIRST_SLOT + timedelta(days=1))
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    return world


def expire_all(world: World) -> None:
    let_pass(world, timedelta(days=60), every=timedelta(days=30))


def break_newest(world: World) -> None:
    flip(world, PLACE)
    assert verified(world).verdict is Verdict.BROKEN


def test_the_newest_good_point_is_kept_behind_a_broken_one_and_that_one_stays_until_a_new_backup():
    world = with_two_points()
    break_newest(world)
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "sealed"]
    tick(world.vault, world.memory.orchestrations)
    run_jobs(world)
    world.clock.advance(timedelta(days=1))
    clean_up(world)
    assert states(world) == ["deleted", "deleted", "sealed"]
    require_rest(world)


def test_a_point_that_was_broken_and_is_intact_lets_no_older_one_go():
    world = with_two_points()
    break_newest(world)
    flip(world, PLACE)
    assert verified(world, key="again").verdict is Verdict.INTACT
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "sealed"]


def concluding(world: World, point: RecoveryPoint) -> str:
    """Verify a point up to before its result is written; answers the job."""
    verify_point(world.vault, world.instance(), point.point_id, "forged")
    run_until(world, Step.CONCLUDING)
    return only_open(world).job_id


def test_whoever_deletes_the_findings_of_a_damaged_point_deletes_no_older_one_by_its_intact_verdict():
    world = with_two_points()
    break_newest(world)
    job_id = concluding(world, newest(world))
    rows = world.vault.ports.rows.query(row_keys.BLOCKS, job_id, start="", end="~")
    findings = [Delete(key=row.key, etag=row.etag) for row in rows if "code" in row.values]
    assert findings
    world.vault.ports.rows.apply(row_keys.BLOCKS, job_id, findings)
    run_jobs(world)
    assert newest(world).verified_verdict == Verdict.INTACT
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "sealed"]


def test_a_forged_finding_of_the_only_whole_point_does_not_delete_it():
    world = with_two_points()
    flip(world, PLACE, archive_of(world, points(world)[0]))
    job_id = concluding(world, newest(world))
    key = row_keys.verified_finding_row(0, "DataDamaged", 7)
    forged = Insert(key=key, values={"code": "DataDamaged", "subject": "x", "message": "forged"})
    world.vault.ports.rows.apply(row_keys.BLOCKS, job_id, [forged])
    run_jobs(world)
    assert newest(world).verified_verdict == Verdict.BROKEN
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "sealed"]


def test_an_intact_verdict_between_plan_and_deletion_waits_for_the_next_plan():
    world = with_two_points()
    break_newest(world)
    ports, instance = world.vault.ports, world.instance().key
    standings = Standings(ports)
    standings.catch_up("vault")
    standings.catch_up(instance)
    before = replace(judged_by(standings, instance), ever_broken=frozenset())
    with pytest.raises(ConflictError) as refused:
        require_unchanged(standings, instance, newest(world).point_id, before)
    assert refused.value.code == "PointsVerified"


def test_where_every_point_is_broken_all_are_kept():
    world = with_two_points()
    for number, point in enumerate(points(world)):
        flip(world, PLACE, archive_of(world, point))
        assert verified(world, point, key=f"verify-{number}").verdict is Verdict.BROKEN
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "sealed"]


def test_a_point_that_breaks_between_plan_and_execution_lets_nothing_go_that_is_good_now():
    world = with_two_points()
    expire_all(world)
    flip(world, PLACE)
    verify_point(world.vault, world.instance(), newest(world).point_id, "verify-1")
    run_until(world, Step.CONCLUDING)
    verifying = only_open(world)
    begin_retention(world.vault, world.memory.orchestrations)
    (retention,) = [opened for opened in world.open_jobs() if opened.operation == "retention"]
    run_one(world, retention)
    run_one(world, verifying)
    run_jobs(world)

    assert states(world) == ["sealed", "sealed"]
    world.clock.advance(timedelta(days=1))
    clean_up(world)
    assert states(world) == ["sealed", "sealed"]


def test_a_preview_and_the_rows_say_the_same_as_the_plan():
    world = with_two_points()
    break_newest(world)
    older, broken = points(world)
    expire_all(world)
    previewed = preview_instance(world.vault, world.instance(), world.clock.storage_now())

    kept = {one.verdict.point.point_id: one.verdict.reasons[-1] for one in previewed.present if one.is_newest}
    assert kept == {older.point_id: Reason.NEWEST_GOOD_POINT, broken.point_id: Reason.NO_NEWER_UNBROKEN_POINT}
    assert broken.is_broken
    stored = store_plan(world.vault, world.clock.storage_now())
    plan = json.loads(world.vault.ports.vault_reader.read(blob_names.PLANS, stored.path))
    told = {verdict["pointId"]: verdict["reasons"][-1]["code"] for verdict in plan["verdicts"]}
    assert told == {point_id: reason.value for point_id, reason in kept.items()}
    texts = [explain(one.verdict) for one in previewed.present]
    assert ["newest good" in text for text in texts] == [True, False]
    assert "never found broken" in texts[1]


def told_broken(world: World) -> list[str]:
    """The points that the rows of broken points name, newest first."""
    return [point.point_id for point in list_broken(world.vault.ports, world.instance().key)]


def test_broken_points_are_named_newest_first_without_reading_the_rows_of_the_others():
    world = with_two_points()
    assert told_broken(world) == []
    older, newer = points(world)
    for point in (newer, older):
        flip(world, PLACE, archive_of(world, point))
        assert verified(world, point, f"verify-{point.point_id}").verdict is Verdict.BROKEN
    for point in (older, newer):
        row = world.vault.ports.rows.find(row_keys.POINTS, point.instance, point.point_id)
        assert row is not None
        world.vault.ports.rows.apply(row_keys.POINTS, point.instance, [Delete(key=row.key, etag=row.etag)])

    assert told_broken(world) == [newer.point_id, older.point_id]


def test_a_point_that_was_proven_intact_again_is_told_no_more():
    world = with_two_points()
    break_newest(world)
    assert told_broken(world) == [newest(world).point_id]
    flip(world, PLACE)
    verified(world, key="again")

    assert told_broken(world) == []


def test_a_verification_that_proves_nothing_leaves_a_broken_point_told():
    world = with_two_points()
    break_newest(world)
    flip(world, PLACE)
    world.memory.faults.fail_next("vault_reader.find", NotAuthorizedError("it may not read", hint="grant it"))
    found = verified(world, key="again")

    assert (found.verdict, told_broken(world)) == (Verdict.NOT_PROVEN, [newest(world).point_id])


def test_a_broken_point_that_is_deleted_is_told_no_more():
    world = with_two_points()
    older = points(world)[0]
    flip(world, PLACE, archive_of(world, older))
    verified(world, older)
    assert told_broken(world) == [older.point_id]
    expire_all(world)
    clean_up(world)

    assert (states(world), told_broken(world)) == (["deleted", "sealed"], [])


def test_a_deleted_point_takes_its_verifications_with_it():
    world = with_two_points()
    older = points(world)[0]
    verified(world, older)
    expire_all(world)
    clean_up(world)

    assert states(world) == ["deleted", "sealed"]
    left = [blob.name for blob in world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS, "")]
    assert left == [blob_names.manifest_path(older.instance, newest(world).point_id)]


def test_what_a_late_verification_wrote_beside_a_deleted_point_goes_with_the_next_plan():
    world = with_two_points()
    older = points(world)[0]
    expire_all(world)
    clean_up(world)
    path = blob_names.verification_path(older.instance, older.point_id, 1)
    world.memory.storage.put(VAULT, blob_names.MANIFESTS, path, b"{}")
    world.clock.advance(timedelta(days=1))
    clean_up(world)

    assert world.memory.storage.list_versions(VAULT, blob_names.MANIFESTS, path) == []
    require_rest(world)


def test_the_nightly_examination_tells_of_broken_points():
    world = with_two_points()
    break_newest(world)
    found = examine(world.vault, world.instance().server_id, world.instance(), world.clock.storage_now())

    (told,) = [finding for finding in found.findings if finding.code == "RecoveryPointsBroken"]
    assert newest(world).point_id in told.message
    assert f"flexvault point verification {world.instance().name}" in told.remedy


@pytest.mark.parametrize("what", ["verification-1.json", "verification-1.index-0.json"])
@pytest.mark.parametrize(("harm", "code"), [("lose", "VerificationMissing"), ("spoil", "VerificationDiffers")])
def test_the_vaults_own_verification_finds_a_result_that_is_not_as_it_was_journalled(what: str, harm: str, code: str):
    world = with_point()
    verified(world)
    assert verify_vault(world.vault.ports.vault_reader, Order()).verdict is Verdict.INTACT
    path = f"{world.instance().key}/{newest(world).point_id}.{what}"
    if harm == "lose":
        world.memory.storage.lose(VAULT, blob_names.MANIFESTS, path)
    else:
        world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")
    report = verify_vault(world.vault.ports.vault_reader, Order())

    assert [(finding.code, finding.subject) for finding in report.findings] == [(code, f"manifests/{path}")]


def test_a_result_that_was_written_over_is_told():
    world = with_point()
    verified(world)
    path = f"{world.instance().key}/{newest(world).point_id}.verification-1.json"
    world.memory.storage.put(VAULT, blob_names.MANIFESTS, path, b"{}")

    assert [finding.code for finding in verify_vault(world.vault.ports.vault_reader, Order()).findings] == [
        "LaterVersion"
    ]


def facts(
    point_id: str, day: int, *, is_broken: bool = False, was_broken: bool = False, problem: str = ""
) -> PointFacts:
    at = MONDAY + timedelta(days=day)
    return PointFacts(
        instance="i",
        point_id=point_id,
        chain="c",
        recovery_point_time=at,
        expiry_time=at,
        manifest_hash="",
        is_good=not is_broken and not problem,
        was_broken=was_broken or is_broken,
        problem=problem,
    )


@pytest.mark.parametrize(
    ("oldest_first", "kept"),
    [
        pytest.param([facts("a", 1), facts("b", 2, is_broken=True)], "Ab", id="the good one before a broken one"),
        pytest.param([facts("a", 1, is_broken=True), facts("b", 2)], "B", id="the good one after a broken one"),
        pytest.param([facts("a", 1, is_broken=True), facts("b", 2, is_broken=True)], "ab", id="none is good"),
        pytest.param([facts("a", 1), facts("b", 2, was_broken=True)], "aB", id="one that was broken before"),
        pytest.param(
            [facts("a", 1), facts("b", 2), facts("c", 3, is_broken=True), facts("d", 4, was_broken=True)],
            "bcD",
            id="down to the newest one that was never broken",
        ),
        pytest.param([facts("a", 1, problem="?")], "", id="what cannot be believed is kept otherwise"),
        pytest.param([facts("a", 1), facts("b", 2, problem="?")], "A", id="what cannot be believed protects nothing"),
    ],
)
def test_the_newest_points_of_a_chain(oldest_first: list[PointFacts], kept: str):
    """In capital letters the newest good one."""
    found = newest_points(oldest_first)
    assert set(found) == set(kept.lower())
    assert {key for key, reason in found.items() if reason is Reason.NEWEST_GOOD_POINT} == {
        letter.lower() for letter in kept if letter.isupper()
    }


@given(verdicts=st.lists(st.sampled_from(["", "Broken", "BrokenThenIntact"]), max_size=8), data=st.data())
def test_no_further_verdict_takes_protection_away(verdicts: list[str], data: st.DataObject):
    def kept(of: list[str]) -> set[str]:
        told = [
            facts(str(number), number, is_broken=verdict == "Broken", was_broken=verdict != "")
            for number, verdict in enumerate(of)
        ]
        return set(newest_points(told))

    before = kept(verdicts)
    assert not verdicts or str(len(verdicts) - 1) in before
    for number in range(len(verdicts)):
        after = data.draw(st.sampled_from(["Broken", "BrokenThenIntact"]))
        assert before <= kept([*verdicts[:number], after, *verdicts[number + 1 :]])


def forge(world: World, point: RecoveryPoint, **values: Any) -> None:
    """Change members of a point's row, as whoever may write rows."""
    world.vault.ports.rows.apply(row_keys.POINTS, point.instance, [Merge(key=point.point_id, values=values)])


VERIFIED_MEMBERS = ("verified_number", "verified_verdict", "verified_hash", "verified_version", "verified_seq")


@pytest.mark.parametrize("how", ["replayed", "another entry", "none"])
def test_a_row_that_replays_an_older_verification_is_not_believed(how: str):
    world = with_point()
    verified(world)
    point = newest(world)
    saved = {name: getattr(point, name) for name in VERIFIED_MEMBERS}
    flip(world, PLACE)
    assert verified(world, key="again").verdict is Verdict.BROKEN
    more = {"replayed": {}, "another entry": {"verified_seq": 1}, "none": {"verified_seq": 0, "verified_number": 0}}
    forge(world, point, **{**saved, "is_broken": False, **more[how]})
    forged = newest(world)
    found = read_newest(world.vault.ports, forged)
    assert found is not None
    assert (found.number, found.verdict) == (2, Verdict.BROKEN)
    kit = kit_facts(world.vault.ports, forged, catalog.read_manifest(world.vault.ports, forged), "r")
    assert kit.verification is not None
    assert kit.verification.verdict == "Broken"
    warned = [entry["code"] for entry in validate_restore(world.vault, restore_order(forged.point_id))]
    assert "RecoveryPointBroken" in warned


def test_a_row_that_says_broken_without_a_verification_warns_nobody():
    world = with_point()
    forge(world, newest(world), is_broken=True)
    warned = [entry["code"] for entry in validate_restore(world.vault, restore_order(newest(world).point_id))]
    assert "RecoveryPointBroken" not in warned


def test_a_result_that_no_entry_names_changes_nothing():
    world = with_point()
    verified(world)
    path = blob_names.verification_path(newest(world).instance, newest(world).point_id, 2)
    world.memory.storage.put(VAULT, blob_names.MANIFESTS, path, b"{}")
    found = read_newest(world.vault.ports, newest(world))
    assert found is not None
    assert found.number == 1


def test_the_entry_alone_is_read_while_nothing_newer_lies_there(monkeypatch: pytest.MonkeyPatch):
    world = with_point()
    verified(world)
    read: list[int] = []

    def note(ports: Ports, stream: str, seq: int) -> Entry | None:
        read.append(seq)
        return find_entry(ports, stream, seq)

    monkeypatch.setattr(verifications, "find_entry", note)
    assert read_newest(world.vault.ports, newest(world)) is not None
    assert read == [newest(world).verified_seq]


def test_a_row_alone_takes_no_point_from_the_poisoning_guard():
    world = with_two_points()
    older, new = points(world)
    manifest = catalog.read_manifest(world.vault.ports, new)
    forge(world, older, is_broken=True)
    previous = find_previous(world.vault.ports, manifest)
    assert previous is not None
    assert previous.point_id == older.point_id


def test_a_row_alone_makes_no_broken_point_one_that_the_poisoning_guard_compares_with():
    world = with_two_points()
    older, new = points(world)
    flip(world, PLACE, archive_of(world, older))
    verified(world, older)
    manifest = catalog.read_manifest(world.vault.ports, new)
    assert find_previous(world.vault.ports, manifest) is None
    forge(world, older, is_broken=False)
    assert find_previous(world.vault.ports, manifest) is None


def test_a_job_that_told_findings_ended_and_the_point_is_still_there():
    world = with_two_points()
    break_newest(world)
    assert newest_job(world).status == "CompletedWithWarnings"
    assert len(catalog.list_points(world.vault.ports, world.instance().key)) == 2


def test_whoever_is_about_to_restore_a_broken_point_is_warned():
    world = with_two_points()
    break_newest(world)
    older, broken = (
        [entry["code"] for entry in validate_restore(world.vault, restore_order(point.point_id))]
        for point in points(world)
    )
    assert "RecoveryPointBroken" in broken
    assert "RecoveryPointBroken" not in older
