"""What became of the objects: the table at the end of a rebuild, on the screen and as files beside the kit."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, cast

from flexvault.domain.sql_text import one_line, readable

type State = Literal["restored", "refreshed", "left out", "refused", "lost", "ask", "not compared"]

REPORT: Final = "rebuild-report"
_WIDEST: Final = 60


_WORDS: Final = {
    "acl": "privileges",
    "blob": "large object",
    "blob comments": "comments of large objects",
    "blob metadata": "large objects",
    "blobs": "contents of large objects",
    "default acl": "default privileges",
    "fk constraint": "foreign key",
    "index attach": "index of partition",
    "materialized view data": "contents of materialized view",
    "publication tables in schema": "schema in publication",
    "publication table": "table in publication",
    "sequence owned by": "owner of sequence",
    "sequence set": "value of sequence",
    "shell type": "unfinished type",
    "table attach": "partition",
    "table data": "rows of table",
}
"""pg_dump's words for kinds of entries, in PostgreSQL's."""


def in_words(kind: str) -> str:
    """Name a kind of objects for people; the report's JSON keeps pg_dump's word."""
    return _WORDS.get(kind, kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the table.

    Attributes:
        database: Where the object lies; empty for what belongs to the server.
        kind: Of the object: pg_dump's word in small letters, or one of the kit's.
        name: Exact, or a number of objects where all of a kind went well.
        reason: Why; empty for what was simply restored.
        dump_id: Of the archive's entry, 0 where it is none.
    """

    database: str
    kind: str
    name: str
    state: State
    reason: str = ""
    dump_id: int = 0

    @property
    def object(self) -> str:
        """Name it in one line."""
        text = f"{in_words(self.kind)} {self.name}"
        return one_line(f"{self.database}: {text}" if self.database else text)

    def to_json(self) -> dict[str, Any]:
        """Write it for the report."""
        return {
            "database": readable(self.database),
            "kind": self.kind,
            "name": readable(self.name),
            "state": self.state,
            "reason": readable(self.reason),
            "dumpId": self.dump_id,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Outcome":
        """Read what an earlier run noted."""
        return cls(
            database=stored["database"],
            kind=stored["kind"],
            name=stored["name"],
            state=cast("State", stored["state"]),
            reason=stored["reason"],
            dump_id=stored["dumpId"],
        )


def dump_outcomes(outcomes: Iterable[Outcome]) -> str:
    """Write outcomes as JSON."""
    return json.dumps([outcome.to_json() for outcome in outcomes], ensure_ascii=True)


def load_outcomes(text: str) -> list[Outcome]:
    """Read them back."""
    return [Outcome.from_json(stored) for stored in json.loads(text)]


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Write the table: state, object, reason. A name of any length leaves the first column as it is."""
    rows = [("state", "object", "reason"), *((item.state, item.object, one_line(item.reason)) for item in outcomes)]
    width = min(max(len(row[1]) for row in rows), _WIDEST)
    return [f"{state:<12}  {name:<{width}}  {reason}".rstrip() for state, name, reason in rows]


class Heading(Protocol):
    """What a report is about."""

    def to_json(self) -> dict[str, Any]: ...

    def lines(self) -> list[str]: ...


def write_report(folder: Path, about: Heading, outcomes: Sequence[Outcome]) -> Path:
    """Write `rebuild-report.json` and `.txt`; answer the path of the text.

    The first keeps, as `earlier`, what an earlier run of the same kit said of databases that this one did not make.
    """
    facts = about.to_json()
    path = folder / f"{REPORT}.json"
    earlier = _earlier(path, facts, outcomes)
    stored = {**facts, "objects": [outcome.to_json() for outcome in outcomes], "earlier": earlier}
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path = folder / f"{REPORT}.txt"
    path.write_text("\n".join([*about.lines(), *table(outcomes)]) + "\n", encoding="utf-8")
    return path


def _earlier(path: Path, facts: Mapping[str, Any], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    try:
        stored = json.loads(path.read_bytes())
        known = [*stored["objects"], *stored["earlier"]] if stored["kitId"] == facts["kitId"] else []
    except (OSError, ValueError, KeyError, TypeError):  # there is none, or it is none of these
        return []
    # Roles are of no database: what was said of them holds until they are made anew.
    made = {readable(item.database) for item in outcomes if item.database}
    now = [item.to_json() for item in outcomes]
    return [item for item in known if item["database"] not in made and item not in now]
