"""One local cloud for the whole test session, one vault per test file.

A test asks for `vault`: a flexvault app of its own with empty accounts, in a subscription of its own with the source
servers `pg-orders` and `pg-billing`. Their ARM ids belong to that vault alone, so jobs, roles and faults of other files
do not meet it; the two PostgreSQL processes behind them are shared, so a test only reads them, or makes a database of
its own. `vault.endpoints` has the members of `endpoints.json`.

The state folder is one that only root may enter when root runs the tests: what a clone below root's home is, too.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost

TEST_VAULTS = 24


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedCloud]:
    """The session's local cloud; it runs no app of its own."""
    with LaunchedCloud(tmp_path_factory.mktemp("cloud"), app=None, test_vaults=TEST_VAULTS) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def vault_settings() -> Mapping[str, str]:
    """App settings that a test file wants changed: override this fixture there."""
    return {}


@pytest.fixture(scope="module")
def vault(cloud: LaunchedCloud, vault_settings: Mapping[str, str]) -> Iterator[VaultHost]:
    """A vault of this test file's own, with a running host."""
    vault = cloud.new_vault(changed=vault_settings)
    yield vault
    vault.stop()


@pytest.fixture
def set_fault(cloud: LaunchedCloud) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Set faults of the ARM emulator; the end of the test clears all."""
    yield cloud.set_fault
    cloud.clear_faults()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the host's own tests last: the worker library keeps one app and one thread pool per process."""
    items.sort(key=lambda item: item.path.is_relative_to(Path(__file__).parent / "host"))
