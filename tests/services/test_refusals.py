"""The journal of refused calls is bounded: whoever floods it is counted, and hides nobody else."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.services.background import Background
from flexvault.services.refusals import MOST_AN_HOUR, MOST_OF_ONE, REPEATED, TOO_MANY, Refusal, Refusals
from tests import builders
from tests.services.invariants import entries

NOW = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Place:
    """A vault, and refusals that are journalled at once."""

    def __init__(self, run: Callable[[Callable[[], None]], bool] = builders.at_once) -> None:
        self.world = builders.world()
        self.refusals = Refusals(run=run)
        self.number = 0

    def refuse(self, *at: datetime, **changes: Any) -> None:
        self.number += 1
        facts: dict[str, Any] = {
            "code": "AuthenticationFailed",
            "status": 401,
            "method": "GET",
            "path": "/api/x",
            "address": "203.0.113.7",
            "request_id": f"r-{self.number}",
            "correlation_id": f"c-{self.number}",
        }
        self.refusals.add(self.world.vault.ports, Refusal(**{**facts, **changes}), *(at or (NOW,)))

    def end_hours(self, now: datetime) -> None:
        self.number += 1
        self.refusals.end_hours(self.world.vault.ports, now, f"r-{self.number}")

    def told(self) -> list[tuple[str, int]]:
        return [(entry.body["code"], entry.body["suppressed"]) for entry in entries(self.world, "vault")]


def test_the_same_refusal_has_one_entry_an_hour_and_the_next_entry_tells_how_often_it_came():
    place = Place()
    for _ in range(5):
        place.refuse()
    place.refuse(code="ExpiredAuthenticationToken")
    place.refuse()
    assert place.told() == [("AuthenticationFailed", 0), ("ExpiredAuthenticationToken", 4)]
    place.refuse(NOW + HOUR)
    assert place.told()[2:] == [(REPEATED, 1), ("AuthenticationFailed", 0)]


def test_another_caller_operation_or_code_is_another_refusal():
    place = Place()
    others: list[dict[str, Any]] = [{"address": "203.0.113.8"}, {"operation": "o"}, {"code": "c"}, {"oid": "a"}]
    for changes in ({}, *others, {"oid": "b"}):
        place.refuse(**changes)
    assert len(place.told()) == 6


def test_a_flood_of_strangers_ends_in_one_entry_that_says_so():
    place = Place()
    for number in range(1000):
        place.refuse(address=f"2001:db8::{number:x}")
    assert place.told() == [*[("AuthenticationFailed", 0)] * MOST_AN_HOUR, (TOO_MANY, 1)]
    place.end_hours(NOW + timedelta(minutes=39))
    assert len(place.told()) == MOST_AN_HOUR + 1
    place.end_hours(NOW + HOUR)
    assert place.told()[-1] == (REPEATED, 1000 - MOST_AN_HOUR - 1)
    entry = entries(place.world, "vault")[-1]
    assert (entry.body["hour"], entry.body["strangers"], entry.actor) == ("2026-01-05T10:00:00+00:00", True, {})
    place.end_hours(NOW + HOUR)
    assert len(place.told()) == MOST_AN_HOUR + 2, "an hour ends once"


def test_a_flood_of_strangers_hides_nothing_of_a_person():
    place = Place()
    for number in range(100):
        place.refuse(address=f"a-{number}")
    place.refuse(oid="oid-1", name="Rita", roles=("Backup.Reader",), code="AuthorizationFailed")
    assert place.told()[-1] == ("AuthorizationFailed", 0)


def test_whoever_tries_everything_hides_nobody_else():
    place = Place()
    for number in range(1000):
        place.refuse(oid="oid-1", operation=f"operation-{number}")
    assert len(place.told()) == MOST_OF_ONE
    place.refuse(oid="oid-2")
    assert place.told()[-1] == ("AuthenticationFailed", 1000 - MOST_OF_ONE)


def test_memory_does_not_grow_with_the_flood():
    place = Place()
    for number in range(2000):
        place.refuse(address=f"a-{number}")
    assert sum(len(hour.seen) for hour in place.refusals._hours.values()) == MOST_AN_HOUR


def test_nothing_in_an_entry_is_longer_than_its_bound():
    place = Place()
    place.refuse(oid="o", name="n" * 10_000, roles=("r" * 10_000,) * 1000, path="/p" * 10_000, method="M" * 10_000)
    (entry,) = entries(place.world, "vault")
    assert len(entry.to_bytes()) < 4_000


def test_what_waits_too_long_is_counted_and_not_kept():
    place = Place(run=lambda work: False)
    place.refuse()
    assert place.told() == []
    place.refusals._run = builders.at_once
    place.refuse(code="another")
    assert place.told() == [("another", 1)]


def test_two_processes_write_entries_of_their_own():
    place, other = Place(), Refusals(run=builders.at_once)
    place.refuse()
    first, place.refusals = place.refusals, other
    place.refuse()
    place.refusals = first
    assert place.told() == [("AuthenticationFailed", 0)] * 2


def test_background_work_is_done_in_order_and_the_caller_does_not_wait():
    background, begun, gate, finished = Background(most=2), threading.Event(), threading.Event(), threading.Event()
    done: list[int] = []

    def first() -> None:
        begun.set()
        gate.wait(10)
        done.append(1)

    assert background(first)
    assert begun.wait(10)
    assert background(lambda: done.append(2))
    assert background(finished.set)
    assert not background(lambda: done.append(4)), "too much of it waits"
    assert done == []
    gate.set()
    assert finished.wait(10)
    assert done == [1, 2]


def test_work_that_fails_keeps_no_later_work_from_being_done(caplog: pytest.LogCaptureFixture):
    background, done = Background(), threading.Event()

    def fail() -> None:
        raise RuntimeError("telemetry is away")

    assert background(fail)
    assert background(done.set)
    assert done.wait(10)
    assert "background work failed" in caplog.text


def test_background_work_goes_on_after_a_rest():
    background = Background()
    for _ in range(2):
        finished = threading.Event()
        assert background(finished.set)
        assert finished.wait(10)


def test_refusals_are_journalled_behind_the_answer():
    place = Place()
    place.refusals = Refusals()
    place.refuse()
    finished = threading.Event()
    assert place.refusals._run(finished.set)
    assert finished.wait(10)
    assert place.told() == [("AuthenticationFailed", 0)]
