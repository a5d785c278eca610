"""Storage accounts: get, and revoke the keys with which user delegation SAS are signed.

Source of the revocation: `StorageAccounts_RevokeUserDelegationKeys` of Microsoft.Storage, which answers 200 without a
body. It needs a right of its own, which Owner and Contributor hold and no role of the data plane does.
"""

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from local_cloud.arm_emulator import ledger
from local_cloud.arm_emulator.problems import ArmError
from local_cloud.arm_emulator.resources import StorageAccount
from local_cloud.arm_emulator.routing import ACCOUNT, SUBSCRIPTION, Answer, Call, Operation
from local_cloud.arm_emulator.views import storage_account_view
from local_cloud.files import write_atomically

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator


READ = "Microsoft.Storage/storageAccounts/read"


def write_revoked_keys(emulator: "Emulator") -> None:
    """Tell storage, by its file, since when the keys of each account count: `{account: ISO time}`.

    The ledger is what is true; a start writes the file again, so that none is lost.
    """
    path = emulator.config.revoked_keys_file
    if path is None:
        return
    revoked = {event["account"]: event["at"] for event in emulator.ledger.events(ledger.KEYS_REVOKED)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(revoked, indent=2))


def _account_of(emulator: "Emulator", call: Call) -> StorageAccount:
    return emulator.inventory.get_storage_account(
        call.params["subscription"], call.params["group"], call.params["account"]
    )


def _get_storage_account(emulator: "Emulator", call: Call) -> Answer:
    return Answer(body=storage_account_view(_account_of(emulator, call)))


def _list_storage_accounts(emulator: "Emulator", call: Call) -> Answer:
    """List what the caller may read, as `az storage account list` shows it to whoever has a role on a group alone."""
    subscription = emulator.inventory.get_subscription(call.params["subscription"])
    shown: list[dict[str, Any]] = []
    for account in emulator.inventory.storage_accounts_under(subscription.resource_id):
        with suppress(ArmError):
            emulator.access.require(call.principal, READ, account.resource_id)
            shown.append(storage_account_view(account))
    return Answer(body={"value": shown})


def _revoke_keys(emulator: "Emulator", call: Call) -> Answer:
    account = _account_of(emulator, call)
    with emulator.revocations:
        emulator.ledger.append(ledger.KEYS_REVOKED, account=account.name, accountId=account.resource_id)
        write_revoked_keys(emulator)
    return Answer(status=HTTPStatus.OK)


OPERATIONS = (
    Operation(
        name="StorageAccounts_List",
        method="GET",
        path=f"{SUBSCRIPTION}/providers/Microsoft.Storage/storageAccounts",
        handler=_list_storage_accounts,
        action=None,
    ),
    Operation(
        name="StorageAccounts_GetProperties",
        method="GET",
        path=ACCOUNT,
        handler=_get_storage_account,
        action=READ,
        scope=ACCOUNT,
    ),
    Operation(
        name="StorageAccounts_RevokeUserDelegationKeys",
        method="POST",
        path=f"{ACCOUNT}/revokeUserDelegationKeys",
        handler=_revoke_keys,
        action="Microsoft.Storage/storageAccounts/revokeUserDelegationKeys/action",
        scope=ACCOUNT,
    ),
)
