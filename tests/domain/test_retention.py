"""Which recovery points may go: rules as a table, promises as properties."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.retention import PURGE_WAITS, Decision, PointFacts, Reason, Regime, describe_reason, judge
from flexvault.domain.retention_texts import explain

NOW = datetime(2026, 6, 1, tzinfo=UTC)
FOREVER, DELETE = Regime.FOREVER, Regime.DELETE
OLD = PointFacts(
    instance="i",
    point_id="old",
    chain="c",
    recovery_point_time=NOW - timedelta(days=60),
    expiry_time=NOW - timedelta(days=30),
    manifest_hash="h",
)
NEW = replace(OLD, point_id="new", recovery_point_time=NOW - timedelta(days=1), expiry_time=NOW + timedelta(days=29))


@pytest.mark.parametrize(
    ("point", "others", "decision", "reason"),
    [
        pytest.param(OLD, [NEW], Decision.EXPIRE, "expired", id="expired"),
        pytest.param(replace(OLD, expiry_time=NOW), [NEW], Decision.EXPIRE, "expired", id="expires at this moment"),
        pytest.param(NEW, [], Decision.KEEP, "kept until 2026-06-30", id="not yet expired"),
        pytest.param(OLD, [], Decision.KEEP, "newest good", id="expired, but the newest good one"),
        pytest.param(OLD, [replace(NEW, is_good=False)], Decision.KEEP, "newest good", id="the newer one is not good"),
        pytest.param(OLD, [replace(NEW, chain="d")], Decision.KEEP, "newest good", id="the newer one is another chain"),
        pytest.param(
            OLD, [replace(NEW, instance="j")], Decision.KEEP, "newest good", id="the newer one is another instance's"
        ),
        pytest.param(replace(OLD, is_good=False), [NEW], Decision.EXPIRE, "expired", id="a bad one goes in its time"),
        pytest.param(replace(OLD, holds=("case-7",)), [NEW], Decision.BLOCKED, "legal hold", id="held"),
        pytest.param(replace(OLD, readers=2), [NEW], Decision.BLOCKED, "2 running restore", id="being read"),
        pytest.param(
            replace(OLD, immutable_until=NOW + timedelta(days=1)), [NEW], Decision.BLOCKED, "immutable", id="immutable"
        ),
        pytest.param(
            replace(OLD, immutable_until=NOW), [NEW], Decision.EXPIRE, "expired", id="immutable until this moment"
        ),
        pytest.param(
            replace(OLD, problem="odd", is_good=False), [NEW], Decision.BLOCKED, "odd", id="expired and doubtful"
        ),
        pytest.param(replace(OLD, regime=FOREVER), [NEW], Decision.KEEP, "for ever", id="protection stopped"),
        pytest.param(replace(OLD, regime=DELETE), [], Decision.EXPIRE, "approved", id="deletion approved, the newest"),
        pytest.param(replace(NEW, regime=DELETE), [], Decision.EXPIRE, "approved", id="deletion approved, not expired"),
        pytest.param(
            replace(OLD, regime=DELETE, purge_at=NOW), [NEW], Decision.KEEP, "soft-deleted", id="soft-deleted, expired"
        ),
        pytest.param(
            replace(NEW, regime=DELETE, purge_at=NOW - PURGE_WAITS), [], Decision.EXPIRE, "approved", id="purged"
        ),
        pytest.param(
            replace(NEW, regime=DELETE, holds=("case-7",)), [], Decision.BLOCKED, "legal hold", id="approved, but held"
        ),
        pytest.param(
            replace(NEW, regime=DELETE, readers=1), [], Decision.BLOCKED, "running restore", id="approved, but read"
        ),
        pytest.param(replace(OLD, suspects=("lost",)), [NEW], Decision.BLOCKED, "is paused", id="suspected"),
        pytest.param(
            replace(OLD, regime=DELETE, suspects=("lost",)), [], Decision.EXPIRE, "approved", id="approved, suspected"
        ),
        pytest.param(
            replace(NEW, regime=DELETE, immutable_until=NOW + timedelta(days=1)),
            [],
            Decision.BLOCKED,
            "immutable",
            id="approved, but immutable",
        ),
    ],
)
def test_a_verdict_has_its_reason(point: PointFacts, others: list[PointFacts], decision: Decision, reason: str):
    verdict = next(verdict for verdict in judge([point, *others], NOW) if verdict.point == point)
    assert verdict.decision is decision
    assert reason in explain(verdict)


def test_every_reason_that_blocks_is_named():
    blocked = replace(OLD, holds=("case-7",), readers=1, immutable_until=NOW + timedelta(days=1))
    assert len(next(verdict for verdict in judge([blocked, NEW], NOW) if verdict.point == blocked).reasons) == 4


FACTS = replace(
    OLD,
    tag="Monthly",
    because="FirstOfMonth",
    day="2026-04-02",
    holds=("case-7",),
    immutable_until=NOW,
    readers=2,
    suspects=("lost",),
    problem="odd",
)
RULE = {"expiryTime": "2026-05-02T00:00:00+00:00", "rule": "Monthly", "because": "FirstOfMonth", "day": "2026-04-02"}


@pytest.mark.parametrize(
    ("reason", "described"),
    [
        (Reason.RETENTION_RULE, {"code": "RetentionRule", **RULE}),
        (Reason.EXPIRED, {"code": "Expired", **RULE}),
        (Reason.PROTECTION_STOPPED, {"code": "ProtectionStopped"}),
        (Reason.NEWEST_GOOD_POINT, {"code": "NewestGoodPoint"}),
        (Reason.DATA_DELETION_APPROVED, {"code": "DataDeletionApproved"}),
        (Reason.UNCERTAIN, {"code": "Uncertain", "problem": "odd"}),
        (Reason.LEGAL_HOLD, {"code": "LegalHold", "holds": ["case-7"]}),
        (Reason.IMMUTABLE, {"code": "Immutable", "until": "2026-06-01T00:00:00+00:00"}),
        (Reason.RESTORE_RUNNING, {"code": "RestoreRunning", "readers": 2}),
        (Reason.POISONING_SUSPECTED, {"code": "PoisoningSuspected", "suspects": ["lost"]}),
    ],
)
def test_a_reason_is_told_to_machines_with_the_facts_it_rests_on(reason: Reason, described: dict[str, object]):
    assert describe_reason(reason, FACTS) == described


def test_every_reason_has_a_description():
    assert [describe_reason(reason, FACTS)["code"] for reason in Reason] == [reason.value for reason in Reason]


def test_a_point_of_an_older_version_tells_no_reason_for_its_tag():
    described = describe_reason(Reason.EXPIRED, replace(FACTS, because="", day=""))
    assert set(described) == {"code", "expiryTime", "rule"}


def test_a_verdict_is_written_with_all_its_reasons_in_their_order():
    (written,) = (verdict.to_json() for verdict in judge([FACTS, NEW], NOW) if verdict.point is FACTS)
    assert (written["decision"], written["pointId"], written["tag"]) == ("blocked", "old", "Monthly")
    assert [reason["code"] for reason in written["reasons"]] == [
        *["Expired", "Uncertain", "LegalHold", "RestoreRunning", "PoisoningSuspected"]
    ]


times = st.integers(-400, 400).map(lambda days: NOW + timedelta(days=days))
facts = st.builds(
    PointFacts,
    instance=st.sampled_from("ab"),
    point_id=st.uuids().map(lambda found: found.hex),
    chain=st.sampled_from("cd"),
    recovery_point_time=times,
    expiry_time=times,
    manifest_hash=st.just("h"),
    is_good=st.booleans(),
    holds=st.sampled_from([(), (), ("case-7",)]),
    immutable_until=st.none() | times,
    readers=st.integers(0, 2),
    regime=st.sampled_from([Regime.POLICY, Regime.POLICY, Regime.POLICY, FOREVER]),
)
many = st.lists(facts, max_size=30, unique_by=lambda point: point.point_id)


def expired(points: list[PointFacts], as_of: datetime = NOW) -> set[str]:
    return {verdict.point.point_id for verdict in judge(points, as_of) if verdict.decision is Decision.EXPIRE}


@given(points=many)
def test_the_newest_good_point_of_every_chain_is_never_expired(points: list[PointFacts]):
    gone = expired(points)
    for chain in {(point.instance, point.chain) for point in points if point.is_good}:
        good = [point for point in points if point.is_good and (point.instance, point.chain) == chain]
        newest = max(point.recovery_point_time for point in good)
        assert any(point.recovery_point_time == newest and point.point_id not in gone for point in good)


@given(points=many)
def test_a_hold_a_reader_and_immutability_always_win(points: list[PointFacts]):
    gone = expired(points)
    for point in points:
        if point.holds or point.readers or (point.immutable_until and point.immutable_until > NOW):
            assert point.point_id not in gone


@given(points=many, seed=st.integers())
def test_the_order_of_the_points_changes_nothing(points: list[PointFacts], seed: int):
    mixed = list(points)
    Random(seed).shuffle(mixed)
    assert judge(mixed, NOW) == judge(points, NOW)


@given(points=many)
def test_what_a_plan_leaves_a_second_plan_leaves_too(points: list[PointFacts]):
    gone = expired(points)
    assert expired([point for point in points if point.point_id not in gone]) == set()


@given(points=many, days=st.integers(0, 400))
def test_what_has_expired_stays_expired(points: list[PointFacts], days: int):
    assert expired(points) <= expired(points, NOW + timedelta(days=days))


@given(points=many, added=facts)
def test_a_further_point_saves_none_and_dooms_only_what_was_kept_as_the_newest(
    points: list[PointFacts], added: PointFacts
):
    before, after = expired(points), expired([*points, added])
    assert before <= after
    newly = after - before - {added.point_id}
    kept_as_newest = {
        verdict.point.point_id
        for verdict in judge(points, NOW)
        if verdict.decision is Decision.KEEP and verdict.point.expiry_time <= NOW
    }
    assert newly <= kept_as_newest


@given(points=many)
def test_what_is_retained_for_ever_stays_and_an_approved_deletion_spares_only_what_may_not_go(
    points: list[PointFacts],
):
    assert expired([replace(point, regime=FOREVER) for point in points], NOW + timedelta(days=9999)) == set()
    soft = [replace(point, regime=DELETE, purge_at=NOW) for point in points]
    assert expired(soft, NOW + PURGE_WAITS - timedelta(seconds=1)) == set(), "not even the newest good one, nor expired"
    assert expired(soft, NOW + PURGE_WAITS) >= expired([replace(point, regime=DELETE) for point in points])
    gone = expired([replace(point, regime=DELETE) for point in points])
    for point in points:
        may_not = point.holds or point.readers or (point.immutable_until and point.immutable_until > NOW)
        assert (point.point_id in gone) is not bool(may_not)
