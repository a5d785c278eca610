"""What arrived incomplete never becomes a recovery point, and what was changed afterwards is never restored."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Faults
from tests.e2e.user import User

ORDERS = "_database_orders.sql"


@pytest.fixture(scope="module")
def start(vault: VaultHost) -> str:
    """What the start of a backup of this vault's servers looks like."""
    return f"{vault.place.subscription_id}.*/startLtrBackup"


@pytest.fixture
def point(user: User, protected: str) -> dict[str, Any]:
    """A good recovery point of the test's own."""
    return user.new_point(protected)


def warnings_of(job: dict[str, Any]) -> list[str]:
    return [entry["warning"]["code"] for entry in job["extendedInfo"]["warningDetails"]]


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param([{"atByte": 3}, {"atByte": 40}, {"atByte": 2000}], id="in-the-header-and-the-table-of-contents"),
        pytest.param(
            [{"fraction": 0.3}, {"fraction": 0.9}, {"fraction": 0.9999999}], id="in-the-data-to-the-last-byte"
        ),
    ],
)
def test_a_truncated_file_never_becomes_a_point(
    cuts: Sequence[dict[str, Any]], *, user: User, protected: str, start: str, faults: Faults, accounts: Accounts
) -> None:
    before = user.points(protected)
    for cut in cuts:
        faults.order("truncated-file", start, database="orders", **cut)
    job_id = user.back_up(protected)
    job = user.end_of(job_id)

    (error,) = job["errorDetails"]
    assert (job["status"], error["code"]) == ("Failed", "IncompleteArchive")
    assert ORDERS in error["message"]
    assert warnings_of(job) == ["AttemptFailed", "AttemptFailed"], "one attempt for each cut, all refused"
    assert user.points(protected) == before
    assert [name for name in accounts.names("vault", "manifests") if job_id.replace("-", "") in name] == []


def test_a_whole_attempt_after_a_truncated_one_becomes_the_point(
    user: User, protected: str, start: str, faults: Faults, accounts: Accounts
) -> None:
    faults.order("truncated-file", start, database="orders", fraction=0.5)
    job_id = user.back_up(protected)
    job = user.good_end_of(job_id)
    assert (job["status"], warnings_of(job)) == ("CompletedWithWarnings", ["AttemptFailed"])
    _, manifest = accounts.manifest(user.point_of(protected, job_id)["name"])
    assert {file["path"].split("/")[2] for file in manifest["files"]} == {"a2"}


@pytest.mark.parametrize(
    ("fault", "parameters", "warnings"),
    [
        pytest.param("unknown-layout", {}, ["UnknownLayout"], id="other-names"),
        pytest.param("missing-file", {"kind": "roles"}, ["UnknownLayout"], id="no-roles"),
        pytest.param("missing-file", {"kind": "database"}, ["UnknownLayout", "PoisoningSuspected"], id="no-database"),
    ],
)
def test_a_layout_that_is_not_known_is_kept_and_said(
    fault: str,
    parameters: dict[str, Any],
    warnings: list[str],
    *,
    user: User,
    protected: str,
    start: str,
    faults: Faults,
) -> None:
    faults.order(fault, start, **parameters)
    job_id = user.back_up(protected)
    job = user.good_end_of(job_id)
    assert (job["status"], warnings_of(job)) == ("CompletedWithWarnings", warnings)
    assert user.point_of(protected, job_id)["properties"]["recoveryPointState"] == "Completed"


def test_a_file_of_an_unknown_layout_is_still_refused_when_it_is_cut(
    user: User, protected: str, start: str, faults: Faults
) -> None:
    faults.order("unknown-layout", start, times=3)
    faults.order("truncated-file", start, times=3, database="orders", fraction=0.5)
    job = user.end_of(user.back_up(protected))
    assert (job["status"], job["errorDetails"][0]["code"]) == ("Failed", "IncompleteArchive")


def test_a_write_over_a_sealed_file_changes_nothing(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    _, manifest = accounts.manifest(point["name"])
    sealed = next(file for file in manifest["files"] if file["suffix"] == ORDERS)
    data = accounts.read("vault", "points", sealed["path"])
    accounts.write("vault", "points", sealed["path"], b"encrypted for a ransom")

    user.good_end_of(user.restore(protected, point, "overwritten"))

    assert accounts.read("restore", RESTORE_CONTAINER, f"overwritten{ORDERS}") == data


def test_a_byte_that_rots_in_a_sealed_file_fails_the_restore(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    _, manifest = accounts.manifest(point["name"])
    sealed = next(file for file in manifest["files"] if file["suffix"] == ORDERS)
    accounts.rot("points", sealed["path"], sealed["versionId"])

    job = user.end_of(user.restore(protected, point, "changed"))
    (error,) = job["errorDetails"]
    assert (job["status"], error["code"]) == ("Failed", "ChecksumDiffers")
    assert sealed["path"] in error["message"]
    assert "block 0 " in error["message"]
    restored = accounts.names("restore", RESTORE_CONTAINER, "changed_")
    assert f"changed{ORDERS}" not in restored
    assert not any("rebuild" in name for name in restored), "no kit stands for a restore that failed"


def test_a_write_over_a_manifest_changes_nothing_and_is_found(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    path, manifest = accounts.manifest(point["name"])
    forged = {**manifest, "files": manifest["files"][1:]}
    accounts.write("vault", "manifests", path, json.dumps(forged).encode())

    user.good_end_of(user.restore(protected, point, "tampered"))
    restored = accounts.names("restore", RESTORE_CONTAINER, "tampered_")
    assert {f"tampered{file['suffix']}" for file in manifest["files"]} <= set(restored)

    answer = user.send("POST", "/vault/verify", {})
    assert answer.status_code == 200, answer.text
    assert path in answer.text
