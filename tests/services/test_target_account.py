"""What a restore's account looks like to ARM: named where it stops the copy, and only where it may."""

from dataclasses import replace
from typing import Any

import pytest

from flexvault.domain.errors import InvalidInputError, NotAuthorizedError
from flexvault.services import catalog
from flexvault.services.requests import RestoreOrder, validate_restore
from tests.builders import INSTANCE_ID, SUBSCRIPTION, World, run_jobs
from tests.services.running import claimed

URL = "https://restore.example/mine"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/restore"


def sealed(**settings: Any) -> World:
    """A vault with a recovery point; ARM shows the restore account with these settings."""
    world = claimed()
    run_jobs(world)
    target = world.memory.restore_target
    target.visible_account_id = ACCOUNT
    target.settings = replace(target.settings, **settings)
    return world


def validate(world: World, resource_id: str = ACCOUNT) -> list[str]:
    point = catalog.list_points(world.vault.ports, world.instance().key)[0]
    order = RestoreOrder(
        instance_id=INSTANCE_ID,
        point_id=point.point_id,
        container_url=URL,
        file_prefix="again",
        target_resource_id=resource_id,
    )
    return [str(one["code"]) for one in validate_restore(world.vault, order)]


def test_a_plain_account_has_no_warnings():
    assert validate(sealed()) == []


def test_an_account_that_arm_does_not_show_is_told_once():
    assert validate(sealed(), resource_id="") == ["TargetNotReadable"]


def test_a_closed_network_that_lets_the_vault_in_is_no_warning():
    assert validate(sealed(public_network_access="Disabled", default_action="Deny")) == []


def test_a_closed_network_that_keeps_the_vault_out_is_named_with_the_commands():
    world = sealed(public_network_access="Disabled", default_action="Deny")
    world.memory.restore_target.refused.add("mine")
    with pytest.raises(NotAuthorizedError) as refused:
        validate(world)
    assert [detail.code for detail in refused.value.details] == ["TargetPublicNetworkDisabled", "TargetFirewallDenies"]
    assert f'az storage account update --ids "{ACCOUNT}" --default-action Allow' in refused.value.hint
    assert refused.value.hint.endswith('az role assignment create --role "Storage Blob Data Contributor"')


def test_an_open_account_that_refuses_the_writer_lacks_the_role_alone():
    world = sealed()
    world.memory.restore_target.refused.add("mine")
    with pytest.raises(NotAuthorizedError) as refused:
        validate(world)
    assert (refused.value.details, refused.value.hint) == (
        (),
        'az role assignment create --role "Storage Blob Data Contributor"',
    )


def test_an_account_without_block_blobs_is_refused_before_it_is_probed():
    world = sealed(kind="FileStorage", sku="Premium_LRS")
    with pytest.raises(InvalidInputError) as refused:
        validate(world)
    assert (refused.value.code, refused.value.target) == ("TargetHoldsNoBlockBlobs", ACCOUNT)
    assert world.memory.restore_target.probed == []


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        pytest.param("99999999-9999-4999-8999-999999999999", ["TargetRefusesOtherTenants"], id="another tenant"),
        pytest.param("00000000-0000-4000-8000-000000000001", [], id="the vault's own tenant"),
        pytest.param("", [], id="ARM does not say"),
    ],
)
def test_the_tenants_decide_whether_replication_between_them_matters(tenant: str, expected: list[str]):
    world = sealed(allows_cross_tenant_replication=False)
    if tenant:
        world.memory.tenancy.tenants[SUBSCRIPTION] = tenant
    assert validate(world) == expected


def test_a_restricted_source_of_copies_is_told():
    assert validate(sealed(copy_scope="PrivateLink")) == ["TargetRestrictsCopies"]
