"""What the tables show of simulations, previews and schedules."""

from collections.abc import Callable
from itertools import groupby

from flexvault_cli.output import Columns
from flexvault_cli.views import member, moment, short_time, write_bytes
from flexvault_cli.wire import Json, dig, dig_list

MOST_MONTHS = 24
"""A longer simulation has a row for each year."""


def count_by_tag(simulation: Json) -> list[Json]:
    """Count what a simulation created under each tag and what of it exists at its end; the most frequent tag first."""
    deleted = {dig(deletion, "recoveryPoint") for deletion in dig_list(simulation, "deletions")}
    by_tag: dict[str, list[Json]] = {}
    for point in dig_list(simulation, "recoveryPoints"):
        by_tag.setdefault(str(point.get("retentionTag")), []).append(point)
    rows: list[Json] = []
    for tag, points in sorted(by_tag.items(), key=lambda item: -len(item[1])):
        kept = sorted(str(point.get("time")) for point in points if point.get("time") not in deleted)
        rows.append({"tag": tag, "created": len(points), "kept": len(kept), "oldest": kept[0] if kept else None})
    return rows


def list_periods(simulation: Json) -> list[Json]:
    """Answer what exists at the end of each month, or of each year when there are many months."""
    counts: Json = simulation.get("countByMonth") or {}
    sizes: Json = simulation.get("storageBytesByMonth") or {}
    months = sorted(counts)
    rows: list[Json] = [{"end": month, "count": counts[month], "bytes": sizes.get(month)} for month in months]
    if len(rows) <= MOST_MONTHS:
        return rows
    return [list(year)[-1] for _, year in groupby(rows, key=lambda row: row["end"][:4])]


def describe_warnings(simulation: Json) -> list[str]:
    """Answer a line for each thing in the policy that has no effect."""
    return [f"warning: {warning.get('message')}" for warning in dig_list(simulation, "warnings")]


def describe_total(preview: Json) -> list[str]:
    """Answer how much would be deleted, in a line; none for nothing."""
    count, size = len(dig_list(preview, "deletions")), write_bytes(preview.get("deletedBytes"))
    return [f"{count} to be deleted{f', {size}' if size else ''}"] if count else []


def describe_held_back(preview: Json) -> list[str]:
    """Answer a line for each reason for which the next plan would delete nothing."""
    return [f"held back: {reason}" for reason in dig(preview, "heldBack") or ()]


def describe_blocked(preview: Json) -> list[str]:
    """Answer a line for each recovery point that would go and may not, with what keeps it and until when."""
    blocked = [point for point in dig_list(preview, "recoveryPoints") if point.get("decision") == "blocked"]
    return [f"blocked: {point.get('recoveryPoint')}: {point.get('text')}" for point in blocked]


def _move(name: str, show: Callable[[object], str]) -> Callable[[Json], object]:
    """Show a member before and after, or once when nothing changes."""

    def read(change: Json) -> str:
        before, after = (show(dig(change, f"{side}.{name}")) for side in ("before", "after"))
        return before if before == after else f"{before} -> {after}"

    return read


def _date_or_kept(value: object) -> str:
    return str(value)[:10] if value else "kept"


def _missed(schedule: Json) -> list[str]:
    return [_describe_missed(record) for record in dig_list(schedule, "missed")]


def _describe_missed(record: Json) -> str:
    """A record with a count is of missed slots; one without is of a pause, in which nothing was due."""
    first, last = short_time(record.get("first")), short_time(record.get("last"))
    when = first if first == last else f"{first} to {last}"
    count = record.get("count")
    return f"{when}: {record.get('reason')}" if count is None else f"{when}: {count}, {record.get('reason')}"


TAGS: Columns = {
    "tag": member("tag"),
    "created": member("created"),
    "kept": member("kept"),
    "oldest": moment("oldest"),
}
PERIODS: Columns = {"end of": member("end"), "points": member("count")}
STORED_PERIODS: Columns = {**PERIODS, "storage": lambda row: write_bytes(row.get("bytes"))}
DELETIONS: Columns = {
    "when": moment("time"),
    "id": member("recoveryPoint"),
    "taken": moment("recoveryPointTime"),
    "reason": member("reason"),
}
DELETIONS_DROPPED = ("taken",)
CHANGES: Columns = {
    "id": member("recoveryPoint"),
    "taken": moment("time"),
    "tag": _move("retentionTag", str),
    "expires": _move("expiry", _date_or_kept),
    "deleted": _move("deletedAt", _date_or_kept),
}
CHANGES_DROPPED = ("deleted", "taken")
REEVALUATED: Columns = {
    "recovery points changed": member("changed"),
    "that expire earlier": member("earlier"),
    "that expire later": member("later"),
}
SCHEDULE: Columns = {
    "next": lambda schedule: short_time(schedule.get("nextSlot")) or "none is due",
    "last": moment("lastSlot"),
    "counts from": moment("slotsFrom"),
    "missed": _missed,
}
