"""What hypothesis draws from."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
    "Antarctica/Troll",
)
"""Shifts of an hour, of half an hour, of two hours, at midnight, of a whole day, and none."""

moments = st.integers(min_value=0, max_value=25 * 366 * 24 * 60).map(
    lambda minutes: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
zones = st.sampled_from(ZONES)
