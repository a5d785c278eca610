"""What holds for the whole vault and is changed by people: each change is an entry of the vault's stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.soft_delete import SHORTEST_DAYS


class Immutability(StrEnum):
    """Azure Backup's states of a vault's immutability.

    Source: https://learn.microsoft.com/azure/backup/backup-azure-immutable-vault-concept
    """

    DISABLED = "Disabled"
    """Storage lets whoever may delete do so."""
    UNLOCKED = "Unlocked"
    """Every recovery point gets a policy until its expiry, which the control identity could still remove."""
    LOCKED = "Locked"
    """The policies can be made longer, by nobody shorter, and this state can never be left."""


class SoftDelete(StrEnum):
    """Azure Backup's states of a vault's soft delete.

    Source: https://learn.microsoft.com/azure/backup/secure-by-default
    """

    OFF = "Off"
    """An approved deletion begins at once."""
    ON = "On"
    """Nothing of a deleted backup instance is deleted for some days, in which it can be undeleted."""
    ALWAYS_ON = "AlwaysOn"
    """The same, and this state can never be left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """The vault's settings; a vault whose settings were never changed has these."""

    immutability: Immutability = Immutability.UNLOCKED
    is_poisoning_guarded: bool = True
    """Whether a backup that lost much holds back the expiry of its server's points."""
    soft_delete: SoftDelete = SoftDelete.ON
    soft_delete_days: int = SHORTEST_DAYS
    """Kept also while soft delete is off."""
    alerts_for_failures: bool = True
    """Whether a job that failed is an alert."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """What people call the vault by; the journal alone keeps them."""
    journal_seq: int = 0
    """Number of the entry that made them so; 0 before the first change."""

    @property
    def days_deleted_softly(self) -> int:
        """Answer how many days a deletion is soft; 0 where it is not."""
        return 0 if self.soft_delete is SoftDelete.OFF else self.soft_delete_days

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "VaultSettings":
        """Read the row, or an entry's settings; what a version before this one did not write has its default."""
        return cls(
            immutability=Immutability(values["immutability"]),
            is_poisoning_guarded=bool(values["is_poisoning_guarded"]),
            soft_delete=SoftDelete(values.get("soft_delete", SoftDelete.ON)),
            soft_delete_days=int(values.get("soft_delete_days", SHORTEST_DAYS)),
            alerts_for_failures=bool(values.get("alerts_for_failures", True)),
            tags={str(name): str(value) for name, value in dict(values.get("tags", {})).items()},
            journal_seq=int(values["journal_seq"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write them for an entry, under the names of the row's members."""
        return {
            "immutability": self.immutability.value,
            "is_poisoning_guarded": self.is_poisoning_guarded,
            "soft_delete": self.soft_delete.value,
            "soft_delete_days": self.soft_delete_days,
            "alerts_for_failures": self.alerts_for_failures,
            "tags": dict(self.tags),
        }


def require_transition(before: Immutability, after: Immutability) -> None:
    """Refuse a change of the immutability's state that Azure Backup does not have either.

    Disabled and Unlocked lead to one another, Unlocked leads to Locked, and nothing leads out of Locked.
    Source: https://learn.microsoft.com/azure/backup/backup-azure-immutable-vault-how-to-manage; the code is what a
    Recovery Services vault answers: https://github.com/Azure/azure-cli/issues/27785.

    Raises:
        InvalidInputError: code UserErrorUnsupportedVaultImmutabilityStateChange.
    """
    if before is after or (before, after) in _TRANSITIONS:
        return
    if before is Immutability.LOCKED:
        text, hint = (
            f"the vault's immutability is Locked and cannot become {after}: a locked vault can never be unlocked again",
            "leave it as it is; what must be kept less long needs another vault",
        )
    else:
        text, hint = (
            f"the vault's immutability is {before} and cannot become {after} at once",
            "make it Unlocked first and look at what it does to your retention; Locked can never be taken back",
        )
    raise InvalidInputError(
        text,
        code="UserErrorUnsupportedVaultImmutabilityStateChange",
        target="properties.securitySettings.immutabilitySettings.state",
        hint=hint,
    )


_TRANSITIONS = frozenset(
    {
        (Immutability.DISABLED, Immutability.UNLOCKED),
        (Immutability.UNLOCKED, Immutability.DISABLED),
        (Immutability.UNLOCKED, Immutability.LOCKED),
    }
)


def require_soft_delete_transition(before: SoftDelete, after: SoftDelete) -> None:
    """Refuse to leave AlwaysOn, which Azure Backup does not have either; the code is made like immutability's.

    Raises:
        InvalidInputError: code UserErrorUnsupportedVaultSoftDeleteStateChange.
    """
    if before is SoftDelete.ALWAYS_ON and after is not before:
        raise InvalidInputError(
            f"the vault's soft delete is AlwaysOn and cannot become {after}: always-on soft delete is never disabled",
            code="UserErrorUnsupportedVaultSoftDeleteStateChange",
            target="properties.securitySettings.softDeleteSettings.state",
            hint="leave it as it is; what must be deleted at once needs another vault",
        )


def find_weakenings(before: VaultSettings, after: VaultSettings) -> tuple[str, ...]:
    """Say in sentences what a change takes away from the vault's protection; nothing when it takes nothing."""
    weakenings: list[str] = []
    if before.immutability is not Immutability.DISABLED and after.immutability is Immutability.DISABLED:
        weakenings.append(
            "it disables the vault's immutability: from then on storage lets whoever may delete recovery points do so"
        )
    if before.is_poisoning_guarded and not after.is_poisoning_guarded:
        weakenings.append(
            "it turns the poisoning guard off: a backup that lost most of its data or its databases holds back the "
            "expiry of the good ones no more"
        )
    if before.days_deleted_softly and not after.days_deleted_softly:
        weakenings.append(
            "it turns soft delete off: from then on an approved deletion of a backup instance begins at once and "
            "cannot be taken back"
        )
    elif after.days_deleted_softly < before.days_deleted_softly:
        weakenings.append(
            f"it shortens soft delete to {after.soft_delete_days} days, {before.soft_delete_days} before: what is "
            "deleted from then on is gone so much sooner"
        )
    return tuple(weakenings)
