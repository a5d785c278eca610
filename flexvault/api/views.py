"""The vault, its policies, instances and recovery points as Azure Backup shows them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flexvault.api.resource_ids import INSTANCE_TYPE, POINT_TYPE, POLICY_TYPE, VAULT_TYPE, ResourceIds
from flexvault.api.times import wire_time
from flexvault.domain import names
from flexvault.domain.instance import Instance, ProtectionState, RecoveryPoint, StoredPolicy
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.domain.vault_settings import VaultSettings
from flexvault.services.immutability import Policy
from flexvault.services.operations import provisioning_state


def show_vault(ids: ResourceIds, settings: VaultSettings) -> dict[str, Any]:
    """Show the vault itself; its security settings are those that this version has."""
    properties: dict[str, Any] = {
        "storageSettings": [],
        "securitySettings": {
            "softDeleteSettings": {"state": "Off", "retentionDurationInDays": 14.0},
            "immutabilitySettings": {"state": settings.immutability.value},
        },
        "provisioningState": "Succeeded",
        "resourceMoveState": "Unknown",
        "isVaultProtectedByResourceGuard": False,
        "replicatedRegions": [],
        "secureScore": "None",
        "bcdrSecurityLevel": "Poor",
    }
    return {
        "id": ids.vault,
        "name": ids.vault_name,
        "type": VAULT_TYPE,
        "location": ids.location,
        "eTag": names.content_etag(properties),
        "properties": properties,
    }


def show_policy(ids: ResourceIds, policy: StoredPolicy) -> dict[str, Any]:
    """Show a policy as it was sent, with the ids of its tags."""
    properties = dict(policy.properties)
    properties["policyRules"] = [_with_tag_ids(rule) for rule in properties["policyRules"]]
    return {"id": ids.policy(policy.name), "name": policy.name, "type": POLICY_TYPE, "properties": properties}


def show_instance(ids: ResourceIds, instance: Instance) -> dict[str, Any]:
    """Show a backup instance: what the client sent and what became of it."""
    sent = instance.properties
    lacks_rights = instance.rights is not None and instance.state is ProtectionState.CONFIGURED
    error = instance.error or (instance.rights["error"] if instance.rights is not None and lacks_rights else None)
    policy_info = {**sent.get("policyInfo", {}), "policyId": ids.policy(instance.policy_name)}
    properties: dict[str, Any] = {
        **sent,
        "objectType": "BackupInstance",
        "friendlyName": instance.friendly_name,
        "dataSourceInfo": sent.get("dataSourceInfo") or _source_of(instance),
        # Clients read policyParameters without asking whether it is there.
        "policyInfo": {"policyParameters": None, **policy_info, "policyVersion": ""},
        "protectionStatus": {"status": _PROTECTION_STATUS[instance.state], "errorDetails": error},
        "currentProtectionState": "ProtectionError" if lacks_rights else instance.state.value,
        "protectionErrorDetails": error,
        "provisioningState": provisioning_state(instance.state),
    }
    return {"id": instance.id, "name": instance.name, "type": INSTANCE_TYPE, "properties": properties}


def show_point(
    ids: ResourceIds, instance: Instance, point: RecoveryPoint, policy: Policy | None = None
) -> dict[str, Any]:
    """Show a recovery point; its data store details carry size, manifest hash, and holds and policy, if any."""
    taken, expires = wire_time(point.recovery_point_time), wire_time(point.expiry_time)
    facts: dict[str, Any] = {"sizeInBytes": point.size_bytes, "manifestSha256": point.manifest_hash}
    facts |= {"holds": sorted(point.holds)} if point.holds else {}
    facts |= {"poisoningSuspected": True} if point.is_suspected else {}
    facts |= {"immutableUntil": wire_time(policy.until), "immutability": policy.mode} if policy else {}
    details: dict[str, Any] = {
        "id": str(UUID(hex=point.point_id)),
        "type": "VaultStore",
        "creationTime": taken,
        "expiryTime": expires,
        "metaData": names.canonical_json(facts).decode(),
        "visible": True,
        "state": "COMMITTED",
        "rehydrationExpiryTime": None,
        "rehydrationStatus": None,
    }
    properties: dict[str, Any] = {
        "objectType": "AzureBackupDiscreteRecoveryPoint",
        "recoveryPointId": point.point_id,
        "recoveryPointTime": taken,
        "recoveryPointType": "Full",
        "friendlyName": instance.friendly_name,
        "retentionTagName": point.tag,
        "retentionTagVersion": str(point.policy_seq),
        "policyName": point.policy_name,
        "policyVersion": None,
        "expiryTime": expires,
        "recoveryPointState": "Completed",
        "recoveryPointDataStoresDetails": [details],
    }
    own_id = f"{ids.instance(instance.name)}/recoveryPoints/{point.point_id}"
    return {"id": own_id, "name": point.point_id, "type": POINT_TYPE, "properties": properties}


_PROTECTION_STATUS: Mapping[ProtectionState, str] = {
    ProtectionState.CONFIGURING: "ConfiguringProtection",
    ProtectionState.CONFIGURED: "ProtectionConfigured",
    ProtectionState.FAILED: "ConfiguringProtectionFailed",
    # This member has no word for an update; a client that waits for ProtectionConfigured goes on waiting.
    ProtectionState.UPDATING: "ConfiguringProtection",
    # Nor one for a suspension: Azure's own documents call it stopped with the data retained as per policy.
    ProtectionState.SUSPENDED: "ProtectionStopped",
    ProtectionState.STOPPED: "ProtectionStopped",
    ProtectionState.DELETING: "SoftDeleting",
}


def _with_tag_ids(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill the read-only id of every tag: `Default_` for `Default`."""
    trigger = rule.get("trigger")
    if not trigger:
        return rule
    criteria = [
        {**criterion, "tagInfo": {**criterion["tagInfo"], "id": f"{criterion['tagInfo']['tagName']}_"}}
        for criterion in trigger["taggingCriteria"]
    ]
    return {**rule, "trigger": {**trigger, "taggingCriteria": criteria}}


def _source_of(instance: Instance) -> dict[str, Any]:
    return {
        "resourceID": instance.server_id,
        "resourceUri": "",
        "datasourceType": DATASOURCE_TYPE,
        "resourceName": instance.server_name,
        "resourceType": DATASOURCE_TYPE,
        "resourceLocation": instance.server_location,
        "objectType": "Datasource",
    }
