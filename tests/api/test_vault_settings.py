"""The vault's settings through the door: what may be changed, by whom, and what needs a second person."""

from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.mgmt.dataprotection.models import (
    PatchBackupVaultInput,
    PatchResourceRequestInput,
    SecuritySettings,
    SoftDeleteSettings,
)

from flexvault.adapters.memory.servers import VAULT_TENANT
from flexvault.domain.event_rows import put
from flexvault.domain.events import settings_target
from flexvault.ports import VaultFacts
from flexvault.services.journal import Draft, append, find_row
from tests.api.doors import SUBSCRIPTION_SCOPE, VAULT_ID, Door, Sent
from tests.api.sdk import DoorTransport, sdk_client
from tests.services.invariants import entries

GUARD = "/vault/poisoningGuard"


@pytest.fixture
def door() -> Door:
    return Door()


def immutability(state: Any) -> dict[str, Any]:
    return {"properties": {"securitySettings": {"immutabilitySettings": {"state": state}}}}


def patch(door: Door, body: Any, person: str = "contributor", **more: Any) -> Sent:
    return door.send("PATCH", VAULT_ID, body, person=person, **more)


def state_of(door: Door) -> str:
    shown = door.send("GET", VAULT_ID, person="reader").json
    return shown["properties"]["securitySettings"]["immutabilitySettings"]["state"]


def guard_of(door: Door) -> str:
    return door.send("GET", GUARD, person="reader", query="").json["state"]


def put_guard(door: Door, state: Any, person: str = "contributor") -> Sent:
    return door.send("PUT", GUARD, {"state": state}, person=person, query="")


def approve(door: Door, refused: Sent) -> None:
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired"), refused.body
    path = f"/vault/approvals/{refused.error['target']}/approve"
    assert door.send("POST", path, person="approver", query="").status == 200


def test_tags_as_large_as_arm_allows_keep_no_setting_from_being_approved() -> None:
    door = Door()
    tags = {f"{number:02}{'x' * 500}": "y" * 256 for number in range(50)}
    assert door.send("PATCH", VAULT_ID, {"tags": tags}).status == 200
    refused = door.send("PUT", "/vault/poisoningGuard", {"state": "Off"}, query="")
    assert (refused.status, refused.error["code"]) == (403, "ApprovalRequired")


def test_a_row_alone_is_not_shown(door: Door) -> None:
    assert patch(door, immutability("locked")).status == 200
    target = settings_target()
    row = find_row(door.world.vault.ports, target)
    forged = put(target, row, {"immutability": "Disabled", "is_poisoning_guarded": False})
    door.world.vault.ports.rows.apply(target.table, target.partition, [forged])
    assert (state_of(door), guard_of(door)) == ("Locked", "On")


def changes(door: Door) -> list[dict[str, Any]]:
    return [dict(entry.body) for entry in entries(door.world, "vault") if entry.type == "VaultChanged"]


def test_a_vault_that_nobody_changed_is_unlocked_and_guarded(door: Door) -> None:
    assert (state_of(door), guard_of(door)) == ("Unlocked", "On")


def test_locking_needs_one_person_and_shows_at_once(door: Door) -> None:
    before = door.send("GET", VAULT_ID, person="reader").json["eTag"]
    locked = patch(door, immutability("locked"))
    assert (locked.status, state_of(door)) == (200, "Locked")
    assert locked.json == door.send("GET", VAULT_ID, person="reader").json
    assert locked.json["eTag"] != before
    [change] = changes(door)
    others = {
        "is_poisoning_guarded": True,
        "soft_delete": "On",
        "soft_delete_days": 14,
        "alerts_for_failures": True,
        "tags": {},
    }
    assert change["before"] == {"immutability": "Unlocked", **others}
    assert change["settings"] == {"immutability": "Locked", **others}


@pytest.mark.parametrize("state", ["Unlocked", "Disabled"])
def test_nothing_leads_out_of_locked(door: Door, state: str) -> None:
    patch(door, immutability("Locked"))
    refused = patch(door, immutability(state))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorUnsupportedVaultImmutabilityStateChange")
    assert "can never be unlocked again" in refused.error["message"]
    assert state_of(door) == "Locked"
    assert door.send("GET", "/vault/approvals", person="reader", query="").json["value"] == []


def test_disabling_needs_a_second_person_and_is_then_done_once(door: Door) -> None:
    approve(door, patch(door, immutability("Disabled")))
    assert state_of(door) == "Unlocked"
    assert patch(door, immutability("Disabled")).status == 200
    assert state_of(door) == "Disabled"
    refused = patch(door, immutability("Locked"))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorUnsupportedVaultImmutabilityStateChange")
    assert patch(door, immutability("Unlocked")).status == 200
    assert patch(door, immutability("Disabled")).error["code"] == "ApprovalRequired"
    assert state_of(door) == "Unlocked"
    [disabled, enabled] = changes(door)
    assert "approval_id" in disabled
    assert "approval_id" not in enabled


def test_another_change_of_the_settings_makes_an_approval_void(door: Door) -> None:
    approve(door, patch(door, immutability("Disabled")))
    approve(door, put_guard(door, "Off"))
    assert put_guard(door, "Off").json == {"state": "Off"}
    assert patch(door, immutability("Disabled")).error["code"] == "ApprovalRequired"
    assert state_of(door) == "Unlocked"


def test_what_is_so_already_changes_nothing(door: Door) -> None:
    assert patch(door, immutability("Unlocked")).status == 200
    assert patch(door, door.send("GET", VAULT_ID, person="reader").json).status == 200
    assert patch(door, {}).status == 200
    assert put_guard(door, "on").json == {"state": "On"}
    assert changes(door) == []


@pytest.mark.parametrize(
    ("body", "path"),
    [
        pytest.param({"identity": {"type": "UserAssigned"}}, "identity.type", id="identity"),
        pytest.param(
            {"properties": {"storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}]}},
            "properties.storageSettings[0].type",
            id="redundancy",
        ),
        pytest.param(
            {"properties": {"featureSettings": {"crossSubscriptionRestoreSettings": {"state": "Enabled"}}}},
            "properties.featureSettings.crossSubscriptionRestoreSettings.state",
            id="restore across subscriptions",
        ),
        pytest.param(
            {"properties": {"resourceGuardOperationRequests": ["/a"]}},
            "properties.resourceGuardOperationRequests",
            id="resource guard",
        ),
        pytest.param({"location": "westus"}, "location", id="location"),
        pytest.param(
            {"properties": {"isVaultProtectedByResourceGuard": 0}},
            "properties.isVaultProtectedByResourceGuard",
            id="a number for a truth value",
        ),
    ],
)
def test_what_cannot_be_changed_is_named_and_nothing_is_changed(door: Door, body: dict[str, Any], path: str) -> None:
    sent = {**body, "properties": {**immutability("Locked")["properties"], **body.get("properties", {})}}
    refused = patch(door, sent)
    assert (refused.status, refused.error["target"]) == (400, path)
    assert f"'{path}'" in refused.error["message"]
    assert state_of(door) == "Unlocked"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"tags": None, "identity": {}}, id="nothing in them"),
        pytest.param(
            {
                "properties": {
                    "securitySettings": {"softDeleteSettings": {"state": "on", "retentionDurationInDays": 14}}
                }
            },
            id="as it is",
        ),
        pytest.param({"eTag": "anything", "Location": "EastUS"}, id="what a client read before"),
    ],
)
def test_other_members_that_are_as_they_are_do_no_harm(door: Door, body: dict[str, Any]) -> None:
    assert patch(door, body).status == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(immutability("Open"), id="no state"),
        pytest.param(immutability(5), id="a number"),
        pytest.param({"properties": {"securitySettings": "Locked"}}, id="no object"),
        pytest.param({"properties": {"monitoringSettings": 5}}, id="no object of alerts"),
        pytest.param(b"[]", id="a list"),
    ],
)
def test_what_is_no_change_of_a_vault_is_400(door: Door, body: Any) -> None:
    assert patch(door, body).status == 400
    assert state_of(door) == "Unlocked"


def test_a_stale_etag_is_412(door: Door) -> None:
    etag = door.send("GET", VAULT_ID, person="reader").json["eTag"]
    assert patch(door, immutability("Locked"), headers={"If-Match": '"other"'}).status == 412
    assert state_of(door) == "Unlocked"
    assert patch(door, immutability("Locked"), headers={"If-Match": etag}).status == 200


def test_turning_the_guard_off_needs_a_second_person_and_on_needs_none(door: Door) -> None:
    approve(door, put_guard(door, "Off"))
    assert guard_of(door) == "On"
    assert put_guard(door, "Off").json == {"state": "Off"}
    assert put_guard(door, "On").json == {"state": "On"}
    assert put_guard(door, "Off").error["code"] == "ApprovalRequired"
    assert guard_of(door) == "On"


@pytest.mark.parametrize("state", ["Maybe", None, True, ""])
def test_the_guard_is_on_or_off(door: Door, state: Any) -> None:
    assert put_guard(door, state).status == 400
    assert guard_of(door) == "On"


@pytest.mark.parametrize("person", ["reader", "operator", "approver"])
def test_only_a_contributor_changes_settings(door: Door, person: str) -> None:
    for refused in (patch(door, immutability("Locked"), person), put_guard(door, "Off", person)):
        assert (refused.status, refused.error["code"]) == (403, "AuthorizationFailed")


# Soft delete, alerts, tags -------------------------------------------------------------------------------------------


def soft_delete(state: Any = None, days: Any = None) -> dict[str, Any]:
    settings = {"state": state, "retentionDurationInDays": days}
    return {"properties": {"securitySettings": {"softDeleteSettings": settings}}}


def soft_delete_of(door: Door) -> tuple[str, float]:
    shown = door.send("GET", VAULT_ID, person="reader").json["properties"]["securitySettings"]["softDeleteSettings"]
    return shown["state"], shown["retentionDurationInDays"]


def alerts(state: Any) -> dict[str, Any]:
    return {"properties": {"monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": state}}}}


def test_soft_delete_is_on_for_14_days_from_the_beginning_also_by_an_older_entry(door: Door) -> None:
    assert soft_delete_of(door) == ("On", 14.0)
    old = {"immutability": "Unlocked", "is_poisoning_guarded": True}
    append(door.world.vault.ports, Draft(stream="vault", type="VaultChanged", key="old", body={"settings": old}))
    assert soft_delete_of(door) == ("On", 14.0)


@pytest.mark.parametrize(
    ("begin", "weaker"),
    [
        pytest.param(soft_delete("On", 30), soft_delete("Off"), id="off"),
        pytest.param(soft_delete("On", 30), soft_delete(days=29), id="fewer days"),
        pytest.param(soft_delete("AlwaysOn", 30), soft_delete(days=14.0), id="fewer days, always on"),
    ],
)
def test_weakening_soft_delete_needs_a_second_person(door: Door, begin: Any, weaker: Any) -> None:
    assert patch(door, begin).status == 200
    before = soft_delete_of(door)
    refused = patch(door, weaker)
    assert soft_delete_of(door) == before
    approve(door, refused)
    assert patch(door, weaker).status == 200
    assert soft_delete_of(door) != before
    assert len(changes(door)) == 2


@pytest.mark.parametrize("state", ["On", "off"])
def test_nothing_leads_out_of_always_on(door: Door, state: str) -> None:
    assert patch(door, soft_delete("alwaysOn")).status == 200
    refused = patch(door, soft_delete(state))
    assert (refused.status, refused.error["code"]) == (400, "UserErrorUnsupportedVaultSoftDeleteStateChange")
    assert "never disabled" in refused.error["message"]
    assert soft_delete_of(door) == ("AlwaysOn", 14.0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(soft_delete("Maybe"), id="no state"),
        pytest.param(soft_delete(days=13), id="too few days"),
        pytest.param(soft_delete(days=181), id="too many days"),
        pytest.param(soft_delete(days=14.5), id="half a day"),
        pytest.param(soft_delete(days=1e300), id="very many days"),
        pytest.param(soft_delete(days=True), id="a truth value"),
        pytest.param(soft_delete(days="14"), id="a text"),
        pytest.param(alerts("On"), id="no switch"),
        pytest.param({"tags": ["a"]}, id="tags as a list"),
        pytest.param({"tags": {"a": 5}}, id="a number as a tag"),
        pytest.param({"tags": {"a/b": "c"}}, id="a slash in a tag"),
        pytest.param({"tags": {"": "c"}}, id="a tag without a name"),
        pytest.param({"tags": {"a" * 513: "c"}}, id="a long name of a tag"),
        pytest.param({"tags": {"a": "c" * 257}}, id="a long tag"),
        pytest.param({"tags": {"a": "1", "A": "2"}}, id="a tag twice"),
        pytest.param({"tags": {f"t{number}": "" for number in range(51)}}, id="too many tags"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_nothing_is_changed(door: Door, body: Any) -> None:
    refused = patch(door, body)
    assert (refused.status, bool(refused.error["target"])) == (400, False)
    assert refused.error["details"]
    assert changes(door) == []


def test_one_patch_changes_several_settings_in_one_entry(door: Door) -> None:
    wanted = {
        "tags": {"Team": "data", "empty": ""},
        "properties": {
            "securitySettings": {**soft_delete("On", 60)["properties"]["securitySettings"]},
            **alerts("disabled")["properties"],
        },
    }
    assert patch(door, wanted).status == 200
    shown = door.send("GET", VAULT_ID, person="reader").json
    assert shown["tags"] == {"Team": "data", "empty": ""}
    assert shown["properties"]["monitoringSettings"] == alerts("Disabled")["properties"]["monitoringSettings"]
    assert soft_delete_of(door) == ("On", 60.0)
    [change] = changes(door)
    assert (change["before"]["soft_delete_days"], change["settings"]["soft_delete_days"]) == (14, 60)
    assert patch(door, {"tags": {}}).json["tags"] == {}


def test_as_many_and_as_long_tags_as_arm_allows_are_kept(door: Door) -> None:
    tags = {f"{number:02}".ljust(512, "n"): "v" * 256 for number in range(50)}
    assert patch(door, {"tags": tags}).status == 200
    assert door.send("GET", VAULT_ID, person="reader").json["tags"] == tags
    assert [event for event, _ in door.world.memory.telemetry.events if event == "RowsDiffer"] == []


# The vault as a resource ---------------------------------------------------------------------------------------------


def test_what_get_answers_is_put_again_and_changes_nothing(door: Door) -> None:
    patch(door, {"tags": {"a": "b"}})
    shown = door.send("GET", VAULT_ID, person="reader").json
    put = door.send("PUT", VAULT_ID, shown, headers={"If-Match": shown["eTag"]})
    assert (put.status, put.json) == (200, shown)
    assert len(changes(door)) == 1
    assert door.send("PUT", VAULT_ID, {**shown, "tags": {"a": "c"}}).json["tags"] == {"a": "c"}
    assert door.send("PUT", VAULT_ID, shown, headers={"If-Match": shown["eTag"]}).status == 412
    assert door.send("PUT", VAULT_ID, {"location": "westus"}).status == 400
    assert door.send("PUT", VAULT_ID, shown, person="operator").status == 403


def test_a_put_of_another_vault_says_that_one_deployment_is_one_vault(door: Door) -> None:
    refused = door.send("PUT", f"{VAULT_ID}-2", {"location": "eastus"})
    assert (refused.status, refused.error["code"]) == (409, "OneVaultPerDeployment")
    assert "vaultName" in refused.error["additionalInfo"][0]["info"]["recommendedAction"][0]
    assert door.send("PUT", VAULT_ID.replace("rg-flexvault", "other"), {}).status == 404
    assert door.send("GET", f"{VAULT_ID}-2").status == 404


def test_the_vault_is_listed_in_its_group_and_in_its_subscription_only(door: Door) -> None:
    shown = door.send("GET", VAULT_ID, person="reader").json
    group = VAULT_ID.rpartition("/")[0]
    for path in (group, f"{SUBSCRIPTION_SCOPE}/backupVaults"):
        assert door.send("GET", path, person="reader").json == {"value": [shown]}
    assert door.send("GET", group.replace("rg-flexvault", "other"), person="reader").status == 404


def test_there_is_no_deleted_vault(door: Door) -> None:
    deleted = f"{SUBSCRIPTION_SCOPE}/locations/eastus/deletedVaults"
    assert door.send("GET", deleted, person="reader").json == {"value": []}
    refused = door.send("GET", f"{deleted}/flexvault", person="reader")
    assert (refused.status, refused.error["code"]) == (404, "ResourceNotFound")


def test_redundancy_and_identity_are_facts_and_what_is_not_known_is_left_out(door: Door) -> None:
    shown = door.send("GET", VAULT_ID, person="reader").json
    assert shown["properties"]["storageSettings"] == [{"datastoreType": "VaultStore", "type": "ZoneRedundant"}]
    assert shown["identity"] == {"type": "SystemAssigned", "principalId": "oid-control", "tenantId": VAULT_TENANT}
    door.world.memory.surroundings.facts = VaultFacts()
    unknown = door.send("GET", VAULT_ID, person="reader").json
    assert unknown["properties"]["storageSettings"] == [{"datastoreType": "VaultStore"}]
    assert "identity" not in unknown
    assert unknown["eTag"] == shown["eTag"], "a client may set neither"


def test_the_sdk_reads_lists_and_changes_the_vault(door: Door) -> None:
    with sdk_client(door, DoorTransport(door)) as client:
        vaults = client.backup_vaults
        place = ("rg-flexvault", "flexvault")
        found = vaults.get(*place)
        assert [one.id for one in vaults.get_in_resource_group("rg-flexvault")] == [found.id]
        assert [one.id for one in vaults.get_in_subscription()] == [found.id]
        assert list(client.deleted_backup_vaults.list_by_location("eastus")) == []
        assert found.identity is not None
        assert found.identity.principal_id == "oid-control"
        assert vaults.begin_create_or_update(*place, found).result().id == found.id
        assert changes(door) == []
        settings = SecuritySettings(soft_delete_settings=SoftDeleteSettings(state="On", retention_duration_in_days=30))
        wanted = PatchResourceRequestInput(
            tags={"a": "b"}, properties=PatchBackupVaultInput(security_settings=settings)
        )
        changed = vaults.begin_update(*place, wanted).result()
        assert changed.tags == {"a": "b"}
        assert soft_delete_of(door) == ("On", 30.0)
        with pytest.raises(ResourceExistsError):
            vaults.begin_create_or_update("rg-flexvault", "other", found)
