"""Change the vault's settings: each change is an entry of the vault's stream, and one that weakens needs two people."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.errors import ConflictError
from flexvault.domain.event_rows import seq_of
from flexvault.domain.events import Rows, settings_target
from flexvault.domain.vault_settings import (
    Immutability,
    SoftDelete,
    VaultSettings,
    find_weakenings,
    require_soft_delete_transition,
    require_transition,
)
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.journal import Draft, append
from flexvault.services.vault import Vault

VAULT_WRITE = "Microsoft.DataProtection/backupVaults/write"
GUARD_WRITE = "Microsoft.DataProtection/vault/poisoningGuard/write"
GUARD_PATH = "/vault/poisoningGuard"


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultChange:
    """What a person wants of the vault; nothing leaves a setting as it is."""

    immutability: Immutability | None = None
    soft_delete: SoftDelete | None = None
    soft_delete_days: int | None = None
    alerts_for_failures: bool | None = None
    tags: Mapping[str, str] | None = None
    """All of them, in place of those that are there."""


def change_vault(
    vault: Vault, change: VaultChange, actor: Mapping[str, str], *, before: VaultSettings | None = None
) -> VaultSettings:
    """Change several settings in one entry; what is so already changes nothing.

    Args:
        vault: The vault.
        change: What is wanted.
        actor: Who wants it.
        before: The settings as their preconditions were judged; nothing: as they are now.

    Raises:
        InvalidInputError: code UserErrorUnsupportedVaultImmutabilityStateChange, or
            UserErrorUnsupportedVaultSoftDeleteStateChange.
        ApprovalRequiredError: To take protection away needs a second person.
        ConflictError: Somebody else changed the settings meanwhile.
    """
    before = before or read_believed_settings(vault.ports)
    wanted: dict[str, Any] = {
        member.name: value for member in fields(change) if (value := getattr(change, member.name)) is not None
    }
    after = replace(before, **wanted)
    require_transition(before.immutability, after.immutability)
    require_soft_delete_transition(before.soft_delete, after.soft_delete)
    told = _show(before)
    changed = {name: value for name, value in _show(after).items() if value != told[name]}
    order = _Order(operation=VAULT_WRITE, path=vault.settings.vault_resource_id.lower(), body=changed, actor=actor)
    return _change(vault, before, after, order)


def set_poisoning_guard(vault: Vault, *, is_on: bool, actor: Mapping[str, str]) -> VaultSettings:
    """Turn the poisoning guard on or off; what it is already changes nothing.

    Raises:
        ApprovalRequiredError: To turn it off needs a second person.
        ConflictError: Somebody else changed the settings meanwhile.
    """
    before = read_believed_settings(vault.ports)
    body = {"state": "On" if is_on else "Off"}
    order = _Order(operation=GUARD_WRITE, path=GUARD_PATH, body=body, actor=actor)
    return _change(vault, before, replace(before, is_poisoning_guarded=is_on), order)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """Who asks for what."""

    operation: str
    path: str
    body: Mapping[str, Any]
    actor: Mapping[str, str]


def _change(vault: Vault, before: VaultSettings, after: VaultSettings, order: _Order) -> VaultSettings:
    if after == before:
        return before
    weakenings = find_weakenings(before, after)
    body: dict[str, Any] = {"settings": after.to_json(), "before": before.to_json()}
    approval_id = ""
    if weakenings:
        approval_id = require_approval(vault, _critical(before, after, weakenings, order)).id
        body["approval_id"] = approval_id

    def check(rows: Rows) -> None:
        if seq_of(rows[settings_target()]) != before.journal_seq:
            raise ConflictError(
                "the vault's settings were changed by somebody else",
                target=order.path,
                hint="read the vault again, then send the change",
            )
        if approval_id:
            check_unused(rows, approval_id, vault.ports.clock.storage_now())

    # Named by the state that it replaces: the same change of the same state is one event.
    key = names.sha256_hex(names.canonical_json([before.journal_seq, body]))
    append(
        vault.ports,
        Draft(
            stream=blob_names.VAULT_STREAM,
            type="VaultChanged",
            key=key,
            body={**body, "after": after.to_json()},
            actor=order.actor,
            check=check,
        ),
    )
    return read_believed_settings(vault.ports)


def _critical(
    before: VaultSettings, after: VaultSettings, weakenings: tuple[str, ...], order: _Order
) -> CriticalChange:
    told, becomes = _show(before), _show(after)
    if before.tags == after.tags:
        # With all that ARM allows they would not fit into the approval's row: then no setting could be weakened.
        del told["tags"], becomes["tags"]
    return CriticalChange(
        operation=order.operation,
        path=order.path,
        body=order.body,
        actor=order.actor,
        target=settings_target(),
        target_seq=before.journal_seq,
        reasons=weakenings,
        before=told,
        after=becomes,
    )


def _show(settings: VaultSettings) -> dict[str, Any]:
    """Say the settings to the second person in the API's words."""
    return {
        "immutability": settings.immutability.value,
        "softDelete": settings.soft_delete.value,
        "softDeleteDays": settings.soft_delete_days,
        "alertsForAllJobFailures": "Enabled" if settings.alerts_for_failures else "Disabled",
        "tags": dict(settings.tags),
        "poisoningGuard": "On" if settings.is_poisoning_guarded else "Off",
    }
