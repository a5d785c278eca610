"""Find roles that are there already and that the administrator may not change: another one made them."""

import json
import shlex
from collections.abc import Iterator
from typing import Final

from flexvault.domain.errors import VaultError
from flexvault.domain.sql_text import one_line, quote_literal
from flexvault.kit.client import Client
from flexvault.kit.finding import Finding, problem
from flexvault.kit.roles import Roles, granted_role, is_in_database
from flexvault.kit.target import Target

_FIRST_WITH_ADMIN_NEEDED: Final = 16


def check_role_rights(client: Client, target: Target, roles: Roles) -> Iterator[Finding]:
    """Find the roles that the plan would change, or grant to others, and that this administrator may not.

    Up to PostgreSQL 15 CREATEROLE is enough for all but superusers; from 16 on it needs ADMIN OPTION on the role.
    """
    if target.is_superuser:
        return
    run = [
        item for item in roles.plan if item.role not in roles.existing.same and (item.is_run or is_in_database(item))
    ]
    altered = {item.role for item in run if not granted_role(item)} & target.roles
    granted = {granted_role(item) for item in run} & target.roles
    try:
        found = _ask(client, altered | granted)
    except VaultError as error:
        yield problem(f"the target's roles cannot be read: {error.message}", error.hint)
        return
    for role, (is_super, is_mine) in sorted(found.items()):
        keep = f"--keep-role {shlex.quote(role)}"
        what = "change" if role in altered else "grant"
        if is_super:
            text = f"role {one_line(role)} is a superuser of the target: only a superuser may {what} it"
            yield problem(text, f"leave it, and memberships in it, as they are: {keep}")
        elif target.major >= _FIRST_WITH_ADMIN_NEEDED and not is_mine:
            text = (
                f"role {one_line(role)} exists, and {one_line(target.administrator)} may not {what} it: no ADMIN OPTION"
            )
            hint = (
                "let one who has it grant it to you WITH ADMIN OPTION; or leave it, and memberships in it, as they are"
            )
            yield problem(text, f"{hint}: {keep}")


def _ask(client: Client, roles: set[str]) -> dict[str, tuple[bool, bool]]:
    """Answer role -> whether it is a superuser, and whether the administrator has ADMIN OPTION on it."""
    if not roles:
        return {}
    names = ", ".join(map(quote_literal, sorted(roles)))
    query = (
        "SELECT pg_catalog.json_agg(pg_catalog.json_build_array(rolname, rolsuper, "
        "pg_catalog.pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION'))) "
        f"FROM pg_catalog.pg_roles WHERE rolname IN ({names})"
    )
    return {name: (is_super, is_mine) for name, is_super, is_mine in json.loads(client.value(query) or "[]")}
