"""Restore a recovery point as files, and check whether it could be."""

from collections.abc import Mapping
from typing import Any

from flexvault.api import shapes
from flexvault.api.backups import accept_job
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.checks import run_check
from flexvault.api.instances import body_references, find_named
from flexvault.api.points import require_point_id
from flexvault.api.resource_ids import is_resource_id
from flexvault.domain.instance import Instance
from flexvault.domain.restored_files import MOST_DATABASES
from flexvault.services.requests import RestoreOrder, restore_point
from flexvault.services.requests import validate_restore as check_restore
from flexvault.services.restore_outlines import OutlinedRestore

RECOVERY_POINT_BASED = "AzureBackupRecoveryPointBasedRestoreRequest"
_CHOOSE = (
    "names a data source and no container, so it cannot say where files go: send 'RestoreFilesTargetInfo' and choose "
    "by its member 'databases', a list of exact names"
)


def restore(call: Call) -> Answer:
    """Claim a restore; the operation has ended, the job goes on."""
    instance = find_named(call)
    body = call.body(shapes.RESTORE)
    order = _read_order(instance, body, "restoreRequest")
    with body_references():
        require_point_id(instance, order.point_id)
        claimed = restore_point(call.vault, order, call.request_key(body), actor=call.actor())
    return accept_job(call, instance, claimed)


def validate_restore(call: Call) -> Answer:
    """Check whether a restore could begin, and keep the verdict as an operation that has ended."""
    instance = find_named(call)
    body = call.body(shapes.VALIDATE_RESTORE)
    order = _read_order(instance, body.get("restoreRequestObject"), "restoreRequestObject")

    def check() -> tuple[Mapping[str, Any], ...]:
        require_point_id(instance, order.point_id)
        return check_restore(call.vault, order)

    outlined = OutlinedRestore(
        instance=instance.key,
        point_id=order.point_id.replace("-", "").lower(),
        file_prefix=order.file_prefix,
        databases=order.databases,
    )
    return run_check(call, body, check, resource_id=instance.id, restore=outlined.to_json)


def _read_order(instance: Instance, request: Any, path: str) -> RestoreOrder:
    reader = Reader(request, path)
    reader.expect("objectType", RECOVERY_POINT_BASED)
    point_id = reader.text("recoveryPointId")
    reader.expect("sourceDataStoreType", "VaultStore")
    target = reader.inner("restoreTargetInfo")
    if target.is_word("objectType", "ItemLevelRestoreTargetInfo"):
        target.wrong(f"{path}.restoreTargetInfo.objectType", _CHOOSE)
    else:
        target.expect("objectType", "RestoreFilesTargetInfo")
    target.expect("recoveryOption", "FailIfExists")
    details = target.inner("targetDetails")
    details.expect("restoreTargetLocationType", "AzureBlobs")
    order = RestoreOrder(
        instance_id=instance.id,
        point_id=point_id,
        container_url=details.text("url"),
        file_prefix=details.text("filePrefix"),
        target_resource_id=details.text("targetResourceArmId", optional=True),
        databases=target.names("databases", MOST_DATABASES),
    )
    if order.target_resource_id and not is_resource_id(order.target_resource_id):
        details.wrong(
            f"{path}.restoreTargetInfo.targetDetails.targetResourceArmId", f"'{order.target_resource_id}' is no ARM id"
        )
    reader.finish("restore request")
    return order
