"""Time zones by their names: IANA's, those of Windows and .NET, and fixed offsets.

Zone data come from the package tzdata alone, so that a policy means the same on every machine: zoneinfo would read the
machine's own files first, and those that PYTHONTZPATH names.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

from flexvault.domain.windows_zones import DISPLAY_NAMES, FORMER_DISPLAY_NAMES, STANDARD_NAMES

_UTC_NAMES = frozenset(
    {"", "z", "utc", "coordinated universal time", "uct", "universal", "zulu"}
    | {"etc/utc", "etc/uct", "etc/universal", "etc/zulu"}
)
_OFFSET = re.compile(r"(UTC)?(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>[0-5]\d)", re.ASCII | re.IGNORECASE)
_LARGEST_OFFSET = timedelta(hours=14)
_PREFIX = re.compile(r"\(UTC([+-]\d\d:\d\d)?\) ", re.ASCII)
_UNSET = "Factory"
"""Listed by tzdata for machines whose zone was never set."""


def find_zone(name: str) -> tzinfo | None:
    """Find a time zone by its name, in any case; nothing when no zone is named so.

    Args:
        name: An IANA name, the id, display name or standard name of a Windows zone, or an offset such as +05:30 or
            UTC+05:30, up to 14 hours. Blank means UTC.
    """
    wanted = name.strip()
    offset = _OFFSET.fullmatch(wanted)
    if offset:
        return _fixed(offset)
    wanted = wanted.casefold()
    if wanted in _UTC_NAMES:
        return UTC
    canonical = _iana_names().get(wanted) or _WINDOWS.get(wanted)
    return _load(canonical) if canonical else None


def zone_name(zone: tzinfo) -> str:
    """Answer the one name of a zone, by which it is found again: Europe/Berlin, UTC or +05:30."""
    if isinstance(zone, ZoneInfo):
        return str(zone)
    minutes = (zone.utcoffset(None) or timedelta()) // timedelta(minutes=1)
    if minutes == 0:
        return "UTC"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _fixed(match: re.Match[str]) -> tzinfo | None:
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"]))
    if offset > _LARGEST_OFFSET:
        return None
    return timezone(-offset if match["sign"] == "-" else offset)


@cache
def _iana_names() -> Mapping[str, str]:
    """Map the folded name of each IANA zone to the name as IANA writes it."""
    listed = (files("tzdata") / "zones").read_text(encoding="ascii").split()
    return {name.casefold(): name for name in listed if name != _UNSET}


@cache
def _load(canonical: str) -> tzinfo:
    if canonical.casefold() in _UTC_NAMES:
        return UTC
    with files("tzdata").joinpath("zoneinfo", *canonical.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=canonical)


def _index_windows_names() -> Mapping[str, str]:
    """Map each folded name of a Windows zone to its IANA zone; short display names only where one zone is meant."""
    ids = {zone_id: zone_id for zone_id in win_tz}
    displayed = {display: zone_id for zone_id, display in DISPLAY_NAMES.items()} | dict(FORMER_DISPLAY_NAMES)
    meant: dict[str, set[str]] = defaultdict(set)
    for display, zone_id in displayed.items():
        meant[_PREFIX.sub("", display)].add(zone_id)
    short = {name: next(iter(zone_ids)) for name, zone_ids in meant.items() if len(zone_ids) == 1}
    names = short | displayed | dict(STANDARD_NAMES) | ids
    return {name.casefold(): win_tz[zone_id] for name, zone_id in names.items() if zone_id in win_tz}


_WINDOWS = _index_windows_names()
