"""The four roles of the door and what each includes."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Role(StrEnum):
    """App roles, as Entra puts them into a token's `roles`."""

    READER = "Backup.Reader"
    """See everything."""
    OPERATOR = "Backup.Operator"
    """Reader, and validate, back up and restore."""
    CONTRIBUTOR = "Backup.Contributor"
    """Operator, and change policies and protection."""
    APPROVER = "Backup.Approver"
    """Reader, and approve critical operations of others."""


_INCLUDED: Mapping[Role, frozenset[Role]] = {
    Role.READER: frozenset({Role.READER}),
    Role.OPERATOR: frozenset({Role.OPERATOR, Role.READER}),
    Role.CONTRIBUTOR: frozenset({Role.CONTRIBUTOR, Role.OPERATOR, Role.READER}),
    Role.APPROVER: frozenset({Role.APPROVER, Role.READER}),
}


def includes(held: Iterable[str], needed: Role) -> bool:
    """Say whether one of the roles that a token names includes the role that an operation needs.

    The roles of an approver and of a contributor do not add up to a third one: each is looked at alone. A role of
    another name counts for nothing.
    """
    known = {role.value: included for role, included in _INCLUDED.items()}
    return any(needed in known.get(role, frozenset()) for role in held)
