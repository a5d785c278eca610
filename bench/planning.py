"""What planning costs: judging points, looking for trips, building the plan; and what simulating a policy costs."""

import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flexvault.domain.breaker import EarlierPlan, find_trips
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.retention import PointFacts, Verdict, judge
from flexvault.domain.simulation import simulate
from flexvault.domain.stored_plan import PlanParts, build_plan

TEN_YEARS = 3_650
MILLION = 1_000_000
POINTS_A_SERVER = 1_000
PLAN_AIM_MS, MILLION_AIM_S, SIMULATE_AIM_MS = 20, 40, 300
ROUNDS = 5
KEPT_FOR_DAYS = (7, 35, 365, 3_650)
BEGIN = datetime(2026, 1, 5, 1, tzinfo=UTC)
FOUR_RULES = Path(__file__).resolve().parent.parent / "cli/gfs.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """How long each part of one plan took, in seconds."""

    judge: float
    find_trips: float
    build_plan: float

    @property
    def total(self) -> float:
        """All three."""
        return self.judge + self.find_trips + self.build_plan


def measure_planning() -> None:
    """Measure and print: figures stand beside their aims, and none is asserted."""
    small, large = plan(make_points(1, TEN_YEARS)), plan(make_points(1, 10 * TEN_YEARS))
    print(f"planning, pure functions, the best of {ROUNDS} rounds, in time of the processor")
    print(f"  {TEN_YEARS:,} points of one server      aim: at most {PLAN_AIM_MS} ms each")
    for name in ("judge", "find_trips", "build_plan"):
        once, tenfold = getattr(small, name), getattr(large, name)
        print(
            f"    {name:<18} {once * 1e3:6.1f} ms   growth {tenfold / once:4.1f}   (10 times the points; linear is 10)"
        )
    million = plan(make_points(MILLION // POINTS_A_SERVER, POINTS_A_SERVER), rounds=1)
    print(f"  {MILLION:,} points of {MILLION // POINTS_A_SERVER:,} servers")
    print(f"    one plan           {million.total:6.1f} s    aim: at most {MILLION_AIM_S} s")
    parts = f"judge {million.judge:.1f}, find_trips {million.find_trips:.1f}, build_plan {million.build_plan:.1f}"
    print(f"    of which           {parts} s")
    _measure_simulation()


def plan(points: Sequence[PointFacts], rounds: int = ROUNDS) -> Planned:
    """Plan the deletions of points of which some expired on the last day, as on every day."""
    as_of = max(point.recovery_point_time for point in points) + timedelta(hours=2)
    judging, verdicts = best_of(rounds, lambda: judge(points, as_of))
    earlier = _yesterday(verdicts, as_of)
    parts = PlanParts(as_of=as_of, verdicts=verdicts, damaged={}, standing={})
    return Planned(
        judge=judging,
        find_trips=best_of(rounds, lambda: find_trips(verdicts, as_of, earlier))[0],
        build_plan=best_of(rounds, lambda: build_plan(parts))[0],
    )


def make_points(servers: int, days: int) -> list[PointFacts]:
    """Make a point a day of each server, in no order; nothing was ever deleted."""
    points = [_point(server, day) for server in range(servers) for day in range(days)]
    random.Random(days).shuffle(points)
    return points


def best_of[Answer](rounds: int, work: Callable[[], Answer]) -> tuple[float, Answer]:
    """Answer the shortest of some rounds in seconds of the processor, which others use too, and the last answer."""
    times: list[float] = []
    while True:
        started = time.process_time()
        answer = work()
        times.append(time.process_time() - started)
        if len(times) >= rounds:
            return min(times), answer


def four_rules() -> Policy:
    """Answer the daily policy that the CLI's README shows: it keeps a week, weekly, monthly and yearly points."""
    return parse_policy(json.loads(FOUR_RULES.read_bytes())["properties"])


def _measure_simulation() -> None:
    policy = four_rules()

    def simulated(years: int) -> float:
        end = BEGIN + timedelta(days=365 * years)
        return best_of(ROUNDS, lambda: simulate(policy, BEGIN, end))[0]

    ten, hundred = simulated(10), simulated(100)
    print("  simulation of ten years, four rules")
    print(f"    simulate           {ten * 1e3:6.1f} ms   aim: less than {SIMULATE_AIM_MS} ms")
    print(f"    growth             {hundred / ten:6.1f}      (10 times the years; linear is 10)")


def _point(server: int, day: int) -> PointFacts:
    made_at = BEGIN + timedelta(days=day)
    return PointFacts(
        instance=f"{server:032x}",
        point_id=f"{day:032x}",
        chain="chain",
        recovery_point_time=made_at,
        expiry_time=made_at + timedelta(days=KEPT_FOR_DAYS[day % len(KEPT_FOR_DAYS)]),
        manifest_hash=f"{day:064x}",
        tag="Default",
        because="Default",
        day=made_at.date().isoformat(),
    )


def _yesterday(verdicts: Sequence[Verdict], as_of: datetime) -> EarlierPlan:
    """Answer a plan that announced half of what goes now, and knew every expiry."""
    keys = [(verdict.point.instance, verdict.point.point_id) for verdict in verdicts]
    expiries = {key: verdict.point.expiry_time for key, verdict in zip(keys, verdicts, strict=True)}
    return EarlierPlan(as_of=as_of - timedelta(days=1), announced=set(keys[::2]), expiries=expiries)
