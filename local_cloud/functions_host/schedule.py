"""NCRONTAB schedules of timer triggers."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from croniter import croniter

_SECONDS_FIRST = 6
_FIELDS = (5, _SECONDS_FIRST)
_MONITOR_FROM = timedelta(minutes=1)
_SAMPLES = 12


class ScheduleError(ValueError):
    """The text is not an NCRONTAB expression."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a timer is due, in UTC.

    NCRONTAB has six fields with seconds first (five are accepted too), and a day must match day-of-month *and*
    day-of-week: `0 0 0 13 * 5` is Friday the 13th.
    https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
    """

    expression: str

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read an expression.

        Raises:
            ScheduleError: It is none, or it is a TimeSpan, which this host does not emulate.
        """
        fields = text.split()
        try:
            if len(fields) not in _FIELDS:
                raise ScheduleError(f"'{text}' is not an NCRONTAB expression of five or six fields")
            croniter.expand(text, second_at_beginning=len(fields) == _SECONDS_FIRST)
        except ValueError as error:
            raise ScheduleError(f"'{text}' is not an NCRONTAB expression: {error}") from error
        return cls(expression=text)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time after `moment` (aware), never `moment` itself."""
        seconds_first = len(self.expression.split()) == _SECONDS_FIRST
        due: datetime = croniter(self.expression, moment, second_at_beginning=seconds_first, day_or=False).get_next(
            datetime
        )
        return due

    def is_monitored(self, as_of: datetime) -> bool:
        """Say whether missed due times are made up for: only if none comes less than a minute after another."""
        due = [as_of]
        for _ in range(_SAMPLES):
            due.append(self.next_after(due[-1]))
        return all(later - earlier >= _MONITOR_FROM for earlier, later in pairwise(due[1:]))
