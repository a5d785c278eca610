"""Folding the journal: what ends a stop, a hold or a deletion, and that a fold can be interrupted anywhere."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.errors import IntegrityError
from flexvault.domain.journal import Entry
from flexvault.domain.retention import Regime
from flexvault.domain.standing import InstanceStanding, Protection, Standing, VaultStanding

AT = datetime(2026, 1, 5, tzinfo=UTC)
A, B = "a" * 32, "b" * 32


def entry(kind: str, body: dict[str, Any], seq: int = 1) -> Entry:
    return Entry(stream="s", seq=seq, previous_hash="", event_id="e", type=kind, at=AT, body=body)


def fold[S: Standing](standing: S, told: Sequence[tuple[str, dict[str, Any]]]) -> S:
    for seq, (kind, body) in enumerate(told, start=1):
        standing.apply(entry(kind, body, seq))
    return standing


def vault_of(*kinds: str) -> Protection | None:
    return fold(VaultStanding(), [(kind.partition(" ")[0], body_of(kind)) for kind in kinds]).find(A)


def body_of(kind: str) -> dict[str, Any]:
    """`InstanceDeleted 3` is the end of the deletion that entry 3 asked for."""
    _, _, seq = kind.partition(" ")
    return {"instance": A, **({"deletion_seq": int(seq)} if seq else {})}


REQUESTED, CONFIGURED, FAILED = "ProtectionRequested", "ProtectionConfigured", "ProtectionFailed"
STOPPED, SUSPENDED, RESUMED = "ProtectionStopped", "BackupsSuspended", "ProtectionResumed"
DOOMED, ENDED = "DataDeletionRequested", "InstanceDeleted"
POLICY, FOREVER = Protection(), Protection(regime=Regime.FOREVER)


def deleting(seq: int, *, is_ended: bool = False) -> Protection:
    return Protection(regime=Regime.DELETE, deletion_seq=seq, is_ended=is_ended)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        pytest.param([], None, id="nothing is known"),
        pytest.param([FAILED], None, id="a failure tells nothing"),
        pytest.param([REQUESTED], POLICY, id="requested"),
        pytest.param([REQUESTED, CONFIGURED], POLICY, id="configured"),
        pytest.param([REQUESTED, STOPPED], FOREVER, id="stopped"),
        pytest.param([REQUESTED, SUSPENDED], POLICY, id="suspended"),
        pytest.param([REQUESTED, SUSPENDED, STOPPED], FOREVER, id="stopped while suspended"),
        pytest.param([REQUESTED, STOPPED, RESUMED], POLICY, id="resumed"),
        pytest.param([REQUESTED, STOPPED, REQUESTED], FOREVER, id="a request does not end a stop"),
        pytest.param([REQUESTED, STOPPED, CONFIGURED], FOREVER, id="a configuration does not end a stop"),
        pytest.param([REQUESTED, STOPPED, FAILED], FOREVER, id="nor does its failure"),
        pytest.param([REQUESTED, STOPPED, SUSPENDED], FOREVER, id="nor does a suspension"),
        pytest.param([REQUESTED, DOOMED], deleting(2), id="being deleted"),
        pytest.param([REQUESTED, STOPPED, DOOMED], deleting(3), id="deleted although stopped"),
        pytest.param([REQUESTED, DOOMED, f"{ENDED} 2"], deleting(2, is_ended=True), id="deleted"),
        pytest.param([REQUESTED, DOOMED, f"{ENDED} 1"], deleting(2), id="the end of another deletion"),
        pytest.param([REQUESTED, f"{ENDED} 1"], POLICY, id="an end without a deletion"),
        pytest.param([REQUESTED, DOOMED, f"{ENDED} 2", CONFIGURED], deleting(2, is_ended=True), id="configured late"),
        pytest.param([REQUESTED, DOOMED, f"{ENDED} 2", REQUESTED], POLICY, id="the name is used again"),
        pytest.param([REQUESTED, DOOMED, f"{ENDED} 2", REQUESTED, f"{ENDED} 2"], POLICY, id="and the old end again"),
        pytest.param([REQUESTED, DOOMED, STOPPED], FOREVER, id="a stop is the later word"),
    ],
)
def test_protection_by_the_journal(kinds: list[str], expected: Protection | None):
    assert vault_of(*kinds) == expected


UNDELETED, CHANGED = "InstanceUndeleted", "VaultChanged"
SOFTLY: dict[str, Any] = {"instance": A, "soft_delete_days": 30}
NOW_OR_NEVER = {"instance": A}
ALWAYS_ON = {"settings": {"immutability": "Unlocked", "is_poisoning_guarded": True, "soft_delete": "AlwaysOn"}}
OFF = {"settings": {**ALWAYS_ON["settings"], "soft_delete": "Off"}}


def test_a_deletion_is_soft_as_long_as_its_own_entry_says():
    found = fold(VaultStanding(), [(REQUESTED, {"instance": A}), (DOOMED, SOFTLY), (CHANGED, OFF)])
    soft = Protection(regime=Regime.DELETE, deletion_seq=2, purge_at=AT + timedelta(days=30))
    assert found.find(A) == soft
    found.apply(entry(UNDELETED, {"instance": A}, 4))
    assert found.find(A) == FOREVER
    found.apply(entry(DOOMED, {"instance": A, "soft_delete_days": 0}, 5))
    found.apply(entry(ENDED, {"instance": A, "deletion_seq": 5}, 6))
    found.apply(entry(UNDELETED, {"instance": A}, 7))
    assert found.find(A) == deleting(5, is_ended=True), "of what is gone nothing comes back"


@pytest.mark.parametrize("days", [13, 181, -1, 14.5, "14", 10**9])
def test_a_period_that_no_vault_has_cannot_be_understood(days: Any):
    with pytest.raises(IntegrityError):
        fold(VaultStanding(), [(DOOMED, {"instance": A, "soft_delete_days": days})])


@pytest.mark.parametrize(
    ("told", "at"),
    [
        pytest.param([(CHANGED, ALWAYS_ON), (DOOMED, NOW_OR_NEVER)], AT, id="without a period"),
        pytest.param([(CHANGED, ALWAYS_ON), (CHANGED, OFF), (DOOMED, NOW_OR_NEVER)], AT, id="after a forged Off"),
        pytest.param([(CHANGED, ALWAYS_ON), (DOOMED, SOFTLY)], AT - timedelta(days=60), id="of a forged date"),
    ],
)
def test_always_on_keeps_the_data_whatever_an_entry_says(told: list[tuple[str, dict[str, Any]]], at: datetime):
    *before, (kind, body) = told
    standing = fold(VaultStanding(), before)
    stored = VaultStanding.from_json(json.loads(json.dumps(standing.to_json())))
    for found in (standing, stored):
        found.apply(replace(entry(kind, body, len(told)), at=at))
        protection = found.find(A)
        assert protection is not None
        assert protection.purge_at is not None
        assert protection.purge_at >= AT + timedelta(days=13)


def test_a_plan_of_an_older_version_says_too_little_of_a_deletion():
    stored = fold(VaultStanding(), [(DOOMED, {"instance": A})]).to_json()
    del stored["instances"][A]["purgeAt"]
    with pytest.raises(KeyError):
        VaultStanding.from_json(stored)


def hold(name: str, point_id: str = "") -> dict[str, Any]:
    return {"hold": name, "recovery_point_id": point_id, "reason": "r"}


def test_a_hold_ends_by_its_release_whatever_the_case_of_its_name():
    found = fold(InstanceStanding(), [("HoldPlaced", hold("Case")), ("HoldReleased", hold("case"))])
    assert found.common_holds == ()


def test_a_hold_on_a_point_is_not_released_by_one_of_its_name_elsewhere():
    told = [
        ("HoldPlaced", hold("case", "p1")),
        ("HoldPlaced", hold("case", "p2")),
        ("HoldReleased", hold("case", "p2")),
    ]
    found = fold(InstanceStanding(), told)
    assert (found.point_holds("p1"), found.point_holds("p2"), found.common_holds) == (("case",), (), ())


def test_readers_are_counted_by_job():
    first, second = {"job_id": "j1", "point_id": "p1"}, {"job_id": "j2", "point_id": "p1"}
    told = [("RestoreStarted", first), ("RestoreStarted", second), ("RestoreEnded", first), ("RestoreEnded", first)]
    found = fold(InstanceStanding(), told)
    assert (found.readers("p1"), found.readers("p2")) == (1, 0)


@pytest.mark.parametrize(
    ("standing", "kind"),
    [(VaultStanding, STOPPED), (InstanceStanding, "HoldPlaced"), (InstanceStanding, "RestoreStarted")],
)
def test_an_entry_that_cannot_be_understood_is_refused_and_changes_nothing(standing: type[Standing], kind: str):
    found = standing()
    before = found.to_json()
    with pytest.raises(IntegrityError) as refused:
        found.apply(entry(kind, {}))
    assert (refused.value.code, found.to_json()) == ("EntryUnreadable", before)


vault_entries = st.tuples(
    st.sampled_from([REQUESTED, CONFIGURED, FAILED, STOPPED, SUSPENDED, RESUMED, DOOMED, ENDED, "PolicyChanged"]),
    st.fixed_dictionaries({"instance": st.sampled_from([A, B]), "deletion_seq": st.integers(1, 12)}),
)
points = st.sampled_from(["", "p1", "p2"])
instance_entries = st.tuples(
    st.sampled_from(
        [
            "HoldPlaced",
            "HoldReleased",
            "RestoreStarted",
            "RestoreEnded",
            "RetentionReevaluated",
            "Sealed",
            "PointDeleted",
            "PoisoningAcknowledged",
        ]
    ),
    st.fixed_dictionaries(
        {
            "hold": st.sampled_from(["case", "Case", "Fall Ä"]),
            "recovery_point_id": points,
            "point_id": points,
            "job_id": st.sampled_from(["j1", "j2"]),
            "suspicion": st.sampled_from([{}, {"sizeBytes": 1}]),
        }
    ),
)


@given(
    told=st.one_of(
        st.tuples(st.just(VaultStanding), st.lists(vault_entries, max_size=12)),
        st.tuples(st.just(InstanceStanding), st.lists(instance_entries, max_size=12)),
    ),
    cuts=st.sets(st.integers(0, 12)),
)
def test_folding_in_pieces_is_folding_at_once(told: tuple[Any, list[tuple[str, dict[str, Any]]]], cuts: set[int]):
    kind, entries = told
    at_once, in_pieces = fold(kind(), entries), kind()
    for seq, (name, body) in enumerate(entries, start=1):
        if seq in cuts:
            in_pieces = kind.from_json(json.loads(json.dumps(in_pieces.to_json())))
        in_pieces.apply(entry(name, body, seq))
    assert in_pieces.to_json() == at_once.to_json()


@given(st.lists(vault_entries, max_size=12))
def test_only_a_resumption_or_an_approved_deletion_ends_a_stop(entries: list[tuple[str, dict[str, Any]]]):
    found = VaultStanding({A: FOREVER})
    for seq, (kind, body) in enumerate(entries, start=1):
        if kind not in {RESUMED, DOOMED}:
            found.apply(entry(kind, body, seq))
    assert found.find(A) == FOREVER


LOST, WHOLE = {"suspicion": {"sizeBytes": 1}}, dict[str, Any]()


@pytest.mark.parametrize(
    ("told", "suspects"),
    [
        pytest.param([("Sealed", {"point_id": "a", **WHOLE})], (), id="whole"),
        pytest.param(
            [("Sealed", {"point_id": "a", **LOST}), ("Sealed", {"point_id": "b", **LOST})], ("a", "b"), id="two"
        ),
        pytest.param([("Sealed", {"point_id": "a", **LOST}), ("Sealed", {"point_id": "b"})], ("a",), id="whole again"),
        pytest.param(
            [("Sealed", {"point_id": "a", **LOST}), ("PoisoningAcknowledged", {"recovery_point_id": "a"})],
            (),
            id="acknowledged",
        ),
        pytest.param(
            [
                ("Sealed", {"point_id": "a", **LOST}),
                ("Sealed", {"point_id": "b", **LOST}),
                ("PoisoningAcknowledged", {"recovery_point_id": "a"}),
            ],
            ("b",),
            id="acknowledged up to the one before",
        ),
        pytest.param(
            [("Sealed", {"point_id": "a", **LOST}), ("PoisoningAcknowledged", {"recovery_point_id": "z"})],
            ("a",),
            id="of a point that is not suspected",
        ),
        pytest.param([("Sealed", {"point_id": "a", **LOST}), ("PointDeleted", {"point_id": "a"})], (), id="it is gone"),
    ],
)
def test_suspected_points_by_the_journal(told: list[tuple[str, dict[str, Any]]], suspects: tuple[str, ...]):
    assert fold(InstanceStanding(), told).suspects == suspects


def test_a_fold_of_a_version_without_suspicions_is_read():
    told = {"holds": [], "readers": [], "reevaluatedSeq": 3, "broken": [], "everBroken": []}
    assert InstanceStanding.from_json(told).suspects == ()


def test_a_fold_of_a_version_without_deep_verifications_is_refused_and_the_stream_is_read_anew():
    with pytest.raises(KeyError):
        InstanceStanding.from_json({"holds": [], "readers": [], "reevaluatedSeq": 3, "suspects": []})


@pytest.mark.parametrize(
    ("told", "broken"),
    [
        pytest.param([(A, "Broken")], {A}, id="failed"),
        pytest.param([(A, "Intact")], set(), id="intact"),
        pytest.param([(A, "NotProven")], set(), id="not proven"),
        pytest.param([(A, "Broken"), (A, "Intact")], set(), id="a later one is intact"),
        pytest.param([(A, "Broken"), (A, "NotProven")], {A}, id="a later one proves nothing"),
        pytest.param([(A, "Intact"), (A, "Broken"), (B, "Intact")], {A}, id="another point's says nothing"),
        pytest.param([(A, "Broken"), (A, "")], set(), id="deleted"),
    ],
)
def test_the_newest_deep_verification_says_whether_a_point_is_broken(told: list[tuple[str, str]], broken: set[str]):
    facts = [
        ("PointVerified", {"point_id": point_id, "verdict": verdict})
        if verdict
        else ("PointDeleted", {"point_id": point_id})
        for point_id, verdict in told
    ]
    standing = fold(InstanceStanding(), facts)
    assert standing.broken == broken
    assert InstanceStanding.from_json(standing.to_json()).broken == broken


@pytest.mark.parametrize(
    ("told", "ever_broken"),
    [
        pytest.param(["Intact", "NotProven"], set[str](), id="never"),
        pytest.param(["Broken"], {A}, id="once"),
        pytest.param(["Broken", "Intact", "NotProven", "Intact"], {A}, id="whatever came later"),
        pytest.param(["Broken", ""], set[str](), id="deleted"),
    ],
)
def test_a_point_that_was_ever_broken_stays_so_until_it_is_deleted(told: list[str], ever_broken: set[str]):
    facts = [("PointVerified" if verdict else "PointDeleted", {"point_id": A, "verdict": verdict}) for verdict in told]
    standing = fold(InstanceStanding(), facts)
    assert standing.ever_broken == ever_broken
    assert InstanceStanding.from_json(standing.to_json()).ever_broken == ever_broken


def test_a_fold_of_a_version_that_forgot_earlier_verdicts_is_refused_and_the_stream_is_read_anew():
    with pytest.raises(KeyError):
        InstanceStanding.from_json({"holds": [], "readers": [], "reevaluatedSeq": 3, "suspects": [], "broken": []})
