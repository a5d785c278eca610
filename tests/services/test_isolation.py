"""What the vault says of its own isolation: honest, with reasons, and never reassuring about what it cannot know."""

from dataclasses import replace
from typing import Any

import pytest

from flexvault.adapters.memory.servers import VAULT_TENANT
from flexvault.domain.app_role import AppRole
from flexvault.domain.vault_settings import Immutability
from flexvault.ports import Identity, Server
from flexvault.services.isolation import Finding, Isolation, examine_isolation
from tests.builders import SERVER_ID, SUBSCRIPTION, World, protect, set_immutability, world

OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
OTHER_TENANT = "00000000-0000-4000-8000-000000000002"
ELSEWHERE = SERVER_ID.replace(SUBSCRIPTION, OTHER_SUBSCRIPTION)


def elsewhere(**changes: Any) -> World:
    """A vault that protects one server, in another subscription."""
    vault = world(**changes)
    vault.memory.servers.put(replace(vault.memory.servers.get(SERVER_ID), id=ELSEWHERE))
    protect(vault, server_id=ELSEWHERE)
    return vault


def examine(world: World, immutability: Immutability = Immutability.LOCKED) -> Isolation:
    set_immutability(world, immutability)
    return examine_isolation(world.vault)


def finding(found: Isolation, code: str) -> Finding:
    (one,) = [finding for finding in found.findings if finding.code == code]
    return one


def test_a_split_vault_in_another_tenant_is_isolated():
    vault = elsewhere(role=AppRole.FRONT)
    vault.memory.tenancy.identities.pop()  # a front holds no retention identity
    vault.memory.tenancy.tenants[OTHER_SUBSCRIPTION] = OTHER_TENANT
    found = examine(vault)
    assert found.is_isolated, found.findings
    assert all(not one.remedy for one in found.findings)
    assert finding(found, "VaultTenant").message == f"the vault is in tenant {VAULT_TENANT}"


def test_a_server_in_the_vaults_own_subscription_is_not_isolated_and_is_named():
    vault = world()
    protect(vault)
    found = examine(vault)
    assert not found.is_isolated
    told = finding(found, "SourceSubscriptions")
    assert "not isolated: protected in the vault's own subscription: pg-orders" in told.message
    assert told.remedy
    assert not finding(found, "SourceTenants").is_ok, "one subscription is one tenant"


def test_a_server_in_the_vaults_own_tenant_is_not_isolated():
    vault = elsewhere()
    vault.memory.tenancy.tenants[OTHER_SUBSCRIPTION] = VAULT_TENANT
    found = examine(vault)
    assert finding(found, "SourceSubscriptions").is_ok
    told = finding(found, "SourceTenants")
    assert not told.is_ok
    assert told.message.startswith("not isolated: in the vault's own tenant")
    assert OTHER_SUBSCRIPTION in told.message


def test_a_tenant_that_nobody_can_read_is_no_reassurance():
    told = finding(examine(elsewhere()), "SourceTenants")
    assert not told.is_ok
    assert told.message.startswith("not known to be isolated")
    assert "FLEXVAULT_SOURCE_TENANTS" in told.remedy


def test_the_setting_names_the_tenants_of_federated_sources():
    vault = elsewhere(source_tenants={OTHER_SUBSCRIPTION: OTHER_TENANT})
    assert finding(examine(vault), "SourceTenants").is_ok


def test_a_vault_without_servers_says_so():
    found = examine(world(role=AppRole.FRONT))
    assert finding(found, "SourceTenants").message == "no server is protected yet"


def test_one_app_for_everything_is_not_split():
    told = finding(examine(elsewhere()), "RolesSplit")
    assert not told.is_ok
    assert "splitApps" in told.remedy


@pytest.mark.parametrize(
    ("retention", "is_ok"),
    [
        pytest.param(Identity(name="retention", client_id="retention", object_id="o3"), True, id="its own"),
        pytest.param(
            Identity(name="retention", client_id="Writer", object_id="o3"), False, id="the writer's client id"
        ),
        pytest.param(
            Identity(name="retention", client_id="retention", object_id="o2"), False, id="the writer's object"
        ),
        pytest.param(Identity(name="retention", client_id="retention"), True, id="without a token"),
    ],
)
def test_an_identity_that_serves_twice_is_reported(retention: Identity, is_ok: bool):
    vault = elsewhere()
    vault.memory.tenancy.identities[:] = [
        Identity(name="control", client_id="control"),
        Identity(name="writer", client_id="writer", object_id="o2"),
        retention,
    ]
    told = finding(examine(vault), "IdentitiesDistinct")
    assert told.is_ok is is_ok
    assert is_ok or "one identity serves as writer and retention" in told.message


def test_a_setting_that_names_another_tenant_than_the_tokens_is_reported():
    told = finding(examine(world(tenant_id=OTHER_TENANT)), "VaultTenant")
    assert not told.is_ok
    assert OTHER_TENANT in told.message
    assert VAULT_TENANT in told.message


def test_an_unknown_tenant_is_reported():
    vault = world()
    vault.memory.tenancy.identities.clear()
    assert finding(examine(vault), "VaultTenant").remedy == "set FLEXVAULT_TENANT_ID"


@pytest.mark.parametrize(("state", "is_ok"), [("Disabled", False), ("Unlocked", False), ("Locked", True)])
def test_only_a_lock_is_fine_and_it_does_not_decide_about_isolation(state: str, is_ok: bool):
    vault = elsewhere(role=AppRole.FRONT)
    vault.memory.tenancy.tenants[OTHER_SUBSCRIPTION] = OTHER_TENANT
    found = examine(vault, Immutability(state))
    assert finding(found, "Immutability").is_ok is is_ok
    assert found.is_isolated


def test_many_servers_are_counted_not_listed():
    vault = world()
    for number in range(7):
        server_id = f"{SERVER_ID}-{number}"
        vault.memory.servers.put(Server(id=server_id, name=f"pg-{number}", location="eastus", state="Ready"))
        protect(
            vault,
            server_id=server_id,
            instance_id=f"{vault.vault.settings.vault_resource_id}/backupInstances/pg-{number}",
            request_key=f"r{number}",
        )
    assert finding(examine(vault), "SourceSubscriptions").message.count("pg-") == 5
    assert "and 2 more" in finding(examine(vault), "SourceSubscriptions").message
