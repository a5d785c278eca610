"""Three policy days against Azurite and the ARM emulator, in seconds: the vault's clock is an argument of its builder.

Nothing else moves that clock, and only the clock by which storage judges its policies follows it. Tokens, signatures
and the backups themselves follow the real time; what waits for a server to end waits for that, and the simulated clock
goes on by what the vault wanted to wait.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from flexvault.adapters.azure.clock import AzureClock
from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.api.app import Api, handle
from flexvault.api.wire import Request
from flexvault.bootstrap import build_vault
from flexvault.domain import blob_names
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.instance import Instance, RecoveryPoint
from flexvault.domain.job import JobStatus
from flexvault.messages import POLL_BACKUP, VERIFY_ROLES
from flexvault.ports import BlobFacts
from flexvault.services import catalog
from flexvault.services.apply_retention import begin_retention
from flexvault.services.breaker import read_breaker
from flexvault.services.policies import put_policy
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.scheduling import tick
from flexvault.services.vault import Vault
from flexvault.settings import Settings
from local_cloud.certificates import now
from local_cloud.landscape import Landscape
from local_cloud.launch import LaunchedCloud, VaultAccounts
from tests.api import doors
from tests.builders import ACTOR, policy_properties
from tests.e2e.owner import SOURCE_ROLES, Owner
from tests.e2e.waiting import wait_for
from tests.year.hub import Hub

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
SLOTS = [BEGIN + timedelta(days=day, hours=2) for day in range(3)]
KEEP_DAYS = 7
AN_HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)


class FollowedClock(SimulatedClock):
    """A simulated clock by which storage judges immutability policies, too."""

    def __init__(self, start: datetime, cloud: LaunchedCloud) -> None:
        super().__init__(start)
        self._cloud = cloud
        self._move_storage(start)

    def advance(self, duration: timedelta) -> datetime:
        return self._move_storage(super().advance(duration))

    def advance_to(self, moment: datetime) -> datetime:
        return self._move_storage(super().advance_to(moment))

    def _move_storage(self, moment: datetime) -> datetime:
        self._cloud.change_storage(offsetSeconds=(moment - now()).total_seconds())
        return moment


@dataclass(frozen=True, kw_only=True)
class Place:
    """A vault on Azure's SDKs under a simulated clock."""

    vault: Vault
    clock: SimulatedClock
    hub: Hub
    cloud: LaunchedCloud
    place: Landscape

    def instance(self) -> Instance:
        (instance,) = catalog.list_instances(self.vault.ports)
        return instance

    def points(self) -> list[RecoveryPoint]:
        """Oldest first."""
        return catalog.list_points(self.vault.ports, self.instance().key)[::-1]

    def versions(self, point: RecoveryPoint) -> list[BlobFacts]:
        """Every version of a point's manifest and files."""
        reader = self.vault.ports.vault_reader
        manifest = blob_names.manifest_path(point.instance, point.point_id)
        files = blob_names.point_prefix(point.instance, point.point_id)
        return [
            *reader.list_versions(blob_names.MANIFESTS, manifest),
            *reader.list_versions(blob_names.POINTS, files),
        ]

    def backups(self) -> list[dict[str, Any]]:
        """What the emulator's own log says, in order."""
        subscription = f"/subscriptions/{self.place.subscription_id}/"
        return [
            backup for backup in self.cloud.emulator_log()["backups"] if backup["resourceId"].startswith(subscription)
        ]

    def apply_retention(self, day: date) -> None:
        self.hub.run_until(datetime(day.year, day.month, day.day, 3, 10, tzinfo=UTC))
        assert begin_retention(self.vault, self.hub)
        self.hub.run_to_the_end()


@pytest.fixture(scope="module")
def around(cloud: LaunchedCloud) -> Iterator[VaultAccounts]:
    """The accounts of a vault, and the environment of its app in this process."""
    accounts = cloud.new_accounts()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
            patch.delenv(name)
        for name, value in accounts.settings.items():
            patch.setenv(name, value)
        yield accounts


@pytest.fixture(scope="module")
def place(cloud: LaunchedCloud, around: VaultAccounts) -> Iterator[Place]:
    """One server, protected daily at 02:00 with points kept for a week; the simulated day is the first one."""
    clock = FollowedClock(BEGIN, cloud)
    server_id = around.place.server_resource_id("pg-orders")
    vault = build_vault(Settings.from_environ(around.settings), clock)
    with ExitStack() as stack:
        owner = stack.enter_context(closing(Owner(cloud)))
        owner.change_server(server_id, minimumDurationSeconds=0)
        for role in SOURCE_ROLES:
            owner.grant(server_id, role)
        roles = vault.ports.roles
        hub = Hub(
            vault,
            clock,
            before={
                POLL_BACKUP: lambda: wait_for(lambda: all(b["endedAt"] for b in here.backups()), "the backup's end"),
                VERIFY_ROLES: lambda: wait_for(lambda: not roles.find_missing(server_id), "the roles' effect"),
            },
        )
        here = Place(vault=vault, clock=clock, hub=hub, cloud=cloud, place=around.place)
        stack.callback(close_all, vault)
        stack.callback(cloud.change_storage, offsetSeconds=0)
        protect(here, server_id)
        yield here


def close_all(vault: Vault) -> None:
    for port in fields(vault.ports):
        close = getattr(getattr(vault.ports, port.name), "close", None)
        if close is not None:
            close()


def protect(here: Place, server_id: str) -> None:
    put_policy(here.vault, "week", policy_properties("R/2026-01-05T02:00:00+00:00/P1D", keep_for="P7D"), ACTOR)
    request = ProtectionRequest(
        instance_id=f"{here.place.vault_resource_id}/backupInstances/pg-orders",
        name="pg-orders",
        server_id=server_id,
        policy_name="week",
        properties={"friendlyName": "pg-orders"},
    )
    request_protection(here.vault, request, ACTOR, "protect-1")
    tick(here.vault, here.hub)
    here.hub.run_to_the_end()


@pytest.fixture(scope="module")
def three_days(place: Place) -> list[RecoveryPoint]:
    """The points of three slots, oldest first; retention ran on each day."""
    for slot in SLOTS:
        place.hub.run_until(slot)
        assert len(tick(place.vault, place.hub)) == 1
        place.hub.run_to_the_end()
        place.apply_retention(slot.date())
    return place.points()


@pytest.fixture(scope="module")
def protected(place: Place, three_days: list[RecoveryPoint]) -> list[list[BlobFacts]]:
    """What storage says of each point's versions while none has expired."""
    return [place.versions(point) for point in three_days]


@pytest.fixture(scope="module")
def days_later(place: Place, three_days: list[RecoveryPoint], protected: list[list[BlobFacts]]) -> list[list[datetime]]:
    """What existed after each further day of retention; the schedule's ticks are missed meanwhile."""
    seen: list[list[datetime]] = []
    for number in range(3, KEEP_DAYS + len(SLOTS) + 1):
        place.apply_retention((BEGIN + number * A_DAY).date())
        seen.append([point.recovery_point_time for point in place.points()])
    return seen


def test_each_slot_is_one_real_backup_of_the_simulated_moment(place: Place, three_days: list[RecoveryPoint]):
    assert [point.recovery_point_time for point in three_days] == SLOTS
    assert [point.expiry_time for point in three_days] == [slot + KEEP_DAYS * A_DAY for slot in SLOTS]
    assert [backup["status"] for backup in place.backups()] == ["Succeeded"] * 3
    jobs = [job for job in catalog.list_jobs(place.vault.ports) if job.instance == place.instance().key]
    assert {job.status for job in jobs} == {JobStatus.COMPLETED}
    assert all(BEGIN <= job.started_at < BEGIN + 4 * A_DAY for job in jobs)


def test_the_server_and_storage_lived_in_real_time_meanwhile(place: Place, three_days: list[RecoveryPoint]):
    """One of the proofs that no signature followed the simulated clock: storage took them."""
    started = [datetime.fromisoformat(backup["startedAt"]) for backup in place.backups()]
    assert all(now() - AN_HOUR < moment <= now() for moment in started)
    written = [blob.last_modified for blob in place.vault.ports.vault_reader.list_blobs(blob_names.MANIFESTS, "")]
    assert all(moment is not None and now() - AN_HOUR < moment for moment in written)


def test_storage_protects_every_version_to_its_points_last_second(place: Place, protected: list[list[BlobFacts]]):
    for slot, versions in zip(SLOTS, protected, strict=True):
        assert len(versions) >= 5
        guards = {(blob.immutable_until, blob.immutability_mode) for blob in versions}
        assert guards == {(slot + KEEP_DAYS * A_DAY, "Unlocked")}


def test_each_point_goes_on_the_day_it_expires_and_the_newest_stays(days_later: list[list[datetime]]):
    first, second, third = SLOTS
    *before, on_the_seventh, on_the_eighth, on_the_ninth, after = days_later
    assert before == [[first, second, third]] * 4
    assert [on_the_seventh, on_the_eighth, on_the_ninth, after] == [[second, third], [third], [third], [third]]


def test_an_expired_point_leaves_no_version_behind_and_the_newest_one_is_there(
    place: Place, three_days: list[RecoveryPoint], days_later: list[list[datetime]]
):
    *expired, newest = three_days
    assert [place.versions(point) for point in expired] == [[], []]
    assert len(place.versions(newest)) >= 5
    manifests = place.vault.ports.vault_reader.list_versions(blob_names.MANIFESTS, "")
    assert [blob.name for blob in manifests] == [blob_names.manifest_path(newest.instance, newest.point_id)]
    assert not read_breaker(place.vault.ports).is_tripped


HEADERS = ("Date", "X-Ms-Date", "X-Ms-Now", "X-Flexvault-Now", "X-Flexvault-Clock", "X-As-Of", "If-Modified-Since")


def test_no_header_moves_the_clock(place: Place, days_later: list[list[datetime]]):
    before = place.clock.storage_now()
    api = Api(vault=place.vault, tokens=doors.Door().api.tokens, begin=lambda _key: None)
    token = doors.sign(before, "Backup.Contributor")
    body = {"properties": policy_properties()}
    answer = handle(
        api,
        Request(
            method="PUT",
            url=f"https://vault.example/api{place.place.vault_resource_id}/backupPolicies/other?{doors.VERSION}",
            headers={"Authorization": f"Bearer {token}"} | dict.fromkeys(HEADERS, "Wed, 01 Jan 2020 00:00:00 GMT"),
            body=json.dumps(body).encode(),
        ),
    )
    assert answer.status == 200, answer.body
    assert catalog.get_policy(place.vault.ports, "other").changed_at == before
    assert place.clock.storage_now() == before


PLAUSIBLE = ("NOW", "CLOCK", "TIME", "DATE", "AS_OF", "SIMULATED_NOW", "TEST_CLOCK", "CLOCK_OFFSET_SECONDS")


def test_no_setting_moves_the_clock(around: VaultAccounts, monkeypatch: pytest.MonkeyPatch):
    environment = dict(around.settings)
    for word in PLAUSIBLE:
        environment[word] = "2020-01-01T00:00:00Z"
        monkeypatch.setenv(word, environment[word])
        monkeypatch.setenv(f"FLEXVAULT_{word}", environment[word])
    vault = build_vault(Settings.from_environ(environment))
    with ExitStack() as stack:
        stack.callback(close_all, vault)
        assert isinstance(vault.ports.clock, AzureClock)
        assert abs(vault.ports.clock.storage_now() - now()) < timedelta(minutes=1)
        assert abs(vault.ports.clock.host_now() - now()) < timedelta(minutes=1)
    assert Settings.from_environ(environment) == Settings.from_environ(around.settings)


def test_a_setting_that_would_move_the_clock_is_unknown(around: VaultAccounts):
    wanted = {f"FLEXVAULT_{word}": "2020-01-01T00:00:00Z" for word in PLAUSIBLE}
    with pytest.raises(InvalidInputError) as refused:
        Settings.from_environ({**around.settings, **wanted})
    assert {mistake.target for mistake in refused.value.details} == set(wanted)
