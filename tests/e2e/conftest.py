"""What every e2e test works with: a person, the owner of the emulated Azure, and the keys of the storage accounts.

A file has one vault, and most files need one protected server in it; `protected` is the path of its backup instance.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import pytest

from local_cloud.landscape import landscapes
from local_cloud.launch import LaunchedCloud, VaultHost
from tests.conftest import TEST_VAULTS
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.counts import Counts
from tests.e2e.owner import SOURCE_ROLES, Faults, Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

READY_SERVER = "pg-orders"
"""The server of each vault whose roles a person granted beforehand, and whose backups take no longer than they must.

`pg-billing` is as Azure would show it: there the vault grants itself what it needs, and waits until it has effect.
"""


QUICK = {"FLEXVAULT_POLL_FLOORS_SECONDS": "0.3,0.5,1,1"}
"""A backup of a ready server lasts less than a second: that is when it is looked at."""


@pytest.fixture(scope="module")
def vault_settings() -> Mapping[str, str]:
    """App settings of this file's vault: override this fixture for others."""
    return QUICK


@pytest.fixture(scope="session")
def owner(cloud: LaunchedCloud) -> Iterator[Owner]:
    """The owner of everything in the ARM emulator; one of each vault's servers has been made ready."""
    with closing(Owner(cloud)) as owner:
        for place in landscapes(TEST_VAULTS)[1:]:
            server_id = place.server_resource_id(READY_SERVER)
            owner.change_server(server_id, minimumDurationSeconds=0)
            for role in SOURCE_ROLES:
                owner.grant(server_id, role)
        yield owner


@pytest.fixture
def faults(owner: Owner) -> Iterator[Faults]:
    """Orders faults; the end of the test clears its own, and no other's."""
    faults = Faults(owner)
    yield faults
    faults.clear_all()


@pytest.fixture(scope="module")
def user(vault: VaultHost) -> Iterator[User]:
    """Carla Contributor, who may do everything but approve."""
    with closing(User(vault)) as user:
        yield user


@pytest.fixture(scope="module")
def accounts(vault: VaultHost) -> Iterator[Accounts]:
    """The vault's storage accounts, behind its back."""
    with closing(Accounts(vault)) as accounts:
        yield accounts


@pytest.fixture(scope="module")
def protected(user: User, owner: Owner) -> str:
    """The path of the ready server's backup instance, protected under the policy `daily`."""
    user.put_policy("daily", bodies.policy())
    return user.protect(READY_SERVER, "daily")


@pytest.fixture
def count(user: User, vault: VaultHost, protected: str) -> Callable[[], Counts]:
    """Count the vault's backup jobs, points and accepted backups."""

    def count() -> Counts:
        jobs, points = user.jobs("Backup"), user.points(protected)
        return Counts(jobs=len(jobs), points=len(points), accepted=len(vault.accepted_backups()))

    return count


@dataclass(frozen=True, kw_only=True)
class StuckBackup:
    """A scheduled backup whose first step always fails."""

    vault: VaultHost
    user: User
    instance: str
    job_id: str
    fault: int
    """Number of the fault, which the owner clears once the job has given up."""


MORE_THAN_ANY_JOB_TRIES = 500


@pytest.fixture(scope="session", autouse=True)
def stuck_backup(request: pytest.FixtureRequest) -> Iterator[StuckBackup | None]:
    """Begin a backup that gets nowhere, before the other files' tests: giving up takes it more than a minute.

    It is a vault of its own, and nothing else waits for it but the test that needs it.
    """
    if not any(item.path.name == "test_stuck_jobs.py" for item in request.session.items):
        yield None
        return
    cloud: LaunchedCloud = request.getfixturevalue("cloud")
    owner: Owner = request.getfixturevalue("owner")
    vault = cloud.new_vault()
    with closing(User(vault)) as user:
        # A failure that may pass, and that no SDK repeats by itself.
        fault = owner.order_fault(
            {
                "fault": "error-before",
                "match": {"method": "POST", "path": f"{vault.place.subscription_id}.*/ltrPreBackup"},
                "times": MORE_THAN_ANY_JOB_TRIES,
                "status": 503,
                "code": "ServiceUnavailable",
                "headers": {"Retry-After": "1"},
            }
        )
        user.put_policy("stuck", bodies.policy())
        instance = user.protect(READY_SERVER, "stuck")
        user.put_policy("stuck", bodies.policy([bodies.in_a_moment(2)]))
        job = wait_for(lambda: next(iter(user.jobs("Backup")), None), "the first slot's job")
        yield StuckBackup(vault=vault, user=user, instance=instance, job_id=job["name"], fault=fault)
    vault.stop()
