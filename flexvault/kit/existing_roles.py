"""Compare roles that the target has already with what the backup's plan would make of them.

One that is as planned is no obstacle: a second restore, of another database, finds the roles of the first.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from flexvault.domain.role_script import RoleStatement
from flexvault.domain.sql_text import quote_literal, statements
from flexvault.kit.client import Client
from flexvault.kit.comparison import Named
from flexvault.kit.known_errors import reason_of
from flexvault.kit.outcome import Outcome
from flexvault.kit.role_facts import RoleFacts, planned_facts, roles_of_server, without_grantors
from flexvault.kit.target import Target

OF_THE_ADMINISTRATOR: Final = frozenset({"REPLICATION", "BYPASSRLS", "CREATEDB"})
"""Attributes that from PostgreSQL 16 on only a role that has them gives."""
_TAKEN: Final = "flexvault: the server takes it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRoles:
    """Roles of the plan that are there already.

    Attributes:
        same: Are as planned: nothing is run for them.
        different: Role -> what differs, in words.
        lost: What a role that counts as the same has not, because this target takes it from nobody.
    """

    same: frozenset[str] = frozenset()
    different: Mapping[str, str] = field(default_factory=dict[str, str])
    lost: tuple[Outcome, ...] = ()


def look_at_roles(
    client: Client, target: Target, plan: Sequence[RoleStatement], roles: Collection[str]
) -> ExistingRoles:
    """Compare some roles of the target with a plan.

    Raises:
        ClientError: pg_dumpall was refused.
        MissingProgramError: It is not there.
    """
    if not roles:
        return ExistingRoles()
    planned, found = planned_facts(plan), roles_of_server(client)
    refused = _refused_settings(client, planned, found, roles)
    with_password = {item.role for item in plan if item.is_run and _sets_password(item)}
    different: dict[str, str] = {}
    lost: list[Outcome] = []
    for role in sorted(roles):
        ungiven = _not_given(target, planned, found, role)
        differences = [*_differences(planned, found, role, ungiven=ungiven, refused=refused)]
        if role in with_password:
            differences.append("its password, which --with-passwords asks for")
        if differences:
            different[role] = "; ".join(differences)
        elif ungiven:
            reason = f"not restored: {', '.join(sorted(ungiven))} (the administrator of the target has it not)"
            lost.append(Outcome(database="", kind="role", name=role, state="lost", reason=reason))
    same = frozenset(roles) - different.keys()
    lost += [outcome for named, outcome in refused.items() if planned.role_of[named] in same]
    return ExistingRoles(same=same, different=different, lost=tuple(lost))


def _differences(
    planned: RoleFacts, found: RoleFacts, role: str, *, ungiven: Collection[str], refused: Collection[Named]
) -> Iterator[str]:
    of_role = (named for named, whose in (planned.role_of | found.role_of).items() if whose == role)
    for named in sorted(of_role):
        one, other = planned.facts.get(named), found.facts.get(named)
        if one == other or named in refused or " in database " in named.name:
            continue
        if named.kind == "role":
            has, wants = found.attributes[role], planned.attributes[role]
            for name, value in wants.items():
                if has[name] != value and name not in ungiven:
                    yield f"{name.lower()} is {has[name]} instead of {value}"
        elif named.kind != "membership" or not one or not other or without_grantors(one) != without_grantors(other):
            yield f"{named} is {other or 'missing'} instead of {one}" if one else f"{named} is there"


def _not_given(target: Target, planned: RoleFacts, found: RoleFacts, role: str) -> frozenset[str]:
    """Name attributes that the role has not and that this administrator cannot give."""
    own = found.attributes.get(target.administrator, {})
    if target.is_superuser:
        return frozenset()
    return frozenset(
        name
        for name in OF_THE_ADMINISTRATOR
        if planned.attributes[role][name] == "yes" and found.attributes[role][name] == "no" and own.get(name) == "no"
    )


def _refused_settings(
    client: Client, planned: RoleFacts, found: RoleFacts, roles: Collection[str]
) -> dict[Named, Outcome]:
    """Try settings that are missing and take each back at once; answer those that the target takes from nobody."""
    missing = [
        named
        for named, role in planned.role_of.items()
        if named.kind == "setting" and role in roles and named not in found.facts and named in planned.statements
    ]
    tries = [
        f"DO {quote_literal(f'BEGIN {planned.statements[named]}; RAISE EXCEPTION {quote_literal(_TAKEN)}; END')}"
        for named in missing
    ]
    refused: dict[Named, Outcome] = {}
    for named, error in zip(missing, client.try_all(tries), strict=True):
        reason = reason_of("ROLE SETTING", error)
        if reason and _TAKEN not in error:
            name = planned.statements[named]
            refused[named] = Outcome(
                database="", kind="setting", name=name, state="refused", reason=f"{reason} ({error})"
            )
    return refused


def _sets_password(item: RoleStatement) -> bool:
    return "PASSWORD" in next(statements(item.sql or ""), ())
