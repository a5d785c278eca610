"""Times and durations as Azure Backup writes them."""

from datetime import UTC, datetime, timedelta

UNFINISHED = "0001-01-01T00:00:00Z"
"""`endTime` of an operation that runs."""


def wire_time(moment: datetime) -> str:
    """Write a time in UTC with seven digits and a final `Z`, which clients cut off before they parse."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"


def plain_time(moment: datetime) -> str:
    """Write a time in UTC as RFC 3339, with a fraction only where there is one."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_time(text: str) -> datetime | None:
    """Read a time or a date as clients write it, UTC where it names no zone; nothing when it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def wire_duration(duration: timedelta) -> str:
    """Write an ISO 8601 duration of hours, minutes and seconds, such as `PT2M5.65S`."""
    seconds = max(duration, timedelta()).total_seconds()
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:.6f}".rstrip("0").rstrip(".")
    parts = (f"{int(hours)}H" if hours else "", f"{int(minutes)}M" if minutes else "", f"{text}S" if rest else "")
    return f"PT{''.join(parts) or '0S'}"
