"""What the restore itself said of objects that it did not restore: read from its end report, by the same names."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flexvault.domain.dump_contents import Contents, Entry, entries_by_id
from flexvault.domain.sql_text import name_of, readable, statements
from flexvault.kit.comparison import Named, in_schema
from flexvault.kit.dump_definitions import is_object, name_entry
from flexvault.kit.facts import KitFacts
from flexvault.kit.outcome import REPORT, Outcome
from flexvault.kit.role_facts import role_facts
from flexvault.kit.row_checks import table_of

_NOT_RESTORED: Final = frozenset({"left out", "refused", "lost"})
_LIVING_KINDS: Final = {
    "event trigger": "event trigger", "publication": "publication", "server": "foreign server",
    "foreign data wrapper": "foreign data wrapper", "index": "index", "constraint": "constraint", "type": "type",
    "table": "relation", "view": "relation", "materialized view": "relation", "foreign table": "relation",
}  # fmt: skip
_LOST_ATTRIBUTES: Final = "not restored: "
_ATTRIBUTE: Final = re.compile(r"\b[A-Z]+\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreReport:
    """The objects that a restore named as not restored.

    Attributes:
        note: Why a report that lies there is not used; else empty.
    """

    outcomes: tuple[Outcome, ...] = ()
    note: str = ""

    def reasons(self, contents: Contents, database: str) -> dict[Named, str]:
        """Answer what of one database was not restored, and why.

        Args:
            contents: As of the database into which it was restored.
            database: As the report has it: the name in the recovery point.
        """
        by_id = entries_by_id(contents)
        found: dict[Named, str] = {}
        for outcome in self.outcomes:
            if outcome.database != readable(database):
                continue
            said = f"{outcome.state}, {outcome.reason}"
            if outcome.dump_id in by_id:
                found |= dict.fromkeys(_names(contents.database, by_id[outcome.dump_id]), said)
            elif outcome.kind == "setting of the database":
                found |= dict.fromkeys(_of_database(contents.database, outcome.name), said)
        return found

    def of_role(self, named: Named, differing: Collection[str], *, is_there: bool) -> str:
        """Answer why a role, or a setting of one, is not as it was; empty when the restore did not say it.

        Args:
            named: What differs.
            differing: Attributes of the role that are not the same.
            is_there: Whether the target has it at all.
        """
        of_server = [outcome for outcome in self.outcomes if not outcome.database]
        if named.kind != "role":
            of_settings = (outcome for outcome in of_server if outcome.kind == "setting" and not is_there)
            found = (item for item in of_settings if named in role_facts([item.name]).facts)
            return next((f"{item.state}, {item.reason}" for item in found), "")
        about = [item for item in of_server if (item.kind, item.name) == ("role", readable(named.name))]
        lost = [item for item in about if item.reason.startswith(_LOST_ATTRIBUTES)]
        words = {word for item in lost for word in _ATTRIBUTE.findall(item.reason)}
        is_told = is_there and words.issuperset(differing)
        return "; ".join(f"{item.state}, {item.reason}" for item in lost) if is_told else ""

    def reasons_by_kind(self, database: str) -> dict[Named, str]:
        """Answer the same for a living source, whose objects are named by its catalog: as far as names are alike."""
        found: dict[Named, str] = {}
        for outcome in self.outcomes:
            kind = _LIVING_KINDS.get(outcome.kind)
            if kind and outcome.database == readable(database):
                found[Named(database, kind, outcome.name)] = f"{outcome.state}, {outcome.reason}"
        return found


def read_report(folder: Path, facts: KitFacts) -> RestoreReport:
    """Read `rebuild-report.json`, which a restore writes beside the files; one of another kit says nothing here."""
    path = folder / f"{REPORT}.json"
    try:
        stored = json.loads(path.read_bytes())
        if stored["kitId"] != facts.kit_id:
            return RestoreReport(note=f"{path.name} is of another restore: it is not used")
        found = [Outcome.from_json(item) for item in (*stored["objects"], *stored["earlier"])]
    except FileNotFoundError:
        return RestoreReport()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return RestoreReport(note=f"{path.name} cannot be read, it is not used: {type(error).__name__}")
    return RestoreReport(outcomes=tuple(item for item in found if item.state in _NOT_RESTORED))


def _names(database: str, entry: Entry) -> Iterator[Named]:
    """Yield all that is compared of an entry."""
    name = in_schema(entry.namespace, entry.tag)
    if entry.desc == "TABLE DATA":
        yield Named(database, "rows of", in_schema(*table_of(entry)))
    elif entry.desc == "SEQUENCE SET":
        yield Named(database, "sequence value", name)
    elif entry.desc == "MATERIALIZED VIEW DATA":
        yield Named(database, "state of materialized view", name)
    elif is_object(entry):
        named = name_entry(database, entry)
        yield named
        yield Named(database, f"owner of {named.kind}", named.name)
        yield Named(database, f"tablespace of {named.kind}", named.name)


def _of_database(database: str, sql: str) -> Iterator[Named]:
    """Yield what a statement about the database itself would have made."""
    for statement in statements(sql):
        words = [token.upper() for token in statement]
        if words[0] == "ALTER" and "SET" in words[:-1]:
            name = name_of(statement[words.index("SET") + 1])
            of_role = f" of role {name_of(statement[2])}" if words[1] == "ROLE" else ""
            yield Named(database, "database setting", f"{name}{of_role}")
        elif words[0] in {"GRANT", "REVOKE"}:
            yield Named(database, "rights on database", database)
        elif words[0] == "COMMENT":
            yield Named(database, "comment on database", database)
