"""Deleting, bringing back and protecting versions of a vault account."""

from datetime import timedelta
from http import HTTPStatus

from local_cloud.storage_gateway import conditions, worm
from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.azurite import read_all
from local_cloud.storage_gateway.call import BlobKey, Call
from local_cloud.storage_gateway.config import BaseNameDelete
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.ledger import Version
from local_cloud.storage_gateway.problems import StorageError, blob_not_found, invalid_header, not_implemented
from local_cloud.storage_gateway.reads import find


async def delete_blob(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Delete the base name: the current version becomes a previous one, unless the switch refuses that.

    `BaseNameDelete` says what Microsoft's pages let one read. There are no snapshots, so x-ms-delete-snapshots changes
    nothing, and to delete them `only` is to delete nothing.
    """
    version = conditions.require_for_change(call.headers, gateway.ledger.current(call.key))
    if call.header("x-ms-delete-snapshots").lower() == "only":
        return _deleted()
    if gateway.base_name_delete is BaseNameDelete.REFUSE:
        worm.require_deletable(version, gateway.clock.policy_now())
    gateway.ledger.change(call.key, version, is_current=False)
    return _deleted()


async def delete_version(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Delete one version softly (soft-delete-blob-overview, "Blob soft delete and versioning").

    The current version is refused by its id: recorded in the tests of Azure's SDK for JavaScript ("delete a version").
    """
    if call.query.get("deletetype"):
        raise not_implemented("Delete Blob with deletetype", "allowPermanentDelete is false in infra/")
    version = conditions.require_for_change(call.headers, find(gateway.ledger, call))
    if version.is_current:
        message = "The specified operation is not allowed on root blob."
        raise StorageError(HTTPStatus.FORBIDDEN, "OperationNotAllowedOnRootBlob", message)
    worm.require_deletable(version, gateway.clock.policy_now())
    now = int(gateway.clock.policy_now().timestamp())
    gateway.ledger.change(call.key, version, deleted_at=now)
    await purge(gateway)
    return _deleted()


async def undelete_blob(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Bring back every soft-deleted version; none becomes the current one (soft-delete-blob-overview)."""
    versions = gateway.ledger.deleted(call.key)
    if not versions and gateway.ledger.current(call.key) is None:
        raise blob_not_found()
    for version in versions:
        gateway.ledger.change(call.key, version, deleted_at=None)
    return Answer()


async def purge(gateway: Gateway) -> None:
    """Remove for good what was soft-deleted longer ago than the account keeps it."""
    days = timedelta(days=gateway.config.soft_delete_days)
    for key, version in gateway.ledger.overdue(int((gateway.clock.policy_now() - days).timestamp())):
        await _remove(gateway, key, version)


async def _remove(gateway: Gateway, key: BlobKey, version: Version) -> None:
    if gateway.ledger.remove(key, version):
        response = await gateway.azurite.send_own("DELETE", key._replace(name=version.path))
        await read_all(response)


async def set_immutability_policy(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Set a version's policy; "This operation doesn't update the blob's ETag"."""
    version = conditions.require_for_change(call.headers, find(gateway.ledger, call))
    policy = worm.read_policy(call.headers, gateway.clock.policy_now())
    if policy is None:
        raise invalid_header(worm.UNTIL, "it is missing")
    worm.require_change_allowed(version, policy)
    changed = gateway.ledger.change(call.key, version, until=policy.until, mode=policy.mode)
    described = worm.describe(changed)
    return Answer(headers={name: described[name] for name in (worm.UNTIL, worm.MODE)})


async def delete_immutability_policy(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Remove a version's unlocked policy; whether the time has come does not matter."""
    version = find(gateway.ledger, call)
    worm.require_removal_allowed(version)
    gateway.ledger.change(call.key, version, until=None, mode="")
    return Answer()


async def set_legal_hold(gateway: Gateway, call: Call, _caller: Caller) -> Answer:
    """Set or clear a version's legal hold; the ETag stays (set-blob-legal-hold)."""
    version = find(gateway.ledger, call)
    hold = worm.read_hold(call.headers)
    if hold is None:
        raise invalid_header(worm.HOLD, "it is missing")
    gateway.ledger.change(call.key, version, legal_hold=hold)
    return Answer(headers={worm.HOLD: str(hold).lower()})


def _deleted() -> Answer:
    return Answer(status=HTTPStatus.ACCEPTED, headers={"x-ms-delete-type-permanent": "false"})
