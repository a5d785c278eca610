"""What the tables show of a recovery point's contents, and of what a restore would do."""

from collections.abc import Callable

from flexvault_cli.output import Columns
from flexvault_cli.planning_views import write_bytes
from flexvault_cli.views import member, short_time
from flexvault_cli.wire import Json, dig, dig_list


def printable(value: object) -> str:
    """Write a name that a source server chose so that it cannot steer the terminal; nothing for no name."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def describe_source(rows: list[Json]) -> list[str]:
    """Say where the rows' counts come from."""
    if not rows:
        return []
    moments = {short_time(row["verifiedAt"]) for row in rows if row.get("verifiedAt")}
    if not moments:
        return ["nothing was counted: no deep verification covers this; names are of the tables of contents"]
    return [f"counted by the deep verification of {', '.join(sorted(moments))}"]


def describe_choice(outline: Json) -> list[str]:
    """Say which databases a restore rebuilds and which it leaves out, for whoever starts it."""
    lines = [f"rebuilds: {', '.join(_names(outline, 'databases'))}"] if dig_list(outline, "databases") else []
    return lines + _left_out(outline)


def describe_outline(outline: Json) -> list[str]:
    """Tell the order of a rebuild, and everything that it does not simply restore."""
    if dig(outline, "problem"):
        return [f"no outline: {outline['problem']}"]
    steps = list(dict.fromkeys(str(step.get("step")) for step in dig_list(outline, "steps")))
    notes = [
        f"{printable(database.get('name'))}: {note.get('count')} {note.get('kind')} {note.get('treatment')} "
        f"({', '.join(map(printable, note.get('names') or []))}): {note.get('reason')}"
        for database in dig_list(outline, "databases")
        for note in dig_list(database, "notes")
    ]
    verified = short_time(dig(outline, "verifiedAt"))
    return [
        f"copies {write_bytes(dig(outline, 'sizeInBytes'))}; rows as of the deep verification of {verified}"
        if verified
        else f"copies {write_bytes(dig(outline, 'sizeInBytes'))}; rows were never counted",
        f"order, for each database: {', '.join(steps)}",
        f"roles: {dig(outline, 'rolesFile') or 'the recovery point has no file of them'}",
        *_left_out(outline),
        *notes,
        *(f"never restored: {never}" for never in dig_list(outline, "neverRestored")),
    ]


def _left_out(outline: Json) -> list[str]:
    return [
        f"leaves out: {printable(one.get('name') or one.get('file') or 'a file')}: {printable(one.get('reason'))}"
        for one in dig_list(outline, "leftOut")
    ]


def _names(outline: Json, path: str) -> list[str]:
    return [printable(one.get("name")) for one in dig_list(outline, path)]


def _name(path: str) -> Callable[[Json], object]:
    """Show a name that a source server chose, see `printable`."""
    return lambda row: printable(dig(row, path))


def _size(path: str) -> Callable[[Json], object]:
    def read(row: Json) -> object:
        value = dig(row, path)
        return None if value is None else write_bytes(value)

    return read


CONTENTS: Columns = {
    "database": _name("database"),
    "kind": member("kind"),
    "schema": _name("schema"),
    "name": _name("name"),
    "owner": _name("owner"),
    "rows": member("rows"),
    "size": _size("sizeInBytes"),
    "count": member("count"),
    "file": _size("fileSizeInBytes"),
    "digest": member("digest"),
    "not counted": member("notCounted"),
}
CONTENTS_DROPPED = ("digest", "not counted", "file", "count")
OUTLINE: Columns = {
    "name": _name("name"),
    "owner": _name("owner"),
    "encoding": member("encoding"),
    "tables": member("tables"),
    "rows": member("rows"),
    "file": _size("sizeInBytes"),
    "extensions": lambda database: ", ".join(map(printable, database.get("extensions") or [])),
}
OUTLINE_DROPPED = ("encoding", "rows", "tables")
