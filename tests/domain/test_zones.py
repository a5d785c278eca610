"""Which names a time zone has, and where its data come from."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tzlocal.windows_tz import win_tz

from flexvault.domain.windows_zones import DISPLAY_NAMES, FORMER_DISPLAY_NAMES, STANDARD_NAMES
from flexvault.domain.zones import find_zone, zone_name

ROOT = Path(__file__).parents[2]
IANA_NAMES = [name for name in (files("tzdata") / "zones").read_text().split() if name != "Factory"]


def named(name: str) -> str:
    zone = find_zone(name)
    assert zone is not None, name
    return zone_name(zone)


def swapped(name: str) -> str:
    return name.swapcase()


NAMES = [
    pytest.param("", "UTC", id="nothing is UTC"),
    pytest.param(" \t ", "UTC", id="blank is UTC"),
    pytest.param("UTC", "UTC", id="UTC"),
    pytest.param("utc", "UTC", id="UTC in lower case"),
    pytest.param("Z", "UTC", id="UTC as ISO 8601 writes it"),
    pytest.param("z", "UTC", id="UTC as ISO 8601 writes it, in lower case"),
    pytest.param("Etc/UTC", "UTC", id="UTC by its IANA name"),
    pytest.param("Etc/Zulu", "UTC", id="UTC by another IANA name"),
    pytest.param("+00:00", "UTC", id="no offset is UTC"),
    pytest.param("-00:00", "UTC", id="no offset westward is UTC"),
    pytest.param("UTC+00:00", "UTC", id="UTC and no offset is UTC"),
    pytest.param("Coordinated Universal Time", "UTC", id="UTC by its Windows standard name (the portal)"),
    pytest.param("(UTC) Coordinated Universal Time", "UTC", id="UTC by its Windows display name"),
    pytest.param("Europe/Berlin", "Europe/Berlin", id="an IANA name"),
    pytest.param("europe/berlin", "Europe/Berlin", id="an IANA name in lower case"),
    pytest.param("  Europe/Berlin\n", "Europe/Berlin", id="blanks around a name"),
    pytest.param("AMERICA/ARGENTINA/BUENOS_AIRES", "America/Argentina/Buenos_Aires", id="an IANA name of three parts"),
    pytest.param("Asia/Calcutta", "Asia/Calcutta", id="an IANA name kept for old times' sake"),
    pytest.param("CET", "CET", id="an IANA name of one part"),
    pytest.param("Etc/GMT-3", "Etc/GMT-3", id="an IANA name that counts westward"),
    pytest.param("Eastern Standard Time", "America/New_York", id="a Windows id"),
    pytest.param("eastern standard time", "America/New_York", id="a Windows id in lower case"),
    pytest.param("UTC-11", "Etc/GMT+11", id="a Windows id that looks like an offset"),
    pytest.param("British Columbia Standard Time", "America/Vancouver", id="a Windows id without a display name"),
    pytest.param("(UTC-05:00) Eastern Time (US & Canada)", "America/New_York", id="a display name"),
    pytest.param("(utc-05:00) EASTERN TIME (US & Canada)", "America/New_York", id="a display name in any case"),
    pytest.param("Eastern Time (US & Canada)", "America/New_York", id="a display name without its offset"),
    pytest.param("(UTC+13:00) Nuku'alofa", "Pacific/Tongatapu", id="a display name with an apostrophe"),
    pytest.param("(UTC+06:00) Astana", "Asia/Bishkek", id="a former display name"),
    pytest.param("(UTC+05:00) Astana", "Asia/Qyzylorda", id="the same place under its newer display name"),
    pytest.param("Nur-Sultan", "Asia/Bishkek", id="a former display name without its offset"),
    pytest.param("Jerusalem Standard Time", "Asia/Jerusalem", id="a standard name that is not the id"),
    pytest.param("+05:30", "+05:30", id="an offset eastward"),
    pytest.param("-08:00", "-08:00", id="an offset westward"),
    pytest.param("UTC+05:45", "+05:45", id="an offset from UTC"),
    pytest.param("utc-00:30", "-00:30", id="an offset of less than an hour westward"),
    pytest.param("+14:00", "+14:00", id="the largest offset"),
    pytest.param("-14:00", "-14:00", id="the largest offset westward"),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_a_zone_is_found_by(name: str, expected: str):
    assert named(name) == expected


NO_ZONES = [
    pytest.param("Mars/Olympus", id="a place without a zone"),
    pytest.param("Europe", id="a folder of the zone data"),
    pytest.param("Europe/", id="a folder with a slash"),
    pytest.param("/Europe/Berlin", id="a zone as an absolute path"),
    pytest.param("Europe//Berlin", id="a zone with an empty part"),
    pytest.param("../zones", id="a path upwards"),
    pytest.param("Europe/../Europe/Berlin", id="a path upwards and down again"),
    pytest.param("../../../../etc/passwd", id="a file of the machine"),
    pytest.param("/etc/localtime", id="the machine's own zone by its path"),
    pytest.param("localtime", id="the machine's own zone"),
    pytest.param("posixrules", id="the machine's rules"),
    pytest.param("posix/Europe/Berlin", id="a copy that only machines have"),
    pytest.param("Factory", id="the zone of machines without one"),
    pytest.param("factory", id="the zone of machines without one in lower case"),
    pytest.param("tzdata.zi", id="a file of the zone data that is no zone"),
    pytest.param("__init__.py", id="a module of the zone data"),
    pytest.param("EST5EDT4,M3.2.0,M11.1.0", id="a rule as TZ takes it"),
    pytest.param(":Europe/Berlin", id="a name as TZ takes it"),
    pytest.param("a\0b", id="a NUL"),
    pytest.param("x" * 5000, id="a long text"),
    pytest.param("Eastern", id="a part of a name"),
    pytest.param("Astana", id="a display name that two zones had"),
    pytest.param("(UTC-08:00) Eastern Time (US & Canada)", id="a display name with the offset of another zone"),
    pytest.param("(UTC-05:00)", id="a display name's offset alone"),
    pytest.param("+14:01", id="more than the largest offset"),
    pytest.param("-15:00", id="more than the largest offset westward"),
    pytest.param("+05:60", id="sixty minutes"),
    pytest.param("+5:30", id="an hour of one digit"),
    pytest.param("+0530", id="an offset without a colon"),
    pytest.param("05:30", id="an offset without a sign"),
    pytest.param("+05:30:00", id="an offset with seconds"),
    pytest.param("+\u0660\u0665:30", id="digits of another script"),
    pytest.param("GMT-3", id="hours from GMT, which count either way"),
    pytest.param("GMT+05:30", id="an offset from GMT, which counts either way"),
    pytest.param("None", id="a null that became a text"),
]


@pytest.mark.parametrize("name", NO_ZONES)
def test_no_zone_is_found_by(name: str):
    assert find_zone(name) is None


@pytest.mark.parametrize("case", [str, str.lower, str.upper, swapped])
def test_every_iana_name_is_found_in_any_case(case: type[str]):
    of_utc = {"Etc/UCT", "Etc/UTC", "Etc/Universal", "Etc/Zulu", "UCT", "UTC", "Universal", "Zulu"}
    assert {name: named(case(name)) for name in IANA_NAMES} == {
        name: "UTC" if name in of_utc else name for name in IANA_NAMES
    }


@pytest.mark.parametrize("case", [str, str.lower, str.upper, swapped])
def test_every_windows_name_is_found_in_any_case(case: type[str]):
    ids = {zone_id: zone_id for zone_id in win_tz}
    displayed = {display: zone_id for zone_id, display in DISPLAY_NAMES.items()}
    for name, zone_id in [
        *ids.items(),
        *displayed.items(),
        *FORMER_DISPLAY_NAMES.items(),
        *STANDARD_NAMES.items(),
    ]:
        expected = "UTC" if zone_id == "UTC" else win_tz[zone_id]
        assert named(case(name)) == expected, name


def test_every_zone_of_windows_has_a_display_name_but_the_newest():
    newest = {"Alberta Standard Time", "British Columbia Standard Time", "Manitoba Standard Time"}
    assert set(win_tz) - set(DISPLAY_NAMES) == newest
    assert set(DISPLAY_NAMES) | set(FORMER_DISPLAY_NAMES.values()) | set(STANDARD_NAMES.values()) <= set(win_tz)


def test_every_display_name_but_one_is_known_without_its_offset():
    short = {zone_id: display.partition(") ")[2] for zone_id, display in DISPLAY_NAMES.items()}
    assert [name for name in short.values() if find_zone(name) is None] == ["Astana"]
    assert {zone_id: find_zone(name) for zone_id, name in short.items() if name != "Astana"} == {
        zone_id: find_zone(zone_id) for zone_id in short if zone_id != "Qyzylorda Standard Time"
    }


@pytest.mark.parametrize(("zone_id", "display"), DISPLAY_NAMES.items())
def test_a_display_name_says_an_offset_that_its_zone_has(zone_id: str, display: str):
    shown = find_zone(display[1 : display.index(")")])
    zone = find_zone(zone_id)
    seasons = [datetime(2025, month, 15, tzinfo=UTC) for month in (1, 7)]
    assert seasons[0].astimezone(shown).utcoffset() in [day.astimezone(zone).utcoffset() for day in seasons]


def test_the_tables_are_sorted():
    for table in (DISPLAY_NAMES, FORMER_DISPLAY_NAMES, STANDARD_NAMES):
        assert list(table) == sorted(table)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param(UTC, "UTC", id="UTC"),
        pytest.param(timezone(timedelta(0), "London"), "UTC", id="no offset under another name"),
        pytest.param(ZoneInfo("Europe/Berlin"), "Europe/Berlin", id="a zone of another source"),
        pytest.param(timezone(timedelta(hours=5, minutes=30), "Delhi"), "+05:30", id="an offset under another name"),
    ],
)
def test_a_zone_is_named(zone: tzinfo, expected: str):
    assert zone_name(zone) == expected


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "Eastern Standard Time", "+05:30", "-00:30"])
def test_a_zone_is_found_again_by_the_name_it_was_given(name: str):
    assert find_zone(named(name)) == find_zone(name)


def test_one_zone_is_one_object_whatever_it_was_called():
    assert find_zone("Romance Standard Time") is find_zone("EUROPE/PARIS")


def test_a_zone_keeps_its_summer_time():
    summer = datetime(2024, 7, 1, 12, tzinfo=find_zone("W. Europe Standard Time"))
    assert summer.astimezone(UTC).hour == 10


TELL = """
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flexvault.domain.zones import find_zone, zone_name

noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
try:
    machine = noon.astimezone(ZoneInfo("Asia/Kathmandu")).strftime("%H:%M")
except ZoneInfoNotFoundError:
    machine = "none"
ours = [noon.astimezone(find_zone(name)).strftime("%H:%M") for name in ("Asia/Kathmandu", "Nepal Standard Time", "")]
print(machine, *ours, find_zone("Own/Zone"), zone_name(find_zone("UTC")))
"""


@pytest.mark.parametrize(
    ("is_wrong", "machine"),
    [
        pytest.param(True, "21:00", id="the machine's folder holds wrong data"),
        pytest.param(False, "17:45", id="the machine's folder is empty"),
    ],
)
def test_the_machine_has_no_say(tmp_path: Path, is_wrong: bool, machine: str):
    if is_wrong:
        tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo").read_bytes()
        for name in ("Asia/Kathmandu", "Own/Zone", "UTC", "Etc/UTC"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(tokyo)
    told = subprocess.run(
        [sys.executable, "-c", TELL],
        env={"PYTHONTZPATH": str(tmp_path), "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    # The first word is what zoneinfo itself would say: it shows that the variable was heeded.
    assert told.stdout.split() == [machine, "17:45", "17:45", "12:00", "None", "UTC"]


def test_zones_are_loaded_without_asking_for_the_machines_zone():
    code = (
        "import tzlocal.unix as u, flexvault.domain.zones as z; z.find_zone('Romance Standard Time');"
        "assert (u._cache_tz, u._cache_tz_name) == (None, None)"
    )
    subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(ROOT), "TZ": "No/Zone"}, check=True)
