"""The vault, its policies, instances and recovery points as Azure Backup shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flexvault.api.resource_ids import DELETED_TYPE, INSTANCE_TYPE, POINT_TYPE, POLICY_TYPE, VAULT_TYPE, ResourceIds
from flexvault.api.times import wire_time
from flexvault.domain import names
from flexvault.domain.instance import Instance, ProtectionState, RecoveryPoint, StoredPolicy
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.domain.vault_settings import VaultSettings
from flexvault.ports import VaultFacts
from flexvault.services.immutability import Policy
from flexvault.services.operations import provisioning_state
from flexvault.services.soft_delete import SoftDeletion


def show_vault(ids: ResourceIds, settings: VaultSettings, facts: VaultFacts) -> dict[str, Any]:
    """Show the vault itself; what Azure does not tell of its account or identity is left out, never guessed."""
    security: dict[str, Any] = {
        "softDeleteSettings": {
            "state": settings.soft_delete.value,
            "retentionDurationInDays": float(settings.soft_delete_days),
        },
        "immutabilitySettings": {"state": settings.immutability.value},
    }
    alerts = "Enabled" if settings.alerts_for_failures else "Disabled"
    monitoring = {"azureMonitorAlertSettings": {"alertsForAllJobFailures": alerts}}
    tags = dict(settings.tags)
    tenant = {"tenantId": facts.tenant_id} if facts.tenant_id else {}
    known_by = {"type": "SystemAssigned", "principalId": facts.principal_id, **tenant}
    redundancy = {"type": facts.redundancy} if facts.redundancy else {}
    return {
        "id": ids.vault,
        "name": ids.vault_name,
        "type": VAULT_TYPE,
        "location": ids.location,
        "tags": tags,
        **({"identity": known_by} if facts.principal_id else {}),
        "eTag": names.content_etag({"tags": tags, "securitySettings": security, "monitoringSettings": monitoring}),
        "properties": {
            "storageSettings": [{"datastoreType": "VaultStore", **redundancy}],
            "securitySettings": security,
            "monitoringSettings": monitoring,
            "provisioningState": "Succeeded",
            "resourceMoveState": "Unknown",
            "isVaultProtectedByResourceGuard": False,
            "replicatedRegions": [],
            "secureScore": "None",
            "bcdrSecurityLevel": "Poor",
        },
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


def show_deleted_instance(
    ids: ResourceIds, instance: Instance, deletion: SoftDeletion, gone_at: datetime
) -> dict[str, Any]:
    """Show a soft-deleted instance; its storage is paid for until the last of it is gone."""
    shown = show_instance(ids, instance)
    info = {
        "deletionTime": wire_time(deletion.deleted_at),
        "billingEndDate": wire_time(gone_at),
        "scheduledPurgeTime": wire_time(gone_at),
        "deleteActivityID": deletion.correlation_id,
    }
    # Beside the properties, where Azure's clients do not look: deletionInfo has no word for it.
    own = {
        "id": ids.deleted_instance(instance.name),
        "type": DELETED_TYPE,
        "undeleteUntil": wire_time(deletion.purge_at),
    }
    return {**shown, **own, "properties": {**shown["properties"], "deletionInfo": info}}


def show_point(
    ids: ResourceIds, instance: Instance, point: RecoveryPoint, policy: Policy | None = None
) -> dict[str, Any]:
    """Show a recovery point; its data store details carry size, manifest hash, and holds and policy, if any."""
    taken, expires = wire_time(point.recovery_point_time), wire_time(point.expiry_time)
    facts: dict[str, Any] = {"sizeInBytes": point.size_bytes, "manifestSha256": point.manifest_hash}
    facts |= {"holds": sorted(point.holds)} if point.holds else {}
    facts |= {"poisoningSuspected": True} if point.is_suspected else {}
    facts |= _show_verified(point)
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


def _show_verified(point: RecoveryPoint) -> dict[str, Any]:
    if point.verified_at is None:
        return {}
    verified = {"verified": point.verified_verdict, "verifiedAt": wire_time(point.verified_at)}
    return verified | ({"isGood": False} if point.is_broken else {})


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
    ProtectionState.SOFT_DELETED: "SoftDeleted",
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
