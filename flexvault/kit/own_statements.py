"""What belongs to a database itself, run when all else is in: limits, settings, comment, grants."""

from dataclasses import dataclass

from flexvault.domain.dump_facts import DatabaseFacts
from flexvault.domain.sql_text import join, name_of, one_line, quote_name, readable, statements
from flexvault.kit.choice import is_label, with_database
from flexvault.kit.client import Client, ClientError
from flexvault.kit.known_errors import reason_of
from flexvault.kit.outcome import Outcome, State
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnStatement:
    """One statement about the database itself.

    Attributes:
        grantor: Role that granted it; empty for who runs it.
        kind: `ACL`, `COMMENT` or `DATABASE SETTING`, as `known_errors` has it.
    """

    sql: str
    kind: str
    grantor: str = ""

    @property
    def as_grantor(self) -> str:
        """The same, run by the grantor: all or nothing, and who runs it is himself again afterwards."""
        return f"SET ROLE {quote_name(self.grantor)}; {self.sql}; RESET ROLE" if self.grantor else self.sql


def own_statements(facts: DatabaseFacts, name: str) -> list[OwnStatement]:
    """Answer the statements about the database itself, for a database of this name."""
    found: list[OwnStatement] = []
    grantor = ""
    for statement in (parsed for text in facts.after for parsed in statements(text)):
        words = [token.upper() for token in statement]
        if words[:3] == ["SET", "SESSION", "AUTHORIZATION"]:
            grantor = name_of(statement[3])
        elif words[:3] == ["RESET", "SESSION", "AUTHORIZATION"]:
            grantor = ""
        elif not is_label(statement) and (renamed := with_database(statement, name)):
            found.append(OwnStatement(sql=join(renamed), kind=_kind_of(words), grantor=grantor))
    return found


def set_up(client: Client, plan: DatabasePlan, target: Target) -> list[Outcome]:
    """Run what belongs to the database itself. A comment or setting that is refused is told and is not the end.

    Raises:
        ClientError: The target refused a right for a reason that is not known.
    """
    found: list[Outcome] = []
    # Nobody but the administrator could come in until now: its rights were taken from PUBLIC when it was made.
    open_again = f"GRANT CONNECT, TEMPORARY ON DATABASE {quote_name(plan.name)} TO PUBLIC"
    own = [OwnStatement(sql=open_again, kind="ACL"), *own_statements(plan.dump.facts, plan.name)]
    sent = [item for item in own if _is_text(item.sql)]
    encoding = plan.dump.contents.encoding
    unknown = f"its bytes are no {encoding} and no UTF8: write it anew"
    found += [_outcome(plan, item, "refused", unknown) for item in own if not _is_text(item.sql)]
    for item, error in zip(sent, client.try_all([item.as_grantor for item in sent]), strict=True):
        left = error
        if error and item.grantor:
            left = client.try_all([item.sql])[0]
            if not left:
                reason = f"granted by {item.grantor} before, now by {target.administrator} ({error})"
                found.append(_outcome(plan, item, "restored", reason))
        if left:
            found.append(_outcome(plan, item, "refused", _reason(plan, item, left)))
    return found


def _reason(plan: DatabasePlan, item: OwnStatement, error: str) -> str:
    if reason := reason_of(item.kind, error):
        return f"{reason} ({error})"
    if item.kind == "ACL":
        raise ClientError(f"database {readable(plan.name)}: {error}: {one_line(item.sql)}")
    return f"the target does not take it: set it yourself ({error})"


def _outcome(plan: DatabasePlan, item: OwnStatement, state: State, reason: str) -> Outcome:
    name, database = one_line(item.sql), plan.dump.database
    return Outcome(database=database, kind="setting of the database", name=name, state=state, reason=reason)


def _kind_of(words: list[str]) -> str:
    if words[0] in {"GRANT", "REVOKE"}:
        return "ACL"
    return "COMMENT" if words[0] == "COMMENT" else "DATABASE SETTING"


def _is_text(sql: str) -> bool:
    """Say whether a statement can be sent: bytes that no encoding explained are kept as surrogates."""
    try:
        sql.encode()
    except UnicodeEncodeError:
        return False
    return True
