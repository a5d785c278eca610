"""One vault of two apps with sealed recovery points, Unlocked ones and Locked ones, for all attacks."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e import bodies
from tests.e2e.accounts import StaticToken
from tests.e2e.attacks.outcomes import TWO_THEFTS, VAULT_OWNER
from tests.e2e.attacks.over_api import POLICY, SHORTER, set_immutability
from tests.e2e.attacks.points import SealedPoint, take_up
from tests.e2e.attacks.thieves import LEAKED, Thieves
from tests.e2e.conftest import QUICK
from tests.e2e.owner import SOURCE_ROLES, Owner
from tests.e2e.user import User

COMMON, LOCKED_ORDERS = "common", "locked"
FORGED, KEPT, LOCKED_BILLING = "forged", "kept", "locked-billing"
UNLOCKED_POINTS = {"pg-orders": (COMMON, "single", VAULT_OWNER), "pg-billing": (FORGED, KEPT, TWO_THEFTS)}
LOCKED_POINTS = {"pg-orders": (LOCKED_ORDERS,), "pg-billing": (LOCKED_BILLING,)}


@pytest.fixture(scope="module")
def vault_settings() -> Mapping[str, str]:
    """The janitor runs every three seconds: whatever is done to the vault, it comes by at once."""
    return {**QUICK, "RETENTION_TICK": "*/3 * * * * *"}


@pytest.fixture(scope="module")
def vault(cloud: LaunchedCloud, vault_settings: Mapping[str, str]) -> Iterator[VaultHost]:
    """A vault of two apps."""
    vault = cloud.new_vault(changed=vault_settings, is_split=True)
    yield vault
    vault.stop()


@pytest.fixture(scope="module")
def storage_owner(vault: VaultHost) -> Iterator[Any]:
    """The vault account as its owner sees it: to look at what came of an attack."""
    storage = vault.endpoints["storage"]
    token = StaticToken(vault.endpoints["owners"]["vault-owner"])
    service: Any = BlobServiceClient(
        storage["vault"]["blobEndpoint"], token, connection_verify=storage["ca"], retry_total=0
    )
    with service:
        yield service


@pytest.fixture(scope="module")
def instances(user: User, owner: Owner) -> Mapping[str, str]:
    """Path of the backup instance of each server; a person granted the roles of both beforehand."""
    owner.change_server(user.servers["pg-billing"], minimumDurationSeconds=0)
    for role in SOURCE_ROLES:
        owner.grant(user.servers["pg-billing"], role)
    user.put_policy(POLICY, bodies.policy())
    user.put_policy(SHORTER, bodies.policy(keep_for="P7D"))
    return {server: user.protect(server, POLICY) for server in UNLOCKED_POINTS}


@pytest.fixture(scope="module")
def points(user: User, instances: Mapping[str, str], storage_owner: Any) -> Mapping[str, SealedPoint]:
    """Every recovery point as it was before any attack, by its name here: first Unlocked ones, then Locked ones."""
    named = _back_up(user, instances, UNLOCKED_POINTS)
    assert set_immutability(user, "Locked").status_code == 200
    named |= _back_up(user, instances, LOCKED_POINTS)
    return {name: take_up(storage_owner, instance, point) for name, (instance, point) in named.items()}


def _back_up(
    user: User, instances: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, str]]:
    """Back up both servers side by side; answers instance and point by the name that it is wanted for."""

    def back_up(server: str) -> dict[str, tuple[str, str]]:
        made: dict[str, tuple[str, str]] = {}
        with closing(User(user.vault)) as person:  # connections are not shared between threads
            for name in wanted[server]:
                job = person.back_up(instances[server])
                person.good_end_of(job)
                made[name] = (instances[server], person.point_of(instances[server], job)["name"])
        return made

    with ThreadPoolExecutor(len(wanted)) as pool:
        return {name: found for made in pool.map(back_up, wanted) for name, found in made.items()}


@pytest.fixture(scope="module")
def thieves(cloud: LaunchedCloud, vault: VaultHost) -> Iterator[Thieves]:
    """Connects as each thief."""
    with closing(Thieves(cloud, vault)) as thieves:
        storage = vault.endpoints["storage"]
        key = {"account_name": storage["landing"]["account"], "account_key": storage["landing"]["key"]}
        landing: Any = BlobServiceClient(storage["landing"]["blobEndpoint"], key, connection_verify=storage["ca"])
        with landing:
            landing.create_container(LEAKED)
        yield thieves
