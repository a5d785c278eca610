"""What became of the objects: the table at the end of a rebuild, on the screen and as files beside the kit."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from flexvault.domain.sql_text import one_line, readable

type State = Literal["restored", "refreshed", "left out", "refused", "lost", "ask", "not compared"]

REPORT: Final = "rebuild-report"
_WIDEST: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the table.

    Attributes:
        database: Where the object lies; empty for what belongs to the server.
        kind: Of the object, in words.
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
        return one_line(f"{self.database}: {self.kind} {self.name}" if self.database else f"{self.kind} {self.name}")

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
    """Write the table: object, state, reason."""
    rows = [("object", "state", "reason"), *((item.object, item.state, one_line(item.reason)) for item in outcomes)]
    width = min(max(len(row[0]) for row in rows), _WIDEST)
    return [f"{name:<{width}}  {state:<12}  {reason}".rstrip() for name, state, reason in rows]


def write_report(folder: Path, facts: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Path:
    """Write `rebuild-report.json` and `.txt`; answer the path of the text.

    The first keeps, as `earlier`, what an earlier run of the same kit said of databases that this one did not make.
    """
    path = folder / f"{REPORT}.json"
    earlier = _earlier(path, facts, outcomes)
    stored = {**facts, "objects": [outcome.to_json() for outcome in outcomes], "earlier": earlier}
    path.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    path = folder / f"{REPORT}.txt"
    path.write_text("\n".join(table(outcomes)) + "\n", encoding="utf-8")
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
