"""Write down what a roles script says: roles, their attributes, settings and comments, who is a member of what."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from flexvault.domain.role_script import RoleStatement
from flexvault.domain.sql_text import Statement, join, literal_of, name_of, statements
from flexvault.kit.client import Client
from flexvault.kit.comparison import Facts, Named, put
from flexvault.kit.row_streams import with_settings

_DEFAULTS: Final = {
    "SUPERUSER": "no", "INHERIT": "yes", "CREATEROLE": "no", "CREATEDB": "no", "LOGIN": "no", "REPLICATION": "no",
    "BYPASSRLS": "no", "CONNECTION LIMIT": "-1", "VALID UNTIL": "infinity",
}  # fmt: skip
"""Of CREATE ROLE without options."""
_VERIFIER: Final = "PASSWORD"
GRANTED_BY: Final = " granted by "


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFacts:
    """What a roles script says.

    Attributes:
        role_of: Whom a fact is about; of a membership the member.
        attributes: Role -> attribute -> value, such as `CREATEDB` -> `no`; they are a fact of kind `role`, too.
        with_passwords: Roles whose verifier is in the script; the verifier itself is not kept.
        statements: Those that make a setting.
    """

    facts: Facts
    role_of: dict[Named, str]
    attributes: dict[str, dict[str, str]]
    statements: dict[Named, str]
    with_passwords: set[str] = field(default_factory=set[str])

    def put(self, named: Named, role: str, value: str) -> None:
        """Record a fact."""
        put(self.facts, named, value)
        self.role_of[named] = role


def roles_of_server(client: Client) -> RoleFacts:
    """Read what pg_dumpall writes of a server's roles.

    Raises:
        ClientError: pg_dumpall was refused.
        MissingProgramError: It is not there.
    """
    utc = with_settings(client, {"TimeZone": "UTC"})
    script = utc.run("pg_dumpall", "--roles-only", "--no-role-passwords", "--no-password")
    return role_facts([script.decode("utf-8", "surrogateescape")])


def planned_facts(plan: Iterable[RoleStatement]) -> RoleFacts:
    """Answer what the statements of a plan make that a rebuild runs."""
    return role_facts(statement.sql for statement in plan if statement.is_run and statement.sql)


def without_grantors(value: str) -> set[str]:
    """Answer the options of a membership's grants alone: the grantor depends on version and administrator."""
    return {line.split(GRANTED_BY)[0] for line in value.split("\n")}


def role_facts(script: Iterable[str]) -> RoleFacts:
    """Read a roles script, or several pieces of one. Passwords and security labels are left out."""
    attributes: dict[str, dict[str, str]] = {}
    facts = RoleFacts(facts={}, role_of={}, attributes=attributes, statements={})
    members: list[Statement] = []
    for statement in (found for piece in script for found in statements(piece)):
        words = _words(statement)
        if words[:2] == ("CREATE", "ROLE"):
            attributes[name_of(statement[2])] = dict(_DEFAULTS)
        elif words[:2] == ("ALTER", "ROLE") and words[3:4] == ("WITH",):
            attributes.setdefault(name_of(statement[2]), dict(_DEFAULTS)).update(_attributes(statement[4:]))
        elif words[:2] == ("ALTER", "ROLE"):
            _add_setting(facts, statement)
        elif words[:3] == ("COMMENT", "ON", "ROLE"):
            role = name_of(statement[3])
            facts.put(Named("", "comment on role", role), role, join(statement[5:]))
        elif words[0] == "GRANT" and words[2:3] == ("TO",):
            members.append(statement)
        elif words[0] in {"GRANT", "REVOKE"} and "PARAMETER" in words:
            parameter = name_of(statement[words.index("PARAMETER") + 1])
            grantee = name_of(statement[words.index("FROM" if words[0] == "REVOKE" else "TO") + 1])
            facts.put(Named("", "rights on server parameter", f"{parameter} of {grantee}"), grantee, join(statement))
    facts.with_passwords.update(role for role, known in attributes.items() if known.pop(_VERIFIER, ""))
    for role, known in attributes.items():
        value = " ".join(f"{name} {value}" for name, value in known.items())
        facts.put(Named("", "role", role), role, value)
    for statement in members:
        _add_membership(facts, statement, attributes)
    return facts


def _attributes(tokens: Statement) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(tokens):
        word = tokens[at].upper()
        if word.removeprefix("NO") in _DEFAULTS:
            found[word.removeprefix("NO")] = "no" if word.startswith("NO") else "yes"
            at += 1
        elif word == "CONNECTION":
            number = "".join(tokens[at + 2 : at + 4]) if tokens[at + 2 : at + 3] == ("-",) else tokens[at + 2]
            found["CONNECTION LIMIT"] = number
            at += 4 if number.startswith("-") else 3
        elif word == "VALID":
            found["VALID UNTIL"] = _moment(literal_of(tokens[at + 2]))
            at += 3
        else:  # PASSWORD and its value, which is not kept
            found[_VERIFIER] = "yes"
            at += 2
    return found


def _moment(text: str) -> str:
    """Write a moment in UTC: pg_dumpall writes it in the zone of its session."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except ValueError:  # infinity, or a year that Python has not
        return text


def _add_setting(facts: RoleFacts, statement: Statement) -> None:
    words = _words(statement)
    if "SET" not in words[3:]:
        return
    at = words.index("SET", 3)
    where = f" in database {name_of(statement[5])}" if words[3:5] == ("IN", "DATABASE") else ""
    role = name_of(statement[2])
    named = Named("", "setting", f"{name_of(statement[at + 1])} of role {role}{where}")
    facts.put(named, role, join(statement[at + 3 :]))
    facts.statements[named] = join(statement)


def _add_membership(facts: RoleFacts, statement: Statement, attributes: dict[str, dict[str, str]]) -> None:
    """Write the options in the words of PostgreSQL 16, whose defaults an older script leaves open."""
    group, member = name_of(statement[1]), name_of(statement[3])
    words = _words(statement)
    at = words.index("GRANTED") if "GRANTED" in words else len(words)
    options = {"ADMIN": "FALSE", "INHERIT": _inherits(attributes.get(member)), "SET": "TRUE"}
    for option in " ".join(words[4:at]).removeprefix("WITH ").split(","):
        name, _, value = option.strip().partition(" ")
        if name in options:
            options[name] = "TRUE" if value == "OPTION" else value
    granted_by = f"{GRANTED_BY}{name_of(statement[at + 2])}" if at + 2 < len(statement) else ""
    value = ", ".join(f"{name} {value}" for name, value in options.items()) + granted_by
    facts.put(Named("", "membership", f"{group} to {member}"), member, value)


def _inherits(known: dict[str, str] | None) -> str:
    return "FALSE" if known and known["INHERIT"] == "no" else "TRUE"


def _words(statement: Statement) -> Statement:
    return tuple(token.upper() for token in statement)
