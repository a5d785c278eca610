"""What the vault decides where Azure's documentation is silent; docs/policies.md says each in a sentence.

Each name has a test of its own in tests/domain/test_decisions.py.
"""

from calendar import MONDAY
from datetime import UTC, timedelta

DEFAULT_ZONE = UTC
"""Of a policy that names no zone."""
WEEKS_BEGIN_ON = MONDAY
"""ISO weeks."""
FIRST_SLOT_IS_THE_ANCHOR = True
"""An interval's first slot is its start instant; it recurs at that instant's local wall time."""
GAP_GOES_TO_ITS_END = True
"""A wall time that a change of the clocks swallows becomes the first instant after the gap."""
DOUBLED_TIME_IS_ITS_FIRST = True
"""A wall time that occurs twice is its first occurrence."""
ONE_INSTANT_IS_ONE_SLOT = True
"""Two intervals that are due at one instant are one slot."""
MOVED_SLOT_IS_JUDGED_WHERE_IT_RUNS = True
"""By the local date of its instant, not by the wall time that was meant."""
SCHEDULE_TIMES_ARE_WHAT_THE_CLOCK_SHOWS = True
"""When the slot runs; a time that the clocks swallowed on that day is the gap's end."""
HOURS_ARE_ELAPSED = True
"""An interval of hours counts elapsed time from its anchor."""
REFUSED_UNITS = ("M", "Y", "TM", "TS")
"""Units of intervals that are refused: months, years, minutes, seconds."""
MEMBERS_MUST_ALL_MATCH = True
"""Inside one criterion every given member must match, of a list one value; of a tag's criteria one must match."""
FIRST_COUNTS_ANY_POLICY = True
"""First of a period: of the server's successful scheduled backups, whatever policy they ran under."""
FIRST_COUNTS_ON_DEMAND = False
"""An on-demand backup is no slot: it never uses up a period's tag."""
ONE_TAG_PER_POINT = True
"""The matching tag with the smallest priority."""
EXPIRY_ZONE = UTC
"""Expiry is calendar arithmetic on this calendar, clipped to the month's end."""
CATCH_UP_AFTER = timedelta(hours=1)
"""A backup that started later than this after its slot is tagged by the date on which it ran."""
SUSPECT_FALL_PERCENT = 60
"""A backup whose size fell by so much since the good one before may be poisoned: expiry waits for a person."""
SIMULATION_RUNS_SINCE_THE_ANCHOR = True
"""A backup before the simulation's begin can have been the first of its period."""
