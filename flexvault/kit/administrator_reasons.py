"""What differs on every server whose administrator is no superuser, and is no mistake of the rebuild."""

import json
import re
from typing import Final

from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.kit.comparison import Facts, Named
from flexvault.kit.target import Target

_NEEDS_SUPERUSER: Final = re.compile(r"\b(superuser|replication|bypassrls) t\b")


def reasons_without_superuser(source: Facts, target: Facts, server: Target) -> dict[Named, str]:
    """Return why roles, memberships and rights on parameters of two living servers may differ.

    Args:
        source: As `catalog_queries.OF_THE_SERVER` tells them.
        target: Likewise, of a server.
        server: The same, and who ran the rebuild there, or as much as he.
    """
    reasons: dict[Named, str] = {}
    for named in sorted(source | target):
        one, other = source.get(named), target.get(named)
        if one != other and (reason := _reason(named, one, other, server)):
            reasons[named] = reason
    return reasons


def _reason(named: Named, source: str | None, target: str | None, server: Target) -> str:
    if named.kind == "role":
        return _of_role(named.name, source, target, server)
    if named.kind == "membership" and named.name.rsplit(" to ", 1)[-1].strip('"') == server.administrator:
        return "who creates a role is its administrator"
    if named.kind == "membership" and source and target and _without_grantor(source) == _without_grantor(target):
        return "granted by who ran the rebuild"
    if named.kind == "server parameter rights" and target is None:
        return "only a superuser grants rights on server parameters"
    return ""


def _of_role(role: str, source: str | None, target: str | None, server: Target) -> str:
    if role == server.administrator:
        return "the administrator of the target stays as it is"
    if role in RESERVED_ROLES:
        return "the target has this role of its own"
    if source and target and _NEEDS_SUPERUSER.sub(r"\1 f", source) == _NEEDS_SUPERUSER.sub(r"\1 f", target):
        return "only a superuser gives SUPERUSER, and up to PostgreSQL 15 REPLICATION and BYPASSRLS"
    return ""


def _without_grantor(value: str) -> set[str]:
    """Read the grants of one membership, one JSON object per line."""
    grants = [json.loads(line) for line in value.split("\n")]
    return {json.dumps({key: grant[key] for key in grant if key != "grantor"}, sort_keys=True) for grant in grants}
