"""One gateway over one Azurite for all tests of the gateway; the clock and the switch are put back after each."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from local_cloud.storage_gateway.config import BaseNameDelete
from tests.contract.surroundings import Azurite, run_azurite
from tests.gateway.world import World


@pytest.fixture(scope="session")
def gateway_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with run_azurite(tmp_path_factory.mktemp("gateway")) as azurite:
        yield azurite


@pytest.fixture(scope="session")
def shared_world(gateway_storage: Azurite) -> Iterator[World]:
    world = World(azurite=gateway_storage)
    with world.open, world.session:
        yield world


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    yield shared_world
    shared_world.gateway.clock.offset = timedelta()
    shared_world.gateway.clock.moves_date = False
    shared_world.gateway.base_name_delete = BaseNameDelete.KEEP


@pytest.fixture
def name(world: World) -> str:
    """A blob name that no other test uses."""
    return world.new_name()
