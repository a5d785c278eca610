"""What every e2e test works with: a person, the owner of the emulated Azure, and the keys of the storage accounts.

A file has one vault, and most files need one protected server in it; `protected` is the path of its backup instance.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e import bodies
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Faults, Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for


@pytest.fixture(scope="session")
def owner(cloud: LaunchedCloud) -> Iterator[Owner]:
    """The owner of everything in the ARM emulator."""
    with closing(Owner(cloud)) as owner:
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
def protected(user: User) -> str:
    """The path of `pg-orders`' backup instance, protected under the policy `daily`."""
    user.put_policy("daily", bodies.policy())
    return user.protect("pg-orders", "daily")


@dataclass(frozen=True, kw_only=True)
class StuckBackup:
    """A scheduled backup whose first step always fails."""

    vault: VaultHost
    user: User
    owner: Owner
    instance: str
    job_id: str
    fault: int


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
                "times": None,
                "status": 503,
                "code": "ServiceUnavailable",
                "headers": {"Retry-After": "1"},
            }
        )
        user.put_policy("twice", bodies.policy())
        instance = user.protect("pg-orders", "twice")
        user.put_policy("twice", bodies.policy([bodies.in_a_moment(2), bodies.in_a_moment(12)]))
        job = wait_for(lambda: next(iter(user.jobs("Backup")), None), "the first slot's job")
        yield StuckBackup(vault=vault, user=user, owner=owner, instance=instance, job_id=job["name"], fault=fault)
    vault.stop()
