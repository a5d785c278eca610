"""The six policies, and the lists that are kept of what they do: `policies/{name}.json` and `data/{name}.json`."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.golden.brute_force import Point
from tests.golden.comments import COMMENTS

BEGIN, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)
NAMES = tuple(COMMENTS)
_HERE = Path(__file__).parent

type Row = list[str | None]


def read_policy(name: str) -> dict[str, Any]:
    """Answer a policy's properties in Azure's JSON."""
    return json.loads((_HERE / "policies" / f"{name}.json").read_text("utf-8"))


def read_data(name: str) -> dict[str, Any]:
    """Answer what is kept of a policy: `begin`, `end`, `comments`, `columns` and `points`."""
    return json.loads(_data_path(name).read_text("utf-8"))


def write_data(name: str, points: Sequence[Point]) -> None:
    """Write one row a line, so that a difference reads as the backups that it touches."""
    comments = [{"time": time, "comment": text} for time, text in COMMENTS[name]]
    members = {
        "policy": f'"{name}.json"',
        "begin": f'"{wire_time(BEGIN)}"',
        "end": f'"{wire_time(END)}"',
        "comments": _lines(comments),
        "columns": '["time", "tag", "expiry", "deletedAt"]',
        "points": _lines([row_of(point) for point in points]),
    }
    text = ",\n".join(f'"{member}": {value}' for member, value in members.items())
    _data_path(name).write_text(f"{{\n{text}\n}}\n", "utf-8")


def row_of(point: Any) -> Row:
    """Answer the row of a point, of the brute force's or of the engine's."""
    gone = point.deleted_at
    return [wire_time(point.time), point.tag, wire_time(point.expiry), wire_time(gone) if gone else None]


def wire_time(moment: datetime) -> str:
    """Answer a moment in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lines(values: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(json.dumps(value, ensure_ascii=False) for value in values) + "\n]"


def _data_path(name: str) -> Path:
    return _HERE / "data" / f"{name}.json"
