"""Store, change and delete backup policies: every change is a journal entry first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flexvault.domain import blob_names, names
from flexvault.domain.approval import Approval
from flexvault.domain.errors import ConflictError, InvalidInputError, PreconditionFailedError
from flexvault.domain.event_rows import policy_target, seq_of
from flexvault.domain.events import Rows
from flexvault.domain.instance import StoredPolicy
from flexvault.domain.policy import POLICY_NAME, Policy, parse_policy
from flexvault.domain.policy_change import find_weakenings_of
from flexvault.domain.rows import Row
from flexvault.domain.zones import zone_name
from flexvault.services import catalog
from flexvault.services.approvals import CriticalChange, check_unused, require_approval
from flexvault.services.journal import Draft, append, find_row
from flexvault.services.sizes import require_small
from flexvault.services.vault import Vault

LARGEST_POLICY = 24_000
POLICY_WRITE = "Microsoft.DataProtection/backupVaults/backupPolicies/write"


def put_policy(
    vault: Vault,
    name: str,
    properties: Any,
    actor: Mapping[str, str],
    *,
    if_match: str | None = None,
    is_new: bool = False,
) -> StoredPolicy:
    """Create or change a policy; an identical one changes nothing.

    Raises:
        InvalidInputError: The name or the policy is wrong; every mistake is a detail.
        PreconditionFailedError: The policy is not the one that `if_match` names, or there is one and `is_new`.
        ApprovalRequiredError: A backup instance follows the policy and the change weakens it.
        ConflictError: Somebody else changed it, or put an instance under it, meanwhile.
    """
    require_small(properties, "policy", name, LARGEST_POLICY)
    policy = _read_policy(name, properties)
    row = find_row(vault.ports, policy_target(name))
    old = StoredPolicy.from_values(row.values) if row is not None and not row.values.get("is_deleted") else None
    _require_match(name, old, if_match)
    if is_new and old is not None:
        text = f"the policy '{name}' was created meanwhile, and If-None-Match forbids to change it"
        raise PreconditionFailedError(text, target=name, hint="read it, then decide")
    if old is not None and old.properties == properties:
        return old
    users = [] if old is None else catalog.list_policy_users(vault.ports, old.name)
    approval = _require_approval(vault, old, users, properties, actor) if old is not None and users else None
    body = {
        "name": old.name if old else name,
        "properties": properties,
        "schedule_changed": old is None or _find_schedule(old) != _schedule(policy),
        "before": None if old is None else old.properties,
        **({"approval_id": approval.id} if approval else {}),
    }
    draft = _draft("PolicyChanged", row, body, actor, after=properties)

    def check(rows: Rows) -> None:
        # After the head: an instance that came since then has an entry of its own, and this one is decided anew.
        draft.check(rows)
        if approval is not None:
            check_unused(rows, approval.id, vault.ports.clock.storage_now())
        elif old is not None and not users and catalog.list_policy_users(vault.ports, name):
            text = f"the policy '{name}' came into use meanwhile"
            raise ConflictError(text, target=name, hint="send it again: it is looked at anew")

    append(vault.ports, replace(draft, check=check))
    return catalog.get_policy(vault.ports, name)


def _require_match(name: str, old: StoredPolicy | None, if_match: str | None) -> None:
    if if_match is not None and (old is None or policy_etag(old) != if_match):
        raise PreconditionFailedError(
            f"the policy '{name}' is not the one that If-Match names",
            target=name,
            hint="read it again, then send the change",
        )


def _require_approval(
    vault: Vault, old: StoredPolicy, users: Sequence[str], properties: Any, actor: Mapping[str, str]
) -> Approval | None:
    """Answer the approval of a change of a policy in force; nothing where the change weakens nothing.

    Raises:
        ApprovalRequiredError: It must be approved first.
    """
    taken = catalog.oldest_taken_slot(vault.ports, old.name)
    weakenings = find_weakenings_of(old.properties, properties, vault.ports.clock.storage_now(), taken)
    if not weakenings:
        return None
    in_force = f"the policy is in force for {len(users)} backup instance(s): {', '.join(users[:5])}"
    change = CriticalChange(
        operation=POLICY_WRITE,
        path=f"{vault.settings.vault_resource_id}/backupPolicies/{old.name}".lower(),
        body=properties,
        actor=actor,
        target=policy_target(old.name),
        target_seq=old.journal_seq,
        reasons=(*weakenings, in_force),
        before=old.properties,
        after=properties,
    )
    return require_approval(vault, change)


def _read_policy(name: str, properties: Any) -> Policy:
    if POLICY_NAME.fullmatch(name):
        return parse_policy(properties)
    wrong_name = InvalidInputError(
        f"'{name}' is no policy name: use 3 to 150 letters, digits and dashes",
        target="backupPolicyName",
        hint="send the policy under another name",
    )
    try:
        parse_policy(properties)
    except InvalidInputError as error:
        text = f"{wrong_name.message}; {error.message}"
        raise InvalidInputError(text, hint=error.hint, details=(wrong_name, *error.details)) from None
    raise wrong_name


def delete_policy(vault: Vault, name: str, actor: Mapping[str, str], *, if_match: str | None = None) -> bool:
    """Delete a policy that no instance uses; answers whether there was one.

    Raises:
        PreconditionFailedError: The policy is not the one that `if_match` names.
        InvalidInputError: code UserErrorDppPolicyObjectInUse.
    """
    row = find_row(vault.ports, policy_target(name))
    if row is None or row.values.get("is_deleted"):
        return False
    old = StoredPolicy.from_values(row.values)
    _require_match(name, old, if_match)
    draft = _draft("PolicyDeleted", row, {"name": old.name, "before": old.properties}, actor, after=None)

    def check(rows: Rows) -> None:
        # After the head: an instance that came since then has an entry of its own, and this one is decided anew.
        draft.check(rows)
        _require_unused(vault, name)

    append(vault.ports, replace(draft, check=check))
    return True


def _require_unused(vault: Vault, name: str) -> None:
    users = catalog.list_policy_users(vault.ports, name)
    if users:
        raise InvalidInputError(
            f"the policy '{name}' is used by {len(users)} backup instance(s): {', '.join(users[:5])}",
            code="UserErrorDppPolicyObjectInUse",
            target=name,
            hint="put these instances under another policy first; a soft-deleted one holds it until its data are gone",
        )


def policy_etag(policy: StoredPolicy) -> str:
    """Answer the ETag of what a client may set."""
    return names.content_etag({"properties": policy.properties})


def _draft(kind: str, row: Row | None, body: Mapping[str, Any], actor: Mapping[str, str], *, after: Any) -> Draft:
    """An event on a policy is named by the state that it replaces: the same change of the same state is one event."""
    base = seq_of(row)

    def check(rows: Rows) -> None:
        if seq_of(rows[policy_target(str(body["name"]))]) != base:
            raise ConflictError(
                f"the policy '{body['name']}' was changed by somebody else",
                target=str(body["name"]),
                hint="read it again",
            )

    key = names.sha256_hex(names.canonical_json([base, body]))
    told = {**body, "after": after}  # not in the key: entries of an earlier version have no such member
    return Draft(stream=blob_names.VAULT_STREAM, type=kind, key=key, body=told, actor=actor, check=check)


def _find_schedule(old: StoredPolicy) -> Any:
    """Answer the schedule of a stored policy; nothing when this version does not understand it."""
    try:
        return _schedule(parse_policy(old.properties))
    except InvalidInputError:
        return None


def _schedule(policy: Policy) -> Any:
    return (frozenset(policy.intervals), zone_name(policy.zone))
