"""Times and names as the Blob service writes them."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from xml.sax.saxutils import escape

TICKS_A_SECOND = 10_000_000
"""A version id counts in steps of 100 ns."""
CONTENT_HEADERS = {
    "content-type": "Content-Type",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-md5": "Content-MD5",
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
}
"""How the service writes the headers that are kept with a version, by lower-case name."""


def http_date(moment: datetime) -> str:
    """Write a moment as HTTP does: to whole seconds, in GMT."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def http_date_of(seconds: int) -> str:
    """Write seconds since 1970 as HTTP does."""
    return http_date(datetime.fromtimestamp(seconds, UTC))


def parse_http_date(text: str) -> datetime:
    """Read a date as HTTP writes it.

    Raises:
        ValueError: it is none.
    """
    return _utc(parsedate_to_datetime(text))


def iso_time(moment: datetime) -> str:
    """Write a moment as keys and signatures do: `2026-11-25T23:30:00Z`."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def parse_iso_time(text: str) -> datetime:
    """Read an ISO 8601 moment; one without a zone is UTC.

    Raises:
        ValueError: it is none.
    """
    return _utc(datetime.fromisoformat(text))


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def ticks_of(moment: datetime) -> int:
    """Count the steps of 100 ns from 1970 to a moment."""
    return int(moment.timestamp()) * TICKS_A_SECOND + moment.microsecond * 10


def version_id_of(ticks: int) -> str:
    """Write a version id: `2026-11-25T23:30:00.1234567Z`."""
    seconds, rest = divmod(ticks, TICKS_A_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:07d}Z"


def etag_of(ticks: int) -> str:
    """Write an ETag, which no two versions share."""
    return f'"0x8{ticks:014X}"'


def element(name: str, text: object) -> str:
    """Write an XML element without children."""
    return f"<{name}>{escape(str(text))}</{name}>"


def as_bool(text: str) -> bool | None:
    """Read `true` or `false`; anything else is None."""
    return {"true": True, "false": False}.get(text.strip().lower())
