"""Check a change of a backup instance before it is sent: what its PUT would answer."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain.instance import Instance
from flexvault.domain.protection_moves import require_configurable
from flexvault.services.policy_moves import find_weakenings
from flexvault.services.protection import LARGEST_INSTANCE, require_rights, validate_for_backup
from flexvault.services.sizes import require_small
from flexvault.services.vault import Vault


def validate_for_modify(
    vault: Vault, instance: Instance, policy_name: str, properties: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """Answer what to know before the instance is changed; nothing is changed and no approval is asked for.

    Args:
        vault: The vault.
        instance: As it is now.
        policy_name: The policy that it would be put under.
        properties: As a client would send them.

    Raises:
        VaultError: As the PUT would be refused, but for one that waits for an approval: that is a warning.
    """
    require_small(properties, "backup instance", instance.name, LARGEST_INSTANCE)
    require_configurable(instance)
    validated = validate_for_backup(vault, instance.server_id, policy_name, instance.key)
    require_rights(vault, validated.server)
    reasons = find_weakenings(vault, instance, validated.policy)
    if not reasons:
        return validated.warnings
    approval = {
        "code": "ApprovalRequired",
        "message": f"a second person must approve this change: {'; '.join(reasons)}",
        "remedy": "send it with PUT, which answers 403 with the id of the approval; have it approved, then send the "
        "same again",
        "resource": instance.id,
    }
    return (*validated.warnings, approval)
