"""Manifests without a row of their own: the journal is asked, and one odd manifest stops nothing of the others."""

import json
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import PermanentError
from flexvault.domain.job import JobStatus
from flexvault.domain.rows import Delete
from flexvault.services import catalog
from flexvault.services.journal import Draft, append
from flexvault.services.vault_files import find_unsealed
from tests.builders import World, let_pass, protect, world
from tests.services.invariants import entries
from tests.services.test_retention_leftovers import back_up, files, retain


@pytest.fixture
def vault() -> World:
    """A vault with three points, of which two expired long ago."""
    built = world()
    protect(built)
    for day in range(3):
        back_up(built, day)
    return built


def lose_rows(vault: World) -> None:
    rows, instance = vault.vault.ports.rows, vault.instance().key
    for row in list(rows.query(row_keys.POINTS, instance, start="0", end="g")):
        rows.apply(row_keys.POINTS, instance, [Delete(key=row.key, etag=row.etag)])


def read_newest(vault: World) -> tuple[str, dict[str, Any]]:
    instance = vault.instance().key
    point_id = catalog.list_points(vault.vault.ports, instance)[0].point_id
    data = vault.memory.storage.read(VAULT, blob_names.MANIFESTS, blob_names.manifest_path(instance, point_id))
    return instance, json.loads(data)


def put_manifest(vault: World, instance: str, stored: dict[str, Any]) -> None:
    path = blob_names.manifest_path(instance, "0" * 32)
    vault.memory.storage.put(VAULT, blob_names.MANIFESTS, path, json.dumps(stored).encode())


def test_a_lost_row_does_not_bring_a_deleted_point_back(vault: World):
    let_pass(vault, timedelta(days=60))
    for _ in range(len(files(vault)) // 3):
        vault.memory.faults.run_next("vault_cleaner.delete", lambda: None)
    vault.memory.faults.fail_next("vault_cleaner.delete", PermanentError("no"))
    retain(vault)  # the files of the oldest are gone, its manifest stays
    instance = vault.instance().key
    gone = {p.point_id for p in catalog.list_all_points(vault.vault.ports, instance) if p.state != "sealed"}
    lose_rows(vault)

    retain(vault)

    assert gone
    assert not gone & {point.point_id for point in catalog.list_points(vault.vault.ports, instance)}
    sealed = [entry.body["point_id"] for entry in entries(vault, instance) if entry.type == "Sealed"]
    assert len(sealed) == len(set(sealed)) == 3


def test_a_lost_row_does_not_forget_who_reads_a_point(vault: World):
    let_pass(vault, timedelta(days=60))
    instance = vault.instance().key
    point = catalog.list_points(vault.vault.ports, instance)[-1]
    body = {"job_id": point.job_id, "point_id": point.point_id, "instance": instance}
    append(vault.vault.ports, Draft(stream=instance, type="RestoreStarted", key="r1", body=body))
    lose_rows(vault)

    retain(vault)

    kept = catalog.find_point(vault.vault.ports, instance, point.point_id)
    assert (kept.state, kept.readers) == ("sealed", 1)
    assert files(vault, f"{instance}/{point.point_id}/")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="another-points"),
        pytest.param({"pointId": "0" * 32, "policy": {}}, id="policy-empty"),
        pytest.param({"pointId": "0" * 32, "policy": None}, id="policy-none"),
        pytest.param({"pointId": "0" * 32, "expiryTime": "2026-02-05T02:00:00"}, id="expiry-without-zone"),
        pytest.param({"pointId": "0" * 32, "recoveryPointTime": "2026-01-05T02:00:00"}, id="time-without-zone"),
        pytest.param({"pointId": "0" * 32, "instance": "x"}, id="another-instance"),
        pytest.param({"pointId": "0" * 32, "instance": "../y"}, id="instance-is-a-path"),
        pytest.param({"pointId": 7}, id="id-is-a-number"),
        pytest.param({"pointId": "0" * 32, "tag": "t" * 40_000}, id="tag-too-long"),
        pytest.param({"pointId": "0" * 32, "chain": []}, id="chain-is-a-list"),
        pytest.param({"pointId": "0" * 32, "jobId": "nonsense"}, id="job-unknown"),
    ],
)
def test_an_odd_manifest_does_not_stop_retention(vault: World, change: dict[str, Any]):
    instance, stored = read_newest(vault)
    before = {point.point_id for point in catalog.list_points(vault.vault.ports, instance)}
    put_manifest(vault, instance, {**stored, **change})

    assert retain(vault) is not JobStatus.FAILED
    assert retain(vault) is not JobStatus.FAILED

    assert before <= {point.point_id for point in catalog.list_points(vault.vault.ports, instance)}


def test_a_copied_manifest_of_a_deleted_point_stops_nothing(vault: World):
    instance = vault.instance().key
    oldest = catalog.list_points(vault.vault.ports, instance)[-1]
    path = blob_names.manifest_path(instance, oldest.point_id)
    put_manifest(vault, instance, json.loads(vault.memory.storage.read(VAULT, blob_names.MANIFESTS, path)))
    let_pass(vault, timedelta(days=60))

    assert [retain(vault) for _ in range(3)] == [JobStatus.COMPLETED_WITH_WARNINGS] * 3


def test_files_below_another_points_manifest_are_never_taken_for_unsealed(vault: World):
    instance, stored = read_newest(vault)
    put_manifest(vault, instance, stored)
    newest = blob_names.point_prefix(instance, stored["pointId"])
    point = blob_names.point_prefix(instance, "0" * 32)
    path = files(vault, newest)[0].replace(newest, point)
    vault.memory.storage.put(VAULT, blob_names.POINTS, path, b"x")
    let_pass(vault, timedelta(days=60))

    assert list(find_unsealed(vault.vault, vault.clock.storage_now(), within=point)) == []
