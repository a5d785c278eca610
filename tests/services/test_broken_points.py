"""A point whose deep verification failed is no good one: retention, nightly work and verification treat it so."""

from datetime import timedelta

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import NotAuthorizedError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import Step
from flexvault.domain.retention import PointFacts, newest_good_points
from flexvault.domain.rows import Delete
from flexvault.domain.verification import Verdict
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.doctor import examine
from flexvault.services.preview_retention import preview_instance
from flexvault.services.request_verification import verify_point
from flexvault.services.requests import validate_restore
from flexvault.services.scheduling import tick
from flexvault.services.verifications import list_broken
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


def test_the_newest_good_point_is_kept_behind_a_broken_one_that_expires():
    world = with_two_points()
    break_newest(world)
    expire_all(world)
    clean_up(world)

    assert states(world) == ["sealed", "deleted"]
    require_rest(world)


def test_a_point_that_was_proven_intact_again_is_the_newest_good_one():
    world = with_two_points()
    break_newest(world)
    flip(world, PLACE)
    assert verified(world, key="again").verdict is Verdict.INTACT
    expire_all(world)
    clean_up(world)

    assert states(world) == ["deleted", "sealed"]


def test_where_every_point_is_broken_the_newest_one_is_kept():
    world = with_two_points()
    for number, point in enumerate(points(world)):
        flip(world, PLACE, archive_of(world, point))
        assert verified(world, point, key=f"verify-{number}").verdict is Verdict.BROKEN
    expire_all(world)
    clean_up(world)

    assert states(world) == ["deleted", "sealed"]


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
    assert states(world) == ["sealed", "deleted"]


def test_a_preview_and_the_rows_say_the_same_as_the_plan():
    world = with_two_points()
    break_newest(world)
    older, broken = points(world)
    expire_all(world)
    previewed = preview_instance(world.vault, world.instance(), world.clock.storage_now())

    kept = [one.verdict.point.point_id for one in previewed.present if one.is_newest]
    assert kept == [older.point_id]
    assert broken.is_broken


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


def facts(point_id: str, day: int, *, is_broken: bool = False, problem: str = "") -> PointFacts:
    at = MONDAY + timedelta(days=day)
    return PointFacts(
        instance="i",
        point_id=point_id,
        chain="c",
        recovery_point_time=at,
        expiry_time=at,
        manifest_hash="",
        is_good=not is_broken and not problem,
        is_broken=is_broken,
        problem=problem,
    )


@pytest.mark.parametrize(
    ("oldest_first", "kept"),
    [
        pytest.param([facts("a", 1), facts("b", 2, is_broken=True)], {"a"}, id="the good one before a broken one"),
        pytest.param([facts("a", 1, is_broken=True), facts("b", 2)], {"b"}, id="the good one after a broken one"),
        pytest.param([facts("a", 1, is_broken=True), facts("b", 2, is_broken=True)], {"b"}, id="none is good"),
        pytest.param([facts("a", 1, problem="?")], set[str](), id="what cannot be believed is kept otherwise"),
    ],
)
def test_the_newest_good_point_of_a_chain(oldest_first: list[PointFacts], kept: set[str]):
    assert newest_good_points(oldest_first) == kept


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
