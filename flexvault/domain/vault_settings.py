"""What holds for the whole vault and is changed by people: each change is an entry of the vault's stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """The vault's settings; a vault whose settings were never changed has these."""

    immutability: Immutability = Immutability.UNLOCKED
    is_poisoning_guarded: bool = True
    """Whether a backup that lost much holds back the expiry of its server's points."""
    journal_seq: int = 0
    """Number of the entry that made them so; 0 before the first change."""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "VaultSettings":
        """Read the row."""
        return cls(
            immutability=Immutability(values["immutability"]),
            is_poisoning_guarded=bool(values["is_poisoning_guarded"]),
            journal_seq=int(values["journal_seq"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write them for an entry, under the names of the row's members."""
        return {"immutability": self.immutability.value, "is_poisoning_guarded": self.is_poisoning_guarded}
