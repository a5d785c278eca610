"""Compare the roles of a rebuilt server with the roles script of its recovery point."""

from typing import Final

from flexvault.domain.role_script import RESERVED_ROLES, RoleStatement, plan_roles
from flexvault.kit.client import Client
from flexvault.kit.comparison import Named, Tally
from flexvault.kit.role_facts import GRANTED_BY, RoleFacts, role_facts
from flexvault.kit.row_streams import json_rows, with_settings

_ABOUT_TARGET: Final = """
SELECT json_build_array(current_user::text, r.rolsuper, current_setting('server_version_num')::int / 10000)
FROM pg_roles AS r WHERE r.rolname = current_user"""


class TargetServer:
    """Who compares, and with what.

    Attributes:
        administrator: The role of the connection.
        major: Version of the server.
    """

    def __init__(self, client: Client) -> None:
        [[self.administrator, self.has_superuser, self.major]] = json_rows(client, _ABOUT_TARGET)


def compare_roles(client: Client, server: TargetServer, script: str, tally: Tally, *, is_choice: bool) -> None:
    """Compare the script with what pg_dumpall writes of the target.

    What the plan of the script says cannot be restored on this target is left out with the plan's reason; it is equal
    all the same if it is there.

    Args:
        client: Reaches the target.
        server: What it is.
        script: The recovery point's.
        tally: Hears what came of it.
        is_choice: Only some databases were restored, so the target may have roles of its own.

    Raises:
        ClientError: pg_dumpall was refused.
        MissingProgramError: It is not there.
    """
    utc = with_settings(client, {"TimeZone": "UTC"})
    arguments = ("--roles-only", "--no-role-passwords", "--no-password")
    found = role_facts([utc.run("pg_dumpall", *arguments).decode("utf-8", "surrogateescape")])
    wanted = role_facts([script])
    plan = plan_roles(
        script, target_major=server.major, administrator=server.administrator, has_superuser=server.has_superuser
    )
    planned = role_facts([statement.sql for statement in plan if statement.is_run and statement.sql])
    for named in sorted(set(wanted.facts) | set(found.facts)):
        source, target = wanted.facts.get(named), found.facts.get(named)
        if source is not None and source == target:
            tally.equal(named, "roles" if named.kind == "role" else "facts")
        elif reason := _explained(named, wanted, found, planned, plan, server, is_choice=is_choice):
            tally.leave_out(named, reason)
        else:
            tally.differ(named, source, target)
    tally.leave_out(Named("", "passwords of roles", ""), "the files hold none that a rebuild may use; set new ones")


def _explained(
    named: Named,
    wanted: RoleFacts,
    found: RoleFacts,
    planned: RoleFacts,
    plan: tuple[RoleStatement, ...],
    server: TargetServer,
    *,
    is_choice: bool,
) -> str:
    """Say why the plan leads to what was found; empty if it does not."""
    source, target = wanted.facts.get(named), found.facts.get(named)
    role = (wanted.role_of | found.role_of)[named]
    if role == server.administrator:
        return "the administrator of the target stays as it is"
    if role.startswith("pg_") or role in RESERVED_ROLES:
        return "the target has this role of its own"
    if source is None:
        return "the target has it of its own; only some databases were restored" if is_choice else ""
    reasons = dict.fromkeys(
        statement.reason
        for statement in plan
        if statement.role == role and statement.reason and statement.verdict not in {"apply", "unknown"}
    )
    expected = planned.facts.get(named)
    if expected == target or (named.kind == "membership" and _same_but_grantor(expected, target)):
        return "; ".join(reasons)
    return ""


def _same_but_grantor(one: str | None, other: str | None) -> bool:
    """Compare the options alone: who may be the grantor differs by version and by who runs the rebuild."""
    if one is None or other is None or GRANTED_BY in one:
        return False
    return {line.split(GRANTED_BY)[0] for line in one.split("\n")} == {
        line.split(GRANTED_BY)[0] for line in other.split("\n")
    }
