"""Days of a vault in memory: its timers fire, its jobs run, and here and there something goes wrong."""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.errors import TransientError
from flexvault.domain.policy import Policy, parse_policy
from flexvault.domain.simulation import SimulatedPoint, simulate
from flexvault.messages import RECONCILE
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.policies import put_policy
from flexvault.services.scheduling import tick
from tests.builders import ACTOR, World, protect, world
from tests.year.hub import Hub

type Point = tuple[datetime, str, datetime]
"""Recovery point time, tag, expiry."""
RETENTION_AT = time(3, 10)
HICCUPS = ("ltr.find", "vault_writer.stage_block", "vault_writer.commit", "vault_reader.list_versions")
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The control plane is off; what a server is doing goes on."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What goes wrong, and when."""

    failures: Collection[date] = frozenset()
    """Every backup of these UTC dates fails at the server."""
    hiccups: Collection[date] = frozenset()
    """On these UTC dates storage and ARM do not answer now and then."""
    outages: tuple[Outage, ...] = ()


@dataclass(slots=True, kw_only=True)
class Days:
    """A vault with one protected server and its timers."""

    world: World
    hub: Hub
    policy: Policy
    troubles: Troubles
    _timers: deque[tuple[datetime, Callable[[], None]]] = field(
        default_factory=deque[tuple[datetime, Callable[[], None]]]
    )
    catch_ups: dict[date, datetime] = field(default_factory=dict[date, datetime])
    """Local date -> when a backup ran that was due on it, hours before."""

    def __post_init__(self) -> None:
        self._timers.extend(self._timers_of(self.now.date()))

    @property
    def now(self) -> datetime:
        """The simulated time."""
        return self.world.clock.storage_now()

    def sleeps_on(self, day: date) -> bool:
        """Say whether the control plane is off for some of a UTC date."""
        return any(outage.begin.date() <= day <= outage.end.date() for outage in self.troubles.outages)

    def live_until(self, moment: datetime) -> None:
        """Let the timers fire up to a moment, and the jobs run that they start."""
        while self._timers[0][0] <= moment:
            due, fire = self._timers.popleft()
            if not self._timers:
                self._timers.extend(self._timers_of(due.date() + A_DAY))
            outage = next((found for found in self.troubles.outages if found.begin <= due < found.end), None)
            if outage is None:
                self.hub.run_until(due)
                fire()
            elif self.now < outage.end:
                self._sleep_through(outage)
        self.hub.run_until(moment)

    def _timers_of(self, day: date) -> Iterator[tuple[datetime, Callable[[], None]]]:
        """The ticks are those before a slot: 02:00 in Berlin is midnight or 01:00 in UTC."""
        for at, fire in (
            (time(0, 55), self._tick),
            (time(2, 32), self._reconcile),
            (RETENTION_AT, self._apply_retention),
            (time(23, 50), self._order_troubles),
            (time(23, 55), self._tick),
        ):
            yield datetime.combine(day, at, UTC), fire

    def _sleep_through(self, outage: Outage) -> None:
        """Lose the hub in the midst of whatever runs; afterwards reconcile takes it over, then a slot is caught up."""
        self.hub.run_until(outage.begin)
        self.hub.wipe()
        self.world.clock.advance_to(outage.end)
        self._reconcile()
        self.hub.run_until(self.now + AN_HOUR)
        self.catch_ups[self.now.astimezone(self.policy.zone).date()] = self.now
        self._tick()

    def _tick(self) -> None:
        tick(self.world.vault, self.hub)

    def _reconcile(self) -> None:
        self.hub.start(RECONCILE, f"reconcile-{self.now:%H%M%S}", {})

    def _apply_retention(self) -> None:
        assert begin_retention(self.world.vault, self.hub), "the retention job of the day before still runs"

    def _order_troubles(self) -> None:
        """Order what goes wrong on the next day."""
        day = self.now.date() + A_DAY
        memory = self.world.memory
        status = "Failed" if day in self.troubles.failures else "Succeeded"
        memory.ltr.script = replace(memory.ltr.script, status=status)
        for operation in HICCUPS if day in self.troubles.hiccups else ():
            memory.faults.fail_next(operation, TransientError("no answer"), times=2)

    def expected(self) -> set[Point]:
        """What exists now by the pure simulation of the policy, once retention has run and nothing since."""
        points = simulate(self.policy, self.policy.intervals[0].anchor, self.now + A_DAY, failures=self._lost_days())
        return {
            point
            for simulated in points
            if simulated.time <= self.now
            for point, deleted_at in [self._as_it_ran(simulated)]
            if deleted_at is None or deleted_at > self.now
        }

    def _as_it_ran(self, simulated: SimulatedPoint) -> tuple[Point, datetime | None]:
        """A backup that was caught up is of the moment when it ran, and so is its expiry."""
        ran_at = self.catch_ups.get(simulated.day, simulated.time)
        expiry = self.policy.expiry(simulated.tag, ran_at)
        deleted_at = None if simulated.deleted_at is None else max(simulated.deleted_at, expiry)
        return (ran_at, simulated.tag, expiry), deleted_at

    def _lost_days(self) -> set[date]:
        missed = {
            outage.begin.date() + days * A_DAY
            for outage in self.troubles.outages
            for days in range(1, (outage.end.date() - outage.begin.date()).days)
        }
        return {*self.troubles.failures, *missed}

    def sealed(self) -> set[Point]:
        """What exists now by the rows."""
        points = catalog.list_points(self.world.vault.ports, self.world.instance().key)
        return {(point.recovery_point_time, point.tag, point.expiry_time) for point in points}

    def stored(self) -> set[str]:
        """Which points the vault account holds anything of."""
        reader = self.world.vault.ports.vault_reader
        manifests = {blob.name.removesuffix(".json") for blob in reader.list_blobs(blob_names.MANIFESTS, "")}
        files = {"/".join(blob.name.split("/")[:2]) for blob in reader.list_versions(blob_names.POINTS, "")}
        assert manifests == files
        return manifests

    def events(self, name: str) -> list[Any]:
        """What was sent of that name."""
        return [facts for event, facts in self.world.memory.telemetry.events if event == name]


def days_under(properties: dict[str, Any], troubles: Troubles = Troubles()) -> Days:
    """A vault whose one server is protected under a policy; it is shortly after midnight of the first day."""
    here = world()
    put_policy(here.vault, "yearly", properties, ACTOR)
    protect(here, policy="yearly")
    return Days(world=here, hub=Hub(here.vault, here.clock), policy=parse_policy(properties), troubles=troubles)
