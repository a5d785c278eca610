"""Make the roles: the roles script planned for this very target, what may be run in one transaction, all listed."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from flexvault.domain.role_script import RESERVED_ROLES, RoleStatement, plan_roles
from flexvault.domain.sql_text import join, name_of, one_line, quote_name, statements
from flexvault.kit.client import Client, ClientError, StatementError
from flexvault.kit.existing_roles import OF_THE_ADMINISTRATOR, ExistingRoles, look_at_roles
from flexvault.kit.known_errors import reason_of
from flexvault.kit.options import Options
from flexvault.kit.outcome import Outcome, State
from flexvault.kit.progress import ROLES, Progress, Row
from flexvault.kit.target import Target

_FIRST_WITH_SET_OPTION: Final = 16
_GRANTOR: Final = " GRANTED BY "
_STATES: Final[dict[str, State]] = {
    "partial": "lost",
    "lost": "lost",
    "ask": "ask",
    "skip": "left out",
    "unknown": "left out",
}


class Roles:
    """The roles of one rebuild.

    Attributes:
        plan: What happens with each statement of the script.
        created: Roles that the script makes.
        existing: Those of them that the target has, as far as they were looked at.
    """

    def __init__(self, client: Client, target: Target, options: Options, script: str) -> None:
        self._client, self._target = client, target
        self._named = {name_of(s[2]) for s in statements(script) if s[:2] == ("CREATE", "ROLE")}
        plan = plan_roles(
            script,
            target_major=target.major,
            administrator=target.administrator,
            has_superuser=target.is_superuser,
            with_passwords=options.with_passwords,
            superusers=target.superusers,
        )
        self.plan = without_roles(plan, options.kept_roles)
        self.created = frozenset(item.role for item in self.plan if is_create(item))
        self.existing = ExistingRoles()

    def look_at_existing(self) -> ExistingRoles:
        """Compare the roles that exist already with the plan; what is as planned is then left alone.

        Raises:
            ClientError, MissingProgramError: See `look_at_roles`.
        """
        self.existing = look_at_roles(self._client, self._target, self.plan, self.created & self._target.roles)
        return self.existing

    def make(self, progress: Progress, row: Row | None) -> list[Outcome]:
        """Make or update the roles.

        Raises:
            ClientError: The target refused a statement that it should take; no role was made.
        """
        left = [item for item in self.plan if item.is_run and item.role not in self.existing.same]
        run = [item for item in left if not _is_setting(item)]
        run = [item for item in run if not (is_create(item) and item.role in self._target.roles)]
        before = ["SET createrole_self_grant = 'set, inherit'"] if self._grants_itself else []
        sql = [*before, *(item.sql or "" for item in run)]
        progress.write(ROLES, "intent", choice=row.choice if row else "[]")  # from here on they are this kit's
        regranted: list[Outcome] = []
        while True:
            try:
                self._client.run_all(sql)
                break
            except StatementError as error:
                item = run[error.number - len(before)] if error.number >= len(before) else None
                # None of them was run, so they run again with a little less of this one.
                less, outcome = _less(item, sql[error.number]) if item else ("", None)
                if outcome is None:
                    raise _failed(item, error) from None
                sql[error.number] = less
                regranted.append(outcome)
        refused = self._run_settings([item for item in left if _is_setting(item)])
        return [*self.outcomes(), *regranted, *refused, *self.existing.lost]

    def outcomes(self) -> list[Outcome]:
        """Say what becomes of the roles, without running anything."""
        name = f"({len(self.created)} of {len(self._named)})"
        found = [Outcome(database="", kind="roles", name=name, state="restored")]
        for item in self.plan:
            if item.verdict in {"apply", "rewrite"} and not item.reason.startswith("in "):
                continue
            state = "left out" if item.is_only_withheld else _STATES.get(item.verdict, "restored")
            reason = item.reason
            if item.verdict == "ask" and item.sql and not is_in_database(item):
                reason += f"; run it yourself: {item.sql}"
            elif is_in_database(item):
                state, reason = "restored", ""
            if reason:
                found.append(Outcome(database="", kind="role", name=item.role, state=state, reason=reason))
        return list(dict.fromkeys([*found, *self._without_password()]))

    def _without_password(self) -> list[Outcome]:
        """Name the roles that may log in and have no password in the script."""
        logins = [item for item in self.plan if item.is_run and _may_log_in(item) and "PASSWORD" not in item.reason]
        reason = "the backup has no password of it: set one before it is to log in by one"
        return [Outcome(database="", kind="role", name=item.role, state="ask", reason=reason) for item in logins]

    def set_in_databases(self) -> list[Outcome]:
        """Run the settings of roles in databases, which must be there."""
        return self._run_settings([item for item in self.plan if is_in_database(item)])

    def borrow(self, owners: Iterable[str], progress: Progress, row: Row | None) -> list[str]:
        """Become a member of roles to which objects are to be given, where the administrator is none yet.

        Raises:
            ClientError: The target does not allow it.
        """
        borrowed: list[str] = json.loads(row.choice) if row and row.choice else []
        if self._target.is_superuser:
            return []
        missing = self._not_a_member_of(owners)
        options = " WITH INHERIT TRUE, SET TRUE" if self._grants_itself else ""
        borrowed = [*borrowed, *(role for role in missing if role not in borrowed)]
        grants = [f"GRANT {quote_name(role)} TO CURRENT_USER{options}" for role in missing]
        progress.write(ROLES, "made", choice=json.dumps(borrowed))
        try:
            self._client.run_all(grants)
        except StatementError as error:
            hint = "its objects can be given to it only by a member: let a role with ADMIN OPTION on it grant it to you"
            raise ClientError(f"role {one_line(missing[error.number])}: {error.message}", hint=hint) from None
        return borrowed

    def give_back(self, borrowed: Sequence[str]) -> None:
        """Leave the roles that were borrowed."""
        self._client.run_all([f"REVOKE {quote_name(role)} FROM CURRENT_USER" for role in borrowed])

    @property
    def _grants_itself(self) -> bool:
        # From 16 on who is no superuser may give objects to a role that it created only with SET.
        return not self._target.is_superuser and self._target.major >= _FIRST_WITH_SET_OPTION

    def _not_a_member_of(self, owners: Iterable[str]) -> list[str]:
        asked = sorted(
            {owner for owner in owners if owner and not owner.startswith("pg_")}
            - RESERVED_ROLES
            - {self._target.administrator}
        )
        if not asked:
            return []
        kinds = ("USAGE", "SET") if self._grants_itself else ("MEMBER",)
        may = " AND ".join(f"pg_catalog.pg_has_role(current_user, oid, '{kind}')" for kind in kinds)
        query = f"SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles WHERE NOT ({may})"
        others: list[str] = json.loads(self._client.value(query) or "[]")
        return [role for role in asked if role in set(others)]

    def _run_settings(self, items: Sequence[RoleStatement]) -> list[Outcome]:
        found: list[Outcome] = []
        for item, error in zip(items, self._client.try_all([item.sql or "" for item in items]), strict=True):
            if error:
                reason = reason_of("ROLE SETTING", error)
                if not reason:
                    raise ClientError(f"role {one_line(item.role)}: {error}: {one_line(item.sql or '')}")
                name = one_line(item.sql or "")
                found.append(
                    Outcome(database="", kind="setting", name=name, state="refused", reason=f"{reason} ({error})")
                )
        return found


def _less(item: RoleStatement, sql: str) -> tuple[str, Outcome | None]:
    """Answer what of a refused statement the target may still take, and what is lost with the rest."""
    grant, link, grantor = sql.rpartition(_GRANTOR)
    if link:
        reason = f"{grant}: granted by {grantor} before, now by who runs the rebuild"
        return grant, Outcome(database="", kind="role", name=item.role, state="restored", reason=reason)
    tokens = next(statements(sql), ())
    lost = [token for token in tokens if token in OF_THE_ADMINISTRATOR]
    if not lost:
        return sql, None
    kept = join(tuple(token for token in tokens if token not in lost))
    reason = f"not restored: {', '.join(lost)} (the administrator of the target has it not)"
    # Nothing may be left of it: then it says what is so anyway.
    kept = f"{kept} INHERIT" if kept.endswith(" WITH") else kept
    return kept, Outcome(database="", kind="role", name=item.role, state="lost", reason=reason)


def _failed(item: RoleStatement | None, error: StatementError) -> ClientError:
    about = f"role {one_line(item.role)}" if item else "the session"
    hint = "no role was made; mend the target, then run the same command again"
    return ClientError(f"{about}: {error.message}", hint=hint)


def without_roles(plan: Sequence[RoleStatement], kept: Collection[str]) -> tuple[RoleStatement, ...]:
    """Leave out all that would change some roles: their own statements, and memberships in them."""
    found: list[RoleStatement] = []
    for item in plan:
        granted = granted_role(item)
        if item.role in kept:
            found.append(replace(item, verdict="skip", sql=None, reason="left as it is: --keep-role"))
        elif granted in kept:
            reason = f"in {granted}: that role is left as it is: --keep-role"
            found.append(replace(item, verdict="skip", sql=None, reason=reason))
        else:
            found.append(item)
    return tuple(found)


def granted_role(item: RoleStatement) -> str:
    """Answer the role in which a statement makes another a member; empty when it does not."""
    match next(statements(item.sql or ""), ()):
        case ("GRANT", role, "TO", *_):
            return name_of(role)
        case _:
            return ""


def is_create(item: RoleStatement) -> bool:
    """Say whether a statement makes a role."""
    return item.sql is not None and item.sql.startswith("CREATE ROLE ")


def is_in_database(item: RoleStatement) -> bool:
    """Say whether a statement sets something for a role in one database."""
    words = [token.upper() for token in next(statements(item.sql or ""), ())]
    return words[:2] == ["ALTER", "ROLE"] and words[3:5] == ["IN", "DATABASE"]


def _may_log_in(item: RoleStatement) -> bool:
    """Say whether a statement lets a role log in and gives it no password."""
    tokens = next(statements(item.sql or ""), ())
    return tokens[:2] == ("ALTER", "ROLE") and "LOGIN" in tokens[3:] and "PASSWORD" not in tokens[3:]


def _is_setting(item: RoleStatement) -> bool:
    words = [token.upper() for token in next(statements(item.sql or ""), ())]
    return words[:2] == ["ALTER", "ROLE"] and words[3:4] == ["SET"]
