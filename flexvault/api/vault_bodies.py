"""What a PUT or PATCH of the vault may change, read from its body."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from flexvault.domain.json_values import as_object
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.soft_delete import LONGEST_DAYS, SHORTEST_DAYS
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.domain.vault_tags import read_tags
from flexvault.services.vault_settings import VaultChange

TAGS = "tags"
IMMUTABILITY = "properties.securitySettings.immutabilitySettings.state"
SOFT_DELETE = "properties.securitySettings.softDeleteSettings.state"
SOFT_DELETE_DAYS = "properties.securitySettings.softDeleteSettings.retentionDurationInDays"
ALERTS = "properties.monitoringSettings.azureMonitorAlertSettings.alertsForAllJobFailures"
CHANGEABLE = (IMMUTABILITY, SOFT_DELETE, SOFT_DELETE_DAYS, ALERTS)


class _Switch(StrEnum):
    ENABLED = "Enabled"
    DISABLED = "Disabled"


def read_vault_change(body: Mapping[str, Any]) -> VaultChange:
    """Read what a client wants; a member that is missing or null leaves its setting as it is.

    Args:
        body: With canonical names, as `shapes.VAULT` gives them.

    Raises:
        InvalidInputError: Every mistake is a detail.
    """
    mistakes = Mistakes()
    alerts = _word(body, ALERTS, _Switch, mistakes)
    change = VaultChange(
        immutability=_word(body, IMMUTABILITY, Immutability, mistakes),
        soft_delete=_word(body, SOFT_DELETE, SoftDelete, mistakes),
        soft_delete_days=_days(body, mistakes),
        alerts_for_failures=None if alerts is None else alerts is _Switch.ENABLED,
        tags=None if body.get(TAGS) is None else read_tags(body[TAGS], mistakes),
    )
    mistakes.finish("vault")
    return change


def _word[Word: StrEnum](body: Mapping[str, Any], path: str, words: type[Word], mistakes: Mistakes) -> Word | None:
    value = _find(body, path, mistakes)
    if value is None:
        return None
    for word in words:
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    mistakes.wrong(path, f"must be {' or '.join(repr(word.value) for word in words)}")
    return None


def _days(body: Mapping[str, Any], mistakes: Mistakes) -> int | None:
    """Read a number of days, which Azure writes as 14.0."""
    value = _find(body, SOFT_DELETE_DAYS, mistakes)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and value == int(value) and SHORTEST_DAYS <= value <= LONGEST_DAYS:
        return int(value)
    mistakes.wrong(SOFT_DELETE_DAYS, f"must be a whole number of days from {SHORTEST_DAYS} to {LONGEST_DAYS}")
    return None


def _find(body: Mapping[str, Any], path: str, mistakes: Mistakes) -> Any:
    value: Any = body
    for member in path.split("."):
        holder = as_object(value)
        if holder is None:
            mistakes.wrong(path, f"what holds the member '{member}' is no object")
            return None
        value = holder.get(member)
        if value is None:
            return None
    return value
