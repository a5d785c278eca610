"""Plan what a rebuild does with each statement of a roles script (`pg_dumpall --roles-only`).

A flexible server has no superuser: an ALTER ROLE that only repeats NOSUPERUSER is refused as a whole there, and the
role stays without LOGIN. So statements are parsed and written again, names are compared whole, and nothing is left out
without a verdict and a reason. Facts: the refusals of PostgreSQL 15 and 18 for an administrator without superuser.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from flexvault.domain.sql_text import Statement, join, name_of, quote_name, statements

type Verdict = Literal["apply", "rewrite", "partial", "skip", "ask", "lost", "unknown"]

RESERVED_ROLES: Final = frozenset({"azuresu", "azure_pg_admin", "azure_superuser", "replication"})
"""Roles of the service itself; names that begin with `pg_` are PostgreSQL's own."""

_WITHHELD: Final = "left out: "
_FIRST_WITH_GRANT_OPTIONS: Final = 16
_SWITCHES: Final = frozenset({"INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "SUPERUSER", "REPLICATION", "BYPASSRLS"})
_NEEDS_SUPERUSER: Final = ("SUPERUSER", "REPLICATION", "BYPASSRLS")
_ONLY_THE_SERVICE_GRANTS: Final = frozenset(
    {"azuresu", "azure_superuser", "replication", "pg_use_reserved_connections"}
)
_ENCODING: Final = re.compile(rb"^SET client_encoding = '([^']+)';", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatement:
    """What happens with one statement.

    Attributes:
        verdict: `apply` as it was; `rewrite` in other words; `partial` with something left out, named in the reason;
            `skip` because the target has it; `ask` a person before running it; `lost` because the target refuses it;
            `unknown` because this version cannot read it. Only the first three are run.
        sql: One statement without its semicolon, or nothing to run. Holds a password only when that was asked for.
        reason: Why; empty for `apply`. Never holds a password.
        role: The role that the statement is about, for a membership the member; empty when none.
    """

    verdict: Verdict
    sql: str | None
    reason: str
    role: str

    @property
    def is_only_withheld(self) -> bool:
        """Whether the target would take what is left out, had it been asked for."""
        return self.reason.startswith(_WITHHELD)

    @property
    def is_run(self) -> bool:
        """Whether the rebuild runs it without asking."""
        return self.sql is not None and self.verdict in {"apply", "rewrite", "partial"}


@dataclass(frozen=True, slots=True)
class _Target:
    major: int
    administrator: str
    has_superuser: bool
    with_passwords: bool
    superusers: frozenset[str]
    own_superusers: frozenset[str]
    admins: set[tuple[str, str]]  # who may grant what by the statements so far: granted role, member

    def is_reserved(self, role: str) -> bool:
        if role.startswith("pg_"):
            return True
        return not self.has_superuser and role in RESERVED_ROLES

    def gains(self, role: str) -> bool:
        """Say whether a role of this name is another one in the target, with an administrator's rights."""
        return role in self.own_superusers | {self.administrator} and role not in self.superusers


def decode_script(content: bytes) -> str:
    """Decode a roles script in the encoding that it names; bytes that do not fit survive as surrogates."""
    found = _ENCODING.search(content)
    codec = {b"UTF8": "utf-8", b"LATIN1": "latin-1", b"LATIN9": "iso8859-15"}.get(found[1] if found else b"UTF8")
    return content.decode(codec or "utf-8", "surrogateescape")


def plan_roles(
    script: str,
    *,
    target_major: int,
    administrator: str,
    has_superuser: bool,
    with_passwords: bool = False,
    superusers: Collection[str] = (),
) -> tuple[RoleStatement, ...]:
    """Give each statement of a roles script its verdict, in the script's order.

    Args:
        script: Output of pg_dumpall; a secret, because it holds password verifiers.
        target_major: PostgreSQL version of the server that is to run the plan.
        administrator: Login that runs it: what the script says about this role is skipped. Empty when not known yet.
        has_superuser: Whether that login is a superuser (never on a flexible server).
        with_passwords: Keep password verifiers.
        superusers: Roles of the target that are superusers there.
    """
    parsed = tuple(statements(script))
    of_source, own = _superusers(parsed), frozenset(superusers)
    target = _Target(target_major, administrator, has_superuser, with_passwords, of_source, own, set())
    plans = (_plan(statement, target) for statement in parsed)
    return tuple(plan for plan in plans if plan is not None)


def _superusers(parsed: tuple[Statement, ...]) -> frozenset[str]:
    return frozenset(
        name_of(statement[2])
        for statement in parsed
        if _words(statement)[:2] == ("ALTER", "ROLE") and "SUPERUSER" in _words(statement)[4:]
    )


def _plan(statement: Statement, target: _Target) -> RoleStatement | None:
    words = _words(statement)
    if words[0] == "SET":  # of the session that pg_dumpall expects; a rebuild sets its own
        return None
    for prefix, read in _FORMS:
        if words[: len(prefix)] == prefix:
            return read(statement, target) or _unknown(statement)
    return _unknown(statement)


def _create(statement: Statement, target: _Target) -> RoleStatement | None:
    if len(statement) != 3:  # noqa: PLR2004 - CREATE ROLE name, all that pg_dumpall writes
        return None
    role = name_of(statement[2])
    if reason := _why_skip(role, target):
        return RoleStatement(verdict="skip", sql=None, reason=reason, role=role)
    return RoleStatement(verdict="apply", sql=f"CREATE ROLE {quote_name(role)}", reason="", role=role)


def _alter(statement: Statement, target: _Target) -> RoleStatement | None:
    words = _words(statement)
    if len(words) < 5:  # noqa: PLR2004 - ALTER ROLE name WITH attribute
        return None
    role = name_of(statement[2])
    if reason := _why_skip(role, target):
        return RoleStatement(verdict="skip", sql=None, reason=reason, role=role)
    if words[3] == "SET":
        return RoleStatement(verdict="apply", sql=join(statement), reason="", role=role)
    if words[3:5] == ("IN", "DATABASE"):
        reason = "a setting inside a database: run it when the database is there"
        return RoleStatement(verdict="ask", sql=join(statement), reason=reason, role=role)
    return _alter_attributes(role, statement, target) if words[3] == "WITH" else None


def _alter_attributes(role: str, statement: Statement, target: _Target) -> RoleStatement | None:
    attributes = _Attributes()
    position = 4
    while position < len(statement):
        taken = _read_attribute(statement, position, target, attributes)
        if taken == 0:
            return None
        position += taken
    sql = f"ALTER ROLE {quote_name(role)} WITH {' '.join(attributes.kept)}" if attributes.kept else None
    if attributes.lost or attributes.withheld:
        parts = ["not restored: " + ", ".join(attributes.lost)] if attributes.lost else []
        parts += [_WITHHELD + ", ".join(attributes.withheld)] if attributes.withheld else []
        return RoleStatement(verdict="partial" if sql else "lost", sql=sql, reason="; ".join(parts), role=role)
    if attributes.dropped:
        reason = "left out, the target refuses to hear it and it is the default: " + ", ".join(attributes.dropped)
        return RoleStatement(verdict="rewrite" if sql else "skip", sql=sql, reason=reason, role=role)
    return RoleStatement(verdict="apply", sql=sql, reason="", role=role)


class _Attributes:
    """What an ALTER ROLE keeps, drops because it is the default anyway, loses, and what nobody asked for."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.dropped: list[str] = []
        self.lost: list[str] = []
        self.withheld: list[str] = []


def _read_attribute(statement: Statement, position: int, target: _Target, into: _Attributes) -> int:
    """Read one attribute and return how many tokens it took, 0 for one that is not known."""
    word, rest = statement[position].upper(), statement[position + 1 :]
    if word.removeprefix("NO") in _SWITCHES:
        _sort_switch(word, target, into)
        return 1
    if word == "CONNECTION" and len(rest) > 1:
        number = "".join(rest[1:3]) if rest[1] == "-" else rest[1]
        into.kept.append(f"CONNECTION LIMIT {number}")
        return 4 if rest[1] == "-" else 3
    if word == "VALID" and len(rest) > 1:
        into.kept.append(f"VALID UNTIL {rest[1]}")
        return 3
    if word == "PASSWORD" and rest:
        if target.with_passwords:
            into.kept.append(f"PASSWORD {rest[0]}")
        else:
            into.withheld.append("PASSWORD (--with-passwords restores it, or set a new one)")
        return 2
    return 0


def _sort_switch(word: str, target: _Target, into: _Attributes) -> None:
    if target.has_superuser or word.removeprefix("NO") not in _NEEDS_SUPERUSER:
        into.kept.append(word)
    elif word.startswith("NO"):
        into.dropped.append(word)
    elif word == "SUPERUSER" or target.major < _FIRST_WITH_GRANT_OPTIONS:
        into.lost.append(word)
    else:
        into.kept.append(word)


def _comment(statement: Statement, target: _Target) -> RoleStatement | None:
    if len(statement) != 6:  # noqa: PLR2004 - COMMENT ON ROLE name IS text
        return None
    role = name_of(statement[3])
    if reason := _why_skip(role, target):
        return RoleStatement(verdict="skip", sql=None, reason=f"a comment; {reason}", role=role)
    return RoleStatement(verdict="apply", sql=join(statement), reason="", role=role)


def _label(statement: Statement, target: _Target) -> RoleStatement | None:
    words = _words(statement)
    if "ROLE" not in words[:-1]:
        return None
    role = name_of(statement[words.index("ROLE") + 1])
    if reason := _why_skip(role, target):
        return RoleStatement(verdict="skip", sql=None, reason=f"a label; {reason}", role=role)
    reason = "a role of Microsoft Entra ID: an Entra administrator creates it (pgaadauth_create_principal_with_oid)"
    return RoleStatement(verdict="ask", sql=join(statement), reason=reason, role=role)


def _privilege(statement: Statement, target: _Target) -> RoleStatement | None:
    """Plan GRANT and REVOKE on configuration parameters, and memberships."""
    words = _words(statement)
    link = "FROM" if words[0] == "REVOKE" else "TO"
    if link not in words[:-1]:
        return None
    at = words.index(link)
    member = name_of(statement[at + 1])
    if "PARAMETER" in words[1:at]:
        if target.has_superuser:
            return RoleStatement(verdict="apply", sql=join(statement), reason="", role=member)
        rights = join(statement[1:at])
        reason = f"{member}: only a superuser grants rights on server parameters: {rights}"
        return RoleStatement(verdict="lost", sql=None, reason=reason, role=member)
    if words[0] != "GRANT" or at != 2:  # noqa: PLR2004 - GRANT role TO member
        return None
    return _membership(name_of(statement[1]), member, statement[at + 2 :], target)


def _membership(granted: str, member: str, options: Statement, target: _Target) -> RoleStatement:
    if reason := _why_skip(member, target):
        return RoleStatement(verdict="skip", sql=None, reason=f"in {granted}; {reason}", role=member)
    if not target.has_superuser and granted in _ONLY_THE_SERVICE_GRANTS:
        reason = f"was in {granted}, which only the service grants"
        return RoleStatement(verdict="lost", sql=None, reason=reason, role=member)
    words = _words(options)
    at = words.index("GRANTED") if "GRANTED" in words else len(words)
    grantor = name_of(options[-1]) if at < len(words) else ""
    kept, lost = _grant_options(words[:at], target)
    sql = f"GRANT {quote_name(granted)} TO {quote_name(member)}"
    sql += f" WITH {', '.join(kept)}" if kept else ""
    verdict: Verdict = "apply"
    reason = ""
    if granted == "azure_pg_admin" and not target.has_superuser:
        verdict, reason = "ask", "an administrator's right"
    elif target.gains(granted):
        verdict, reason = "ask", f"in {granted}, which has more rights in the target than it had in the source"
    elif lost:
        verdict = "partial"
        reason = f"not restored: {', '.join(lost)} (PostgreSQL {target.major} has no such option)"
    elif grantor and _may_grant(granted, grantor, target):
        sql += f" GRANTED BY {quote_name(grantor)}"
    elif grantor:
        verdict, reason = "rewrite", f"in {granted}: granted by {grantor} before, now by who runs the rebuild"
    if verdict != "ask" and any(option.startswith("ADMIN") for option in kept):
        target.admins.add((granted, member))
    return RoleStatement(verdict=verdict, sql=sql, reason=reason, role=member)


def _may_grant(granted: str, grantor: str, target: _Target) -> bool:
    """Whether the grant can keep its grantor.

    From 16 on a superuser of the source is none of the grantors that the target takes: only the administrator who made
    the server is one without ADMIN OPTION. Who is no superuser may name, from 16 on, a grantor whose member he is: the
    administrator becomes a member of the roles that he makes.
    """
    if grantor in target.superusers | {target.administrator} | RESERVED_ROLES:
        return False
    if target.has_superuser:
        return True
    return target.major >= _FIRST_WITH_GRANT_OPTIONS and (granted, grantor) in target.admins


def _grant_options(words: Statement, target: _Target) -> tuple[list[str], list[str]]:
    """Return the options to keep and those that the target does not know, from `WITH ADMIN OPTION, SET FALSE`."""
    options = [option.strip() for option in " ".join(words).removeprefix("WITH ").split(",") if option.strip()]
    if target.major >= _FIRST_WITH_GRANT_OPTIONS:
        return options, []
    kept = ["ADMIN OPTION" for option in options if option in {"ADMIN OPTION", "ADMIN TRUE"}]
    return kept, [option for option in options if option in {"INHERIT FALSE", "SET FALSE"}]


def _why_skip(role: str, target: _Target) -> str:
    if target.administrator and role == target.administrator:
        return "the administrator of the target stays as it is"
    if target.is_reserved(role):
        return "the target has this role of its own"
    return ""


def _words(statement: Statement) -> Statement:
    return tuple(token.upper() for token in statement)


def _unknown(statement: Statement) -> RoleStatement:
    """Report the first words only: further on, and in anything quoted, may be a password."""
    shown = [token if token.isidentifier() else "..." for token in statement[:3]]
    return RoleStatement(
        verdict="unknown", sql=None, reason=f"this version cannot read: {' '.join(shown)} ...", role=""
    )


type _Reader = Callable[[Statement, _Target], RoleStatement | None]
_FORMS: Final[tuple[tuple[Statement, _Reader], ...]] = (
    (("CREATE", "ROLE"), _create),
    (("ALTER", "ROLE"), _alter),
    (("COMMENT", "ON", "ROLE"), _comment),
    (("SECURITY", "LABEL"), _label),
    (("GRANT",), _privilege),
    (("REVOKE",), _privilege),
)
