"""What retention finishes and removes besides expired points: begun deletions and files that nobody sealed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.errors import PermanentError, TransientError
from flexvault.domain.job import JobStatus, Operation
from flexvault.domain.manifest import Manifest
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.scheduling import tick
from tests.builders import MONDAY, World, let_pass, protect, run_jobs, world


def back_up(vault: World, days: int) -> None:
    vault.clock.advance_to(MONDAY + timedelta(days=days, hours=2))
    tick(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)


def retain(vault: World) -> JobStatus:
    vault.clock.advance(timedelta(hours=1))
    begin_retention(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    return next(job.status for job in vault.jobs() if job.operation is Operation.RETENTION)


def files(vault: World, prefix: str = "") -> list[str]:
    return [blob.name for blob in vault.vault.ports.vault_reader.list_blobs(blob_names.POINTS, prefix)]


def all_versions(vault: World) -> list[str]:
    storage = vault.memory.storage
    return [
        blob.name for place in (blob_names.POINTS, blob_names.MANIFESTS) for blob in storage.list_versions(VAULT, place)
    ]


@pytest.fixture
def protected() -> World:
    vault = world()
    protect(vault)
    return vault


def test_a_deletion_that_stopped_midway_is_finished_by_the_next_plan(protected: World):
    back_up(protected, 0)
    back_up(protected, 1)
    let_pass(protected, timedelta(days=40))
    protected.memory.faults.fail_next("vault_cleaner.delete", PermanentError("the account is read-only"))
    assert retain(protected) is JobStatus.FAILED
    instance = protected.instance().key
    assert [point.state for point in catalog.list_all_points(protected.vault.ports, instance)] == ["deleting", "sealed"]

    assert retain(protected) is JobStatus.COMPLETED

    states = [point.state for point in catalog.list_all_points(protected.vault.ports, instance)]
    assert states == ["deleted", "sealed"]
    assert len({name.split("/")[1] for name in files(protected)}) == 1


def test_files_of_a_failed_attempt_go_after_they_were_kept_long_enough(protected: World):
    back_up(protected, 0)
    sealed = files(protected)
    stray = sealed[0].replace("/a1/", "/a7/")
    protected.memory.storage.put(VAULT, blob_names.POINTS, stray, b"left behind")

    assert retain(protected) is JobStatus.COMPLETED
    assert stray in files(protected)

    protected.clock.advance(timedelta(days=15))
    assert retain(protected) is JobStatus.COMPLETED
    assert files(protected) == sealed


def test_a_refusal_to_read_a_manifest_deletes_nothing(protected: World):
    back_up(protected, 0)
    before = files(protected)
    let_pass(protected, timedelta(days=40))
    protected.memory.faults.fail_next("vault_reader.read", TransientError("storage refuses"))

    begin_retention(protected.vault, protected.memory.orchestrations)
    with pytest.raises(TransientError):
        run_jobs(protected)

    assert files(protected) == before


@pytest.mark.parametrize("dies_after", [None, 0, 1, 2, 3, 5])
def test_no_version_of_a_deleted_point_stays_behind_its_base_name(dies_after: int | None):
    vault = world()
    protect(vault)
    back_up(vault, 0)
    back_up(vault, 1)
    kept = all_versions(vault)
    let_pass(vault, timedelta(days=40))
    if dies_after is not None:
        for _ in range(dies_after):
            vault.memory.faults.run_next("vault_cleaner.delete", lambda: None)
        vault.memory.faults.fail_next("vault_cleaner.delete", PermanentError("the account is read-only"), after=True)
        retain(vault)
    assert retain(vault) is JobStatus.COMPLETED

    instance = vault.instance().key
    gone = next(point for point in catalog.list_all_points(vault.vault.ports, instance) if point.state == "deleted")
    left = all_versions(vault)
    assert not [name for name in left if gone.point_id in name]
    assert [name for name in kept if gone.point_id in name]


def test_a_manifest_that_no_entry_names_gets_its_entry(protected: World):
    back_up(protected, 0)
    (point,) = catalog.list_points(protected.vault.ports, protected.instance().key)
    path = blob_names.manifest_path(point.instance, point.point_id)
    data = protected.memory.storage.read(VAULT, blob_names.MANIFESTS, path)
    found = replace(Manifest.from_bytes(data), point_id="0" * 32, job_id="00000000-0000-7000-8000-000000000000")
    other = blob_names.manifest_path(point.instance, found.point_id)
    protected.memory.storage.put(VAULT, blob_names.MANIFESTS, other, found.to_bytes())

    assert retain(protected) is JobStatus.COMPLETED

    points = catalog.list_points(protected.vault.ports, protected.instance().key)
    assert {listed.point_id for listed in points} == {point.point_id, found.point_id}
    assert "PointFound" in [event for event, _ in protected.memory.telemetry.events]
