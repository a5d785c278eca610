"""Verdicts in sentences: rendered when somebody asks, never stored."""

from collections.abc import Mapping
from datetime import date, datetime

from flexvault.domain.retention import Decision, PointFacts, Reason, Verdict
from flexvault.domain.tagging import Because


def explain(verdict: Verdict) -> str:
    """Say what becomes of a point and why.

    Such as: kept until 2031-03-01: first successful backup of March 2024, rule Monthly.
    """
    point = verdict.point
    others = "; ".join(_explain_block(reason, point) for reason in verdict.reasons[1:])
    match verdict.reasons[0]:
        case Reason.RETENTION_RULE:
            text = f"kept until {_date(point.expiry_time)}: {explain_tag(point)}"
            return f"{text}; {others}" if others else text
        case Reason.PROTECTION_STOPPED:
            return "kept for ever: the protection of its server was stopped and the data are retained"
        case Reason.SOFT_DELETED:
            until = f" until {_date(point.purge_at)}" if point.purge_at else ""
            return f"kept{until}: its backup instance is soft-deleted, and can be undeleted until then"
        case Reason.DATA_DELETION_APPROVED:
            begin = "to be deleted: the deletion of the data was approved"
        case _:
            begin = f"expired {_date(point.expiry_time)}: {explain_tag(point)}"
    match verdict.decision:
        case Decision.KEEP:
            return f"{begin}; kept because {_NEWEST[verdict.reasons[1]]}"
        case Decision.BLOCKED:
            return f"{begin}; not deleted: {others}"
        case Decision.EXPIRE:
            return begin


def explain_end(verdict: Verdict) -> str:
    """Say why a point goes, or will go when its time has come."""
    if verdict.reasons[0] is not Reason.RETENTION_RULE:
        return explain(verdict)
    return f"expires {_date(verdict.point.expiry_time)}: {explain_tag(verdict.point)}"


def explain_tag(point: PointFacts) -> str:
    """Say why a point is under its rule."""
    return f"{describe_because(point.because, point.day)}, rule {point.tag}" if point.because else f"rule {point.tag}"


def describe_because(because: str, day: str) -> str:
    """Say in words why a tag matched on a date."""
    at = date.fromisoformat(day)
    year, week, _ = at.isocalendar()
    texts: Mapping[str, str] = {
        Because.FIRST_OF_DAY: f"first successful backup of {at.isoformat()}",
        Because.FIRST_OF_WEEK: f"first successful backup of ISO week {year}-W{week:02d}",
        Because.FIRST_OF_MONTH: f"first successful backup of {at:%B} {at.year}",
        Because.FIRST_OF_YEAR: f"first successful backup of {at.year}",
        Because.CALENDAR: f"backup of {at:%A} {at.isoformat()}",
        Because.ON_DEMAND: f"on-demand backup of {at.isoformat()}",
        Because.ALL_BACKUP: f"backup of {at.isoformat()}, as every backup",
    }
    return texts.get(because, f"backup of {at.isoformat()}, for which no other tag matched")


def _explain_block(reason: Reason, point: PointFacts) -> str:
    match reason:
        case Reason.LEGAL_HOLD:
            return f"a legal hold stands ({', '.join(point.holds)})"
        case Reason.IMMUTABLE:
            return f"immutable until {point.immutable_until.isoformat() if point.immutable_until else ''}"
        case Reason.RESTORE_RUNNING:
            return f"{point.readers} running restore(s) read it"
        case Reason.UNCERTAIN:
            return point.problem
        case Reason.POISONING_SUSPECTED:
            named = ", ".join(point.suspects[-_NAMED:])
            return f"expiry is paused until somebody acknowledges what a backup lost (recovery point {named})"
        case _:
            return reason.value


_NEWEST = {
    Reason.NEWEST_GOOD_POINT: "it is the newest good recovery point of its server",
    Reason.NO_NEWER_UNBROKEN_POINT: "its server has no newer recovery point that was never found broken: a deep "
    "verification deletes nothing",
}
"""Why a point is kept although it has expired."""
_NAMED = 3


def _date(moment: datetime) -> str:
    return moment.date().isoformat()
