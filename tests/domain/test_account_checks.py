"""Which settings of a storage account would stop a restore's copy, each with the command that changes it."""

from dataclasses import replace
from typing import Any

import pytest

from flexvault.domain.account_checks import AccountSettings, find_obstacles

ACCOUNT = AccountSettings(id="/acc", kind="StorageV2", sku="Standard_LRS", allows_cross_tenant_replication=False)
UPDATE = 'az storage account update --ids "/acc" '


@pytest.mark.parametrize(
    ("changes", "crosses_tenants", "code", "remedy"),
    [
        pytest.param(
            {"public_network_access": "Disabled"},
            False,
            "TargetPublicNetworkDisabled",
            f"{UPDATE}--public-network-access Enabled",
            id="public network disabled",
        ),
        pytest.param(
            {"public_network_access": "SecuredByPerimeter"},
            False,
            "TargetPublicNetworkDisabled",
            f"{UPDATE}--public-network-access Enabled",
            id="network perimeter",
        ),
        pytest.param(
            {"default_action": "Deny"}, False, "TargetFirewallDenies", f"{UPDATE}--default-action Allow", id="firewall"
        ),
        pytest.param(
            {"copy_scope": "PrivateLink"},
            False,
            "TargetRestrictsCopies",
            f"{UPDATE}--allowed-copy-scope AAD",
            id="copies by private link",
        ),
        pytest.param(
            {"copy_scope": "AAD", "allows_cross_tenant_replication": True},
            True,
            "TargetRestrictsCopies",
            "restore into an account of the vault's tenant, or take allowedCopyScope off it in the portal",
            id="copies of its own tenant",
        ),
        pytest.param(
            {},
            True,
            "TargetRefusesOtherTenants",
            f"{UPDATE}--allow-cross-tenant-replication true",
            id="another tenant",
        ),
    ],
)
def test_a_setting_is_named_with_the_command(changes: dict[str, Any], crosses_tenants: bool, code: str, remedy: str):
    [found] = find_obstacles(replace(ACCOUNT, **changes), crosses_tenants=crosses_tenants)
    assert (found.code, found.severity, found.subject, found.remedy) == (code, "Warning", "/acc", remedy)


@pytest.mark.parametrize(
    ("kind", "sku", "is_refused"),
    [
        pytest.param("StorageV2", "Standard_LRS", False, id="general purpose"),
        pytest.param("BlockBlobStorage", "Premium_LRS", False, id="premium block blobs"),
        pytest.param("BlobStorage", "Standard_GRS", False, id="blobs"),
        pytest.param("Storage", "Standard_LRS", False, id="version 1"),
        pytest.param("", "", False, id="not shown"),
        pytest.param("StorageV2", "Premium_LRS", True, id="premium page blobs"),
        pytest.param("FileStorage", "Premium_LRS", True, id="files"),
    ],
)
def test_an_account_without_block_blobs_is_refused(kind: str, sku: str, is_refused: bool):
    found = find_obstacles(replace(ACCOUNT, kind=kind, sku=sku), crosses_tenants=False)
    assert [(one.code, one.severity) for one in found] == [("TargetHoldsNoBlockBlobs", "Error")] * is_refused


def test_account_keys_and_settings_of_the_own_tenant_stop_nothing():
    assert find_obstacles(replace(ACCOUNT, allows_account_keys=False, copy_scope="AAD"), crosses_tenants=False) == []
