"""What the tables show of a recovery point's contents, and of what a restore would do."""

from collections.abc import Callable, Mapping

from flexvault_cli.output import Columns
from flexvault_cli.views import byte_count, member, short_time, write_bytes
from flexvault_cli.wire import Json, dig, dig_list


def printable(value: object) -> str:
    """Write a name that a source server chose so that it cannot steer the terminal; nothing for no name."""
    text = "" if value is None else str(value)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def describe_nothing(chosen: Mapping[str, str | None]) -> str:
    """Say of what nothing was found."""
    named = [f"{name} '{value}'" for name, value in chosen.items() if value]
    return printable(f"nothing found of {', '.join(named)}") if named else "nothing found"


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
        *_order(outline),
        f"roles: {dig(outline, 'rolesFile') or 'the recovery point has no file of them'}",
        *_left_out(outline),
        *notes,
        *(f"never restored: {never}" for never in dig_list(outline, "neverRestored")),
    ]


def _order(outline: Json) -> list[str]:
    """Tell the order of the steps: first what is done once, then what is done for each database."""
    steps = dig_list(outline, "steps")
    once = list(dict.fromkeys(str(step.get("step")) for step in steps if not step.get("database")))
    each = list(dict.fromkeys(str(step.get("step")) for step in steps if step.get("database")))
    told = [*([f"{', '.join(once)} once"] if once else []), *([f"each database: {', '.join(each)}"] if each else [])]
    return [f"order: {'; then '.join(told)}"] if told else []


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


CONTENTS: Columns = {
    "database": _name("database"),
    "kind": member("kind"),
    "schema": _name("schema"),
    "name": _name("name"),
    "owner": _name("owner"),
    "rows": member("rows"),
    "size": byte_count("sizeInBytes"),
    "count": member("count"),
    "file": byte_count("fileSizeInBytes"),
    "digest": member("digest"),
    "not counted": member("notCounted"),
}
CONTENTS_DROPPED = ("digest", "file", "count", "not counted")
OUTLINE: Columns = {
    "name": _name("name"),
    "owner": _name("owner"),
    "encoding": member("encoding"),
    "tables": member("tables"),
    "rows": member("rows"),
    "file": byte_count("sizeInBytes"),
    "extensions": lambda database: ", ".join(map(printable, database.get("extensions") or [])),
}
OUTLINE_DROPPED = ("encoding", "rows", "tables")
