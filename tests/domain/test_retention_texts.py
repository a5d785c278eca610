"""What a person reads of a verdict: why it stays, until when, why it goes or why it may not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flexvault.domain.retention import Decision, PointFacts, Reason, Regime, Verdict, judge
from flexvault.domain.retention_texts import describe_because, explain
from flexvault.domain.tagging import Because

NOW = datetime(2024, 6, 1, tzinfo=UTC)
MARCH = PointFacts(
    instance="i",
    point_id="march",
    chain="c",
    recovery_point_time=datetime(2024, 3, 1, 2, tzinfo=UTC),
    expiry_time=datetime(2031, 3, 1, 2, tzinfo=UTC),
    manifest_hash="h",
    tag="Monthly",
    because="FirstOfMonth",
    day="2024-03-01",
)
GONE = replace(MARCH, expiry_time=datetime(2024, 4, 1, 2, tzinfo=UTC))
NEWER = replace(MARCH, point_id="newer", recovery_point_time=NOW - timedelta(days=1))
WHY = "first successful backup of March 2024, rule Monthly"

TEXTS = [
    pytest.param(MARCH, [], f"kept until 2031-03-01: {WHY}", id="kept by its rule"),
    pytest.param(
        replace(MARCH, holds=("case-7", "audit")),
        [],
        f"kept until 2031-03-01: {WHY}; a legal hold stands (case-7, audit)",
        id="kept by its rule and held",
    ),
    pytest.param(
        replace(MARCH, regime=Regime.FOREVER),
        [],
        "kept for ever: the protection of its server was stopped and the data are retained",
        id="protection stopped",
    ),
    pytest.param(
        GONE,
        [],
        f"expired 2024-04-01: {WHY}; kept because it is the newest good recovery point of its server",
        id="expired, but the newest",
    ),
    pytest.param(GONE, [NEWER], f"expired 2024-04-01: {WHY}", id="expired"),
    pytest.param(
        replace(GONE, holds=("case-7",)),
        [NEWER],
        f"expired 2024-04-01: {WHY}; not deleted: a legal hold stands (case-7)",
        id="expired and held",
    ),
    pytest.param(
        replace(GONE, immutable_until=datetime(2024, 7, 1, tzinfo=UTC), readers=2),
        [NEWER],
        f"expired 2024-04-01: {WHY}; not deleted: immutable until 2024-07-01T00:00:00+00:00; "
        "2 running restore(s) read it",
        id="expired, immutable and being read",
    ),
    pytest.param(
        replace(GONE, is_good=False, problem="its manifest is not the one that was sealed"),
        [NEWER],
        f"expired 2024-04-01: {WHY}; not deleted: its manifest is not the one that was sealed",
        id="expired and doubtful",
    ),
    pytest.param(
        replace(MARCH, regime=Regime.DELETE),
        [],
        "to be deleted: the deletion of the data was approved",
        id="approved deletion, also of the newest",
    ),
    pytest.param(
        replace(MARCH, regime=Regime.DELETE, holds=("case-7",)),
        [],
        "to be deleted: the deletion of the data was approved; not deleted: a legal hold stands (case-7)",
        id="approved deletion of what is held",
    ),
    pytest.param(
        replace(MARCH, because="", day=""), [], "kept until 2031-03-01: rule Monthly", id="a point of an older version"
    ),
]


@pytest.mark.parametrize(("point", "others", "text"), TEXTS)
def test_a_verdict_reads_as_a_sentence(point: PointFacts, others: list[PointFacts], text: str):
    (verdict,) = (one for one in judge([point, *others], NOW) if one.point == point)
    assert explain(verdict) == text


def test_the_page_of_a_point_says_exactly():
    (verdict,) = judge([MARCH], NOW)
    assert explain(verdict) == "kept until 2031-03-01: first successful backup of March 2024, rule Monthly"


BECAUSE = [
    (Because.FIRST_OF_DAY, "2027-01-01", "first successful backup of 2027-01-01"),
    (Because.FIRST_OF_WEEK, "2027-01-01", "first successful backup of ISO week 2026-W53"),
    (Because.FIRST_OF_WEEK, "2027-01-04", "first successful backup of ISO week 2027-W01"),
    (Because.FIRST_OF_MONTH, "2027-01-01", "first successful backup of January 2027"),
    (Because.FIRST_OF_YEAR, "2027-01-01", "first successful backup of 2027"),
    (Because.ALL_BACKUP, "2027-01-01", "backup of 2027-01-01, as every backup"),
    (Because.CALENDAR, "2027-01-01", "backup of Friday 2027-01-01"),
    (Because.DEFAULT, "2027-01-01", "backup of 2027-01-01, for which no other tag matched"),
    (Because.ON_DEMAND, "2027-01-01", "on-demand backup of 2027-01-01"),
]


@pytest.mark.parametrize(("because", "day", "text"), BECAUSE)
def test_why_a_tag_matched_is_told_with_its_period(because: Because, day: str, text: str):
    assert describe_because(because.value, day) == text


def test_every_reason_has_words_of_its_own():
    blocks = (Reason.LEGAL_HOLD, Reason.IMMUTABLE, Reason.RESTORE_RUNNING, Reason.UNCERTAIN, Reason.POISONING_SUSPECTED)
    point = replace(GONE, holds=("case-7",), readers=1, problem="odd", immutable_until=NOW, suspects=("lost",))
    verdict = Verdict(point=point, decision=Decision.BLOCKED, reasons=(Reason.EXPIRED, *blocks))
    told = explain(verdict)
    assert all(block.value not in told for block in blocks)
    assert told.count(";") == len(blocks)
