"""Version-level immutability, as Microsoft's pages have it, through the real SDK."""

from datetime import timedelta

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobClient, ImmutabilityPolicy, StandardBlobTier

from local_cloud.storage_gateway.config import BaseNameDelete
from tests.gateway.world import World, in_days, refused

IMMUTABLE, HELD = "BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"


def previous(world: World, name: str) -> str:
    """Write a blob, protect it, take its base name away, and answer the version that is left."""
    version = world.write(name)
    world.protect(name, version=version)
    world.blob(name).delete_blob()
    return version


def test_a_policy_is_read_back_from_head_get_and_list(world: World, name: str) -> None:
    version = world.write(name)
    until = world.protect(name, version=version)

    headed = world.blob(name, "control", version=version).get_blob_properties()
    got = world.blob(name, "control", version=version).download_blob().properties
    (listed,) = world.versions(name, "immutabilitypolicy", "legalhold")

    for found in (headed, got, listed):
        assert found.immutability_policy.expiry_time == until
        assert found.immutability_policy.policy_mode.lower() == "unlocked"
    assert not headed.has_legal_hold


def test_neither_policy_nor_hold_changes_the_etag_or_the_version(world: World, name: str) -> None:
    world.write(name)
    before = world.blob(name).get_blob_properties()

    world.protect(name)
    world.blob(name, "control").set_legal_hold(True)

    after = world.blob(name).get_blob_properties()
    assert (after.etag, after.version_id, after.last_modified) == (before.etag, before.version_id, before.last_modified)
    assert len(world.versions(name)) == 1


def test_a_protected_version_is_not_deleted_and_an_expired_policy_protects_nothing(world: World, name: str) -> None:
    version = previous(world, name)

    with refused(409, IMMUTABLE):
        world.blob(name, "retention", version=version).delete_blob()
    assert world.blob(name, version=version).download_blob().readall() == b"content"

    world.gateway.clock.offset = timedelta(days=7, seconds=2)
    world.blob(name, "retention", version=version).delete_blob()
    assert world.versions(name) == []


def test_a_held_version_is_not_deleted_until_the_hold_is_cleared(world: World, name: str) -> None:
    version = world.write(name)
    assert world.blob(name, "control", version=version).set_legal_hold(True)["legal_hold"] is True
    world.blob(name).delete_blob()

    with refused(409, HELD):
        world.blob(name, version=version).delete_blob()
    assert world.blob(name, version=version).get_blob_properties().has_legal_hold

    world.blob(name, "control", version=version).set_legal_hold(False)
    world.blob(name, version=version).delete_blob()
    assert world.versions(name) == []


def test_the_current_version_is_not_deleted_by_its_id(world: World, name: str) -> None:
    version = world.write(name)

    with refused(403, "OperationNotAllowedOnRootBlob"):
        world.blob(name, version=version).delete_blob()

    world.blob(name).delete_blob()
    world.blob(name, version=version).delete_blob()
    assert world.versions(name) == []


def test_deleting_the_base_name_keeps_a_protected_version_as_a_previous_one(world: World, name: str) -> None:
    version = world.write(name)
    world.protect(name)

    world.blob(name, "retention").delete_blob()

    with pytest.raises(ResourceNotFoundError):
        world.blob(name).get_blob_properties()
    (kept,) = world.versions(name, "immutabilitypolicy")
    assert (kept.version_id, kept.is_current_version) == (version, None)
    assert kept.immutability_policy.expiry_time
    with refused(409, IMMUTABLE):
        world.blob(name, version=version).delete_blob()


@pytest.mark.parametrize(("protection", "code"), [("policy", IMMUTABLE), ("hold", HELD)])
def test_the_switch_refuses_the_base_name_of_a_protected_version(
    world: World, name: str, protection: str, code: str
) -> None:
    world.gateway.base_name_delete = BaseNameDelete.REFUSE
    world.write(name)
    if protection == "policy":
        world.protect(name)
    else:
        world.blob(name, "control").set_legal_hold(True)

    with refused(409, code):
        world.blob(name).delete_blob()
    assert world.blob(name).download_blob().readall() == b"content"

    world.gateway.clock.offset = timedelta(days=8)
    world.blob(name, "control").set_legal_hold(False)
    world.blob(name).delete_blob()
    assert not world.blob(name).exists()


def test_an_unlocked_policy_is_extended_shortened_and_removed(world: World, name: str) -> None:
    version = previous(world, name)
    longer = world.protect(name, 30, version=version)
    assert world.blob(name, version=version).get_blob_properties().immutability_policy.expiry_time == longer

    shorter = world.protect(name, 1, version=version)
    assert world.blob(name, version=version).get_blob_properties().immutability_policy.expiry_time == shorter

    world.blob(name, "control", version=version).delete_immutability_policy()
    world.blob(name, "retention", version=version).delete_blob()
    assert world.versions(name) == []


def test_a_locked_policy_is_only_extended(world: World, name: str) -> None:
    version = world.write(name)
    until = world.protect(name, 7)
    world.protect(name, 7, "Locked")

    for days, mode in ((6, "Locked"), (7, "Unlocked"), (30, "Unlocked")):
        with refused(409, IMMUTABLE):
            world.protect(name, days, mode)
    with refused(409, "ImmutabilityPolicyDeleteOnLockedPolicy"):
        world.blob(name).delete_immutability_policy()
    found = world.blob(name).get_blob_properties().immutability_policy
    assert (found.policy_mode.lower(), found.expiry_time >= until) == ("locked", True)

    longer = world.protect(name, 8, "Locked", version)
    assert world.blob(name).get_blob_properties().immutability_policy.expiry_time == longer


def test_a_locked_policy_stays_after_it_has_expired_and_protects_nothing(world: World, name: str) -> None:
    version = world.write(name)
    world.protect(name, 1, "Locked")
    world.gateway.clock.offset = timedelta(days=2)

    with refused(409, "ImmutabilityPolicyDeleteOnLockedPolicy"):
        world.blob(name).delete_immutability_policy()

    world.blob(name).delete_blob()
    world.blob(name, version=version).delete_blob()
    assert world.versions(name) == []


@pytest.mark.parametrize("days", [-1, 0])
def test_a_time_that_has_passed_is_no_policy(world: World, name: str, days: int) -> None:
    world.write(name)

    with refused(400, "InvalidHeaderValue"):
        world.protect(name, days)
    with refused(400, "InvalidHeaderValue"):
        world.write(name, immutability_policy=ImmutabilityPolicy(expiry_time=in_days(days), policy_mode="Unlocked"))


def test_a_policy_of_no_known_mode_is_refused_by_name(world: World, name: str) -> None:
    world.write(name)
    headers = {
        "x-ms-immutability-policy-until-date": "Fri, 01 Jan 2100 00:00:00 GMT",
        "x-ms-immutability-policy-mode": "Mutable",
    }

    answer = world.call("PUT", f"/vault/points/{name}?comp=immutabilityPolicies", headers=headers)

    assert answer.status_code == 400
    assert "Mutable" in answer.text


def test_a_write_over_a_protected_blob_makes_a_version_and_changes_nothing(world: World, name: str) -> None:
    first = world.write(name, b"first")
    until = world.protect(name, mode="Locked")

    second = world.write(name, b"second")

    assert first < second
    assert world.blob(name, version=first).download_blob().readall() == b"first"
    assert world.blob(name).download_blob().readall() == b"second"
    old, new = world.versions(name, "immutabilitypolicy")
    assert (old.version_id, old.is_current_version, old.immutability_policy.expiry_time) == (first, None, until)
    assert (new.version_id, new.is_current_version, new.immutability_policy.expiry_time) == (second, True, None)


def test_metadata_of_a_protected_version_is_not_changed_even_after_its_policy(world: World, name: str) -> None:
    world.write(name)
    world.protect(name)

    with refused(409, IMMUTABLE):
        world.blob(name, "writer").set_blob_metadata({"a": "b"})
    world.gateway.clock.offset = timedelta(days=8)
    with refused(409, IMMUTABLE):
        world.blob(name, "writer").set_blob_metadata({"a": "b"})
    world.blob(name, "control").delete_immutability_policy()
    world.blob(name, "control").set_legal_hold(True)
    with refused(409, HELD):
        world.blob(name, "writer").set_blob_metadata({"a": "b"})


def test_a_tier_may_be_set_on_a_protected_version(world: World, name: str) -> None:
    version = world.write(name)
    world.protect(name)
    before = world.blob(name).get_blob_properties()

    world.blob(name, "writer", version=version).set_standard_blob_tier(StandardBlobTier.COOL)

    after = world.blob(name).get_blob_properties()
    assert (before.blob_tier, after.blob_tier) == ("Hot", "Cool")
    assert after.etag == before.etag


def upload(blob: BlobClient, **protection: object) -> None:
    blob.upload_blob(b"small", **protection)  # pyright: ignore[reportArgumentType]


def commit(blob: BlobClient, **protection: object) -> None:
    blob.stage_block("0001", b"block")
    blob.commit_block_list(["0001"], **protection)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("write", [upload, commit])
@pytest.mark.parametrize("protection", ["policy", "hold"])
def test_an_upload_that_carries_protection_is_refused_to_the_writer(world: World, write, protection: str) -> None:
    policy = ImmutabilityPolicy(expiry_time=in_days(7), policy_mode="Unlocked")
    carried = {"immutability_policy": policy} if protection == "policy" else {"legal_hold": True}
    name, other = world.new_name(), world.new_name()

    with refused(403, "AuthorizationPermissionMismatch"):
        write(world.blob(name, "writer"), **carried)
    assert world.versions(name) == []

    write(world.blob(other, "single"), **carried)
    (found,) = world.versions(other, "immutabilitypolicy", "legalhold")
    assert bool(found.has_legal_hold) is (protection == "hold")
    assert bool(found.immutability_policy.expiry_time) is (protection == "policy")


def test_a_container_is_not_deleted_by_anybody(world: World) -> None:
    with refused(409, "ContainerImmutableStorageWithVersioningEnabled"):
        world.service().delete_container("plans")
    assert world.container(container="plans").get_container_properties().immutable_storage_with_versioning_enabled


def test_a_deleted_version_is_hidden_and_comes_back(world: World, name: str) -> None:
    version = world.write(name)
    world.blob(name).delete_blob()
    world.blob(name, "retention", version=version).delete_blob()

    assert world.versions(name) == []
    with pytest.raises(ResourceNotFoundError):
        world.blob(name, version=version).download_blob()
    (shown,) = world.versions(name, "deleted")
    assert (shown.deleted, shown.version_id, shown.remaining_retention_days) == (True, version, 13)

    for who in ("control", "writer", "retention", "single"):
        with refused(403, "AuthorizationPermissionMismatch"):
            world.blob(name, who).undelete_blob()
    world.blob(name).undelete_blob()

    assert world.blob(name, version=version).download_blob().readall() == b"content"
    assert not world.blob(name).exists()


def test_a_deleted_version_is_gone_for_good_after_its_days(world: World, name: str) -> None:
    for blob in (name, other := world.new_name()):
        version = world.write(blob)
        world.blob(blob).delete_blob()
        world.blob(blob, version=version).delete_blob()
        world.gateway.clock.offset = timedelta(days=15)

    assert world.versions(name, "deleted") == []
    assert len(world.versions(other, "deleted")) == 1
