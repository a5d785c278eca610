"""Storage itself protects every recovery point: asked as the vault account's owner, never of flexvault."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud
from local_cloud.storage import RESTORE_CONTAINER
from local_cloud.storage_gateway.config import BaseNameDelete
from local_cloud.tokens import STORAGE_AUDIENCE
from tests.e2e import bodies
from tests.e2e.accounts import Accounts, refusal_of
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

A_SECOND = timedelta(seconds=1)
REFUSALS = {BaseNameDelete.KEEP: "", BaseNameDelete.REFUSE: "BlobImmutableDueToPolicy"}
"""Of Delete Blob on the base name."""
VERSION_REFUSALS = {
    BaseNameDelete.KEEP: "BlobImmutableDueToPolicy",
    BaseNameDelete.REFUSE: "OperationNotAllowedOnRootBlob",
}
"""Of Delete Blob on the version, which is the current one still where the base name could not be deleted."""


@pytest.fixture(scope="module")
def point(user: User, protected: str) -> dict[str, Any]:
    """A recovery point that the tests only read."""
    return user.new_point(protected)


def guards_of(accounts: Accounts, point: dict[str, Any]) -> set[tuple[datetime, str]]:
    """What storage says of all of a point's versions: (until, mode)."""
    versions = accounts.versions_of_point(point["name"])
    return {(found.immutability_policy.expiry_time, found.immutability_policy.policy_mode) for found in versions}


def expiry_of(user: User, protected: str, point: dict[str, Any]) -> datetime:
    shown = user.get(f"{protected}/recoveryPoints/{point['name']}")["properties"]
    return datetime.fromisoformat(shown["expiryTime"])


def require_guarded(accounts: Accounts, point: dict[str, Any], expiry: datetime, mode: str) -> None:
    """Every version has one and the same policy, to the second in which the point expires."""
    ((until, found_mode),) = guards_of(accounts, point)
    assert found_mode.lower() == mode.lower()
    assert expiry <= until < expiry + A_SECOND


def test_every_version_of_a_point_is_protected_until_the_point_expires(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    require_guarded(accounts, point, expiry_of(user, protected, point), "Unlocked")
    _, manifest = accounts.manifest(point["name"])
    assert manifest["immutability"] == "Unlocked"
    assert len(accounts.versions_of_point(point["name"])) == len(manifest["files"]) + 1


def test_a_hold_is_storages_own_and_its_release_by_two_people_clears_it(
    point: dict[str, Any], user: User, protected: str, accounts: Accounts
) -> None:
    def holds() -> set[bool]:
        return {bool(found.has_legal_hold) for found in accounts.versions_of_point(point["name"])}

    hold = f"/vault{protected}/holds/case-17"
    assert holds() == {False}
    placed = user.send("PUT", hold, {"reason": "a lawsuit", "recoveryPointId": point["name"]})
    assert placed.status_code == 200, placed.text
    assert holds() == {True}
    assert user.send("DELETE", hold).status_code == 403, "one person alone"
    assert holds() == {True}
    released = user.send_approved("DELETE", hold)
    assert released.status_code == 200, released.text
    assert holds() == {False}
    require_guarded(accounts, point, expiry_of(user, protected, point), "Unlocked")


def test_a_re_evaluation_to_longer_extends_and_one_to_shorter_leaves_storages_policy(
    user: User, protected: str, accounts: Accounts
) -> None:
    point = user.new_point(protected)
    first = expiry_of(user, protected, point)
    user.put_policy("daily", bodies.policy(keep_for="P6M"))
    reevaluate(user, protected)
    longer = expiry_of(user, protected, point)
    assert longer > first + timedelta(days=80)
    require_guarded(accounts, point, longer, "Unlocked")

    assert user.send_approved("PUT", "/backupPolicies/daily", bodies.policy()).status_code == 200
    reevaluate(user, protected)
    assert expiry_of(user, protected, point) == first
    require_guarded(accounts, point, longer, "Unlocked")


def reevaluate(user: User, protected: str) -> None:
    name = protected.rpartition("/")[2]
    preview = user.send("POST", "/vault/retentionPreview", {"backupInstance": name})
    assert preview.status_code == 200, preview.text
    body = {"previewHash": preview.json()["underPolicy"]["previewHash"]}
    answer = user.send_approved("POST", f"/vault{protected}/reevaluate", body)
    assert answer.status_code == 200, answer.text


@pytest.fixture(params=BaseNameDelete)
def base_name_delete(request: pytest.FixtureRequest, cloud: LaunchedCloud) -> Iterator[BaseNameDelete]:
    """Both readings of what Azure does with the base name of a protected version."""
    cloud.change_storage(baseNameDelete=request.param)
    yield request.param
    cloud.change_storage(baseNameDelete=BaseNameDelete.KEEP)


def test_what_the_writer_overwrites_and_the_owner_deletes_is_restored_as_it_was(
    base_name_delete: BaseNameDelete, *, user: User, protected: str, accounts: Accounts, cloud: LaunchedCloud
) -> None:
    point = user.new_point(protected)
    path, manifest = accounts.manifest(point["name"])
    names = [("manifests", path), *(("points", file["path"]) for file in manifest["files"])]
    sealed = {file["suffix"]: accounts.read("vault", "points", file["path"]) for file in manifest["files"]}
    owner = accounts.vault_as(user.vault.endpoints["owners"]["vault-owner"])
    writer = accounts.vault_as(cloud.issuer.for_identity("writer", STORAGE_AUDIENCE))

    for container, name in names:
        blob = owner.get_blob_client(container, name)
        version_id = blob.get_blob_properties().version_id
        assert refusal_of(blob.delete_blob) == REFUSALS[base_name_delete]
        version = owner.get_blob_client(container, name, version_id=version_id)
        assert refusal_of(version.delete_blob) == VERSION_REFUSALS[base_name_delete]
        writer.get_blob_client(container, name).upload_blob(b"encrypted for a ransom", overwrite=True)
        blob.delete_blob()  # of the version that nothing protects

    prefix = f"tampered-{base_name_delete}"
    job = user.good_end_of(user.restore(protected, point, prefix))
    assert job["status"] == "Completed"
    for suffix, data in sealed.items():
        assert accounts.read("restore", RESTORE_CONTAINER, f"{prefix}{suffix}") == data


def test_the_night_mends_what_somebody_took_away(
    user: User, protected: str, accounts: Accounts, cloud: LaunchedCloud
) -> None:
    point = user.new_point(protected)
    expiry = expiry_of(user, protected, point)
    control = accounts.vault_as(cloud.issuer.for_identity("control", STORAGE_AUDIENCE))
    for container, versions in (("manifests", slice(0, 1)), ("points", slice(1, None))):
        for found in accounts.versions_of_point(point["name"])[versions]:
            control.get_blob_client(container, found.name, version_id=found.version_id).delete_immutability_policy()
    assert {found.immutability_policy.expiry_time for found in accounts.versions_of_point(point["name"])} == {None}

    accounts.delete_row("config", "vault", "guards")  # as if this day had not been looked at
    wait_for(lambda: None not in {until for until, _ in guards_of(accounts, point)}, "the nightly check")
    wait_for(lambda: len(guards_of(accounts, point)) == 1, "all of its versions")
    require_guarded(accounts, point, expiry, "Unlocked")
