"""Compare the roles of a rebuilt server with the roles script of its recovery point."""

from flexvault.domain.role_script import RESERVED_ROLES, RoleStatement, plan_roles
from flexvault.domain.sql_text import quote_name
from flexvault.kit.client import Client
from flexvault.kit.comparison import Named, Tally
from flexvault.kit.not_compared import OWN_ROLE, passwords_of_script
from flexvault.kit.restore_report import RestoreReport
from flexvault.kit.role_facts import GRANTED_BY, RoleFacts, planned_facts, role_facts, roles_of_server, without_grantors
from flexvault.kit.target import Target


def compare_roles(
    client: Client, server: Target, script: str, tally: Tally, *, said: RestoreReport, is_choice: bool
) -> None:
    """Compare the script with what pg_dumpall writes of the target.

    What the plan of the script says cannot be restored on this target is left out with the plan's reason; it is equal
    all the same if it is there.

    Args:
        client: Reaches the target.
        server: The target, and who compares.
        script: The recovery point's.
        tally: Hears what came of it.
        said: What the restore said of roles that it could not make as they were.
        is_choice: Only some databases were restored, so the target may have roles of its own.

    Raises:
        ClientError: pg_dumpall was refused.
        MissingProgramError: It is not there.
    """
    found = roles_of_server(client)
    wanted = role_facts([script])
    plan = plan_roles(
        script,
        target_major=server.major,
        administrator=server.administrator,
        has_superuser=server.is_superuser,
        superusers=server.superusers,
    )
    reasons = _Reasons(wanted=wanted, found=found, plan=plan, server=server, is_choice=is_choice)
    for named in sorted(set(wanted.facts) | set(found.facts)):
        source, target = wanted.facts.get(named), found.facts.get(named)
        if source is not None and source == target:
            tally.equal(named, "roles" if named.kind == "role" else "facts")
        elif reason := reasons.of(named):
            tally.leave_out(named, reason)
        else:
            sides = [facts.attributes.get(named.name, {}) for facts in (wanted, found)]
            differing = {name for name, value in sides[0].items() if value != sides[1].get(name)}
            tally.differ(named, source, target, said.of_role(named, differing, is_there=target is not None))
    tally.leave_out(Named("", "passwords of roles", ""), passwords_of_script(len(wanted.with_passwords)))


class _Reasons:
    """Says why the plan of a roles script leads to what was found."""

    def __init__(
        self,
        *,
        wanted: RoleFacts,
        found: RoleFacts,
        plan: tuple[RoleStatement, ...],
        server: Target,
        is_choice: bool,
    ) -> None:
        self._wanted, self._found, self._plan = wanted, found, plan
        self._server, self._is_choice = server, is_choice
        self._planned = planned_facts(plan)

    def of(self, named: Named) -> str:
        """Return the reason, or nothing when the plan does not explain it."""
        source, target = self._wanted.facts.get(named), self._found.facts.get(named)
        role = (self._wanted.role_of | self._found.role_of)[named]
        if role == self._server.administrator:
            return "the administrator of the target stays as it is"
        if role.startswith("pg_") or role in RESERVED_ROLES:
            return "the target has this role of its own"
        if source is None:
            return OWN_ROLE if self._is_choice else ""
        expected = self._planned.facts.get(named)
        if expected != target and not (named.kind == "membership" and _same_but_grantor(expected, target)):
            return ""
        about = [s.reason for s in self._plan if s.role == role and _is_about(s, named)]
        return "; ".join(dict.fromkeys(about))


def _is_about(statement: RoleStatement, named: Named) -> bool:
    """Say whether a statement that the plan changed is what a fact was read from."""
    if not statement.reason or statement.verdict in {"apply", "unknown"}:
        return False
    of_membership = statement.reason.startswith(("in ", "was in ")) or (statement.sql or "").startswith("GRANT ")
    if named.kind == "membership":
        group = named.name.removesuffix(f" to {statement.role}")
        named_in = f"{statement.reason} {statement.sql}"
        return of_membership and (f"in {group}" in named_in or quote_name(group) in named_in)
    is_parameter = "server parameters" in statement.reason
    return not of_membership and is_parameter == (named.kind == "rights on server parameter")


def _same_but_grantor(one: str | None, other: str | None) -> bool:
    """Compare the options alone: who may be the grantor differs by version and by who runs the rebuild."""
    if one is None or other is None or GRANTED_BY in one:
        return False
    return without_grantors(one) == without_grantors(other)
