"""Where a restore may write to, and whether it may begin there."""

import re
from collections.abc import Callable

from flexvault.domain.account_checks import AccountSettings
from flexvault.domain.container_url import account_name, is_azure_storage, is_under
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, NotFoundError, VaultError
from flexvault.domain.instance import RUNS_BACKUPS
from flexvault.ports import RestoreTarget
from flexvault.services import catalog
from flexvault.services.target_account import find_account_obstacles, name_obstacles, refuse_account
from flexvault.services.vault import Vault

FILE_PREFIX = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,99}")
SHOWN_BLOBS = 5
_ACCOUNT = re.compile(r"/providers/Microsoft\.Storage/storageAccounts/([^/]+)", re.IGNORECASE)


def require_prefix(prefix: str, target: str = "restoreTargetInfo.targetDetails.filePrefix") -> None:
    """Refuse a file prefix that cannot be part of a blob name.

    Args:
        prefix: What names of files shall begin with.
        target: Where the request has it.

    Raises:
        InvalidInputError: With what is allowed.
    """
    if not FILE_PREFIX.fullmatch(prefix):
        raise InvalidInputError(
            f"'{prefix}' is no file prefix: use 1 to 100 letters, digits, '-', '_' and '.', a letter or digit first",
            target=target,
            hint="choose another filePrefix, such as orders-2026-11-25",
        )


def require_target(
    vault: Vault, url: str, resource_id: str, allow_outside: Callable[[str], object]
) -> AccountSettings | None:
    """Refuse a container that may not be restored into, then probe it; until then no token goes there.

    Inside is a container whose account ARM shows to the control identity in a subscription of a protected server, or
    that a setting lists. Anything else on Azure Storage is outside: a critical operation. Another server would get the
    writer's token, so nobody can allow it but the setting.

    Args:
        vault: The vault.
        url: The container, in its one spelling.
        resource_id: ARM id of the account or the container, or empty.
        allow_outside: Called with why the container is outside; raises unless two people want it.

    Raises:
        NotAuthorizedError: code UserErrorRestoreTargetOutside, or the writer may not reach it; each setting of the
            account that may be why is a detail.
        InvalidInputError: It lies in an account of the vault itself, or in one that holds no block blobs.
        NotFoundError: There is no such container.
        VaultError: What `allow_outside` raised.

    Answers what ARM says of the account, or nothing when it does not show it.
    """
    _refuse_own_accounts(vault, url, resource_id)
    found = vault.ports.restore_target.find_account(url, resource_id)
    account_id = found.id if found else ""
    if not (_is_listed(vault, url) or _is_in_protected_subscription(vault, account_id)):
        if not account_id and not is_azure_storage(url):
            raise _outside(url, resource_id)
        allow_outside(_tell_outside(resource_id, account_id)[0])
    if found is not None:
        refuse_account(found)
    try:
        vault.ports.restore_target.probe(url, resource_id)
    except NotFoundError as error:
        hint = "create the container, or send the URL of one that exists"
        raise NotFoundError(error.message, code=error.code, target=url, hint=hint) from None
    except VaultError as error:
        if found is not None:
            name_obstacles(error, find_account_obstacles(vault, found))
        raise
    return found


def _outside(url: str, resource_id: str) -> NotAuthorizedError:
    why, hint = _tell_outside(resource_id, "")
    return NotAuthorizedError(
        f"the container '{url}' is not known to be inside, nor on Azure Storage: {why}",
        code="UserErrorRestoreTargetOutside",
        target=url,
        hint=f"{hint}, or list the container in the app setting FLEXVAULT_RESTORE_TARGETS",
    )


def _tell_outside(resource_id: str, account_id: str) -> tuple[str, str]:
    """Say why a container is outside, and what would put it inside."""
    if account_id:
        return (
            f"its account '{account_id}' is in no subscription of a protected server",
            "use an account in a subscription of a protected server",
        )
    if resource_id:
        hint = (
            "compare the two: targetResourceArmId must name the account that the URL, without its container, leads to, "
            "and the control identity needs Reader on it"
        )
        return f"ARM shows the control identity no account '{resource_id}' with that container's blob endpoint", hint
    return (
        "the request names no account for it",
        "send targetResourceArmId and give the control identity Reader on the account",
    )


def _is_listed(vault: Vault, url: str) -> bool:
    return any(is_under(url, allowed) for allowed in vault.settings.restore_targets)


def _is_in_protected_subscription(vault: Vault, account_id: str) -> bool:
    if not account_id:
        return False
    subscriptions = {
        instance.server_id.split("/")[2].lower()
        for instance in catalog.list_instances(vault.ports)
        if instance.state in RUNS_BACKUPS
    }
    return account_id.split("/")[2].lower() in subscriptions


def require_empty(target: RestoreTarget, url: str, prefix: str) -> None:
    """Refuse a target that holds files of the prefix (recovery option FailIfExists).

    Raises:
        InvalidInputError: code UserErrorTargetFilesExist; names the files.
    """
    blobs = [blob.name for blob in target.list_blobs(url, f"{prefix}_")]
    if blobs:
        raise InvalidInputError(
            f"the container '{url}' holds {len(blobs)} blob(s) of prefix '{prefix}': {', '.join(blobs[:SHOWN_BLOBS])}",
            code="UserErrorTargetFilesExist",
            target=url,
            hint="choose another filePrefix, or remove these blobs",
        )


def _refuse_own_accounts(vault: Vault, url: str, resource_id: str) -> None:
    """By both of their names: ARM may show the vault's own accounts, and an account has more than one endpoint."""
    own = (vault.settings.vault_blob_endpoint, vault.settings.landing_blob_endpoint)
    named = _ACCOUNT.search(resource_id)
    is_named = named is not None and named[1].lower() in {account_name(endpoint) for endpoint in own}
    if is_named or any(is_under(url, endpoint) for endpoint in own):
        subject = f"the account '{resource_id}' is one" if is_named else f"the container '{url}' lies in an account"
        raise InvalidInputError(
            f"{subject} of the vault itself",
            code="UserErrorRestoreTargetOutside",
            target=url,
            hint="restore into a container of your own",
        )
