"""One PostgreSQL and one Azurite for all tests of the emulator; a fresh emulator for each test."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from local_cloud.arm_emulator.clock import Clock
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.server import EmulatorServer
from local_cloud.certificates import Certificates, ensure_certificates, now
from local_cloud.postgres import PostgresServer, binaries, empty_server, run_psql
from local_cloud.processes import Child
from local_cloud.storage import StoragePorts, azurite_command, is_listening, load_account_keys
from tests.emulator.people import OWNER, IdentityService
from tests.emulator.places import ACCOUNT, GROUP, SUBSCRIPTION, TENANT, server_of
from tests.emulator.world import Landing, World

DATABASES = """
CREATE DATABASE orders;
CREATE DATABASE "O'Brien & Söhne.1";
\\connect orders
CREATE TABLE line (id int PRIMARY KEY, text text);
INSERT INTO line SELECT n, md5(n::text) FROM generate_series(1, 5000) AS n;
CREATE ROLE clerk LOGIN;
"""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return ensure_certificates(tmp_path_factory.mktemp("tls"), now())


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    with empty_server(tmp_path_factory.mktemp("postgres"), name="pg-orders") as server:
        script = tmp_path_factory.mktemp("seed") / "databases.sql"
        script.write_text(DATABASES, encoding="utf-8")
        run_psql(server.url, ["--file", str(script)], "seed of the emulator's tests")
        yield server


@pytest.fixture(scope="session")
def landing(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Generator[Landing]:
    folder = tmp_path_factory.mktemp("azurite")
    keys = load_account_keys(folder / "keys.json", [ACCOUNT])
    ports = StoragePorts(blob=_free_port(), table=_free_port(), queue=_free_port())
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    child = Child(
        azurite_command(
            folder=folder, ports=ports, certificates=certificates, keys=keys, log=folder / "azurite.log", lock=lock
        )
    )
    try:
        child.wait_until(lambda: is_listening(ports.blob), within_seconds=20)
        with Landing(f"https://127.0.0.1:{ports.blob}/{ACCOUNT}", keys[ACCOUNT], certificates.authority) as landing:
            yield landing
    finally:
        child.stop()
        os.close(lock)


@pytest.fixture(scope="session")
def identity() -> Generator[IdentityService]:
    with IdentityService(TENANT) as service:
        yield service


@pytest.fixture(scope="session")
def base_config(
    certificates: Certificates, identity: IdentityService, tmp_path_factory: pytest.TempPathFactory
) -> EmulatorConfig:
    """Describe a cloud of one subscription, one group, one storage account and no server."""
    return EmulatorConfig.from_json(
        {
            "certificate": str(certificates.certificate),
            "privateKey": str(certificates.private_key),
            "caFile": str(certificates.authority),
            "state": str(tmp_path_factory.mktemp("unused")),
            "tenantId": TENANT,
            "jwksUrl": identity.jwks_url,
            "owner": OWNER.object_id,
            "pgBin": str(binaries()),
            "subscriptions": [{"id": SUBSCRIPTION, "displayName": "Test"}],
            "resourceGroups": [{"subscriptionId": SUBSCRIPTION, "name": GROUP, "location": "eastus"}],
            "storageAccounts": [
                {
                    "subscriptionId": SUBSCRIPTION,
                    "resourceGroup": GROUP,
                    "name": ACCOUNT,
                    "location": "eastus",
                    "blobEndpoint": f"https://127.0.0.1:1/{ACCOUNT}",
                }
            ],
        }
    )


class StartWorld(Protocol):
    """Starts an emulator with changed settings; it ends with the test."""

    def __call__(self, *, clock: Clock = now, **changes: Any) -> World: ...


@pytest.fixture(scope="session")
def started() -> Generator[ExitStack]:
    """Wait for the servers of all tests at the end: each takes a moment to stop that no test needs to see."""
    with ExitStack() as started:
        yield started


@pytest.fixture
def start_world(
    base_config: EmulatorConfig, identity: IdentityService, tmp_path: Path, started: ExitStack
) -> Generator[StartWorld]:
    with ExitStack() as worlds:

        def start(*, clock: Clock = now, **changes: Any) -> World:
            config = replace(base_config, state_dir=tmp_path / "state", **changes)
            world = started.enter_context(World(EmulatorServer(config, clock), identity))
            worlds.callback(world.leave)
            return world

        yield start


@pytest.fixture
def world(start_world: StartWorld) -> World:
    """A cloud with one server that nothing stands behind: for everything but a backup's content."""
    return start_world(servers=(server_of("pg-orders"),))


@pytest.fixture(scope="session")
def calm_world(
    base_config: EmulatorConfig, identity: IdentityService, tmp_path_factory: pytest.TempPathFactory
) -> Generator[World]:
    """The same, shared by the tests that change nothing."""
    config = replace(base_config, state_dir=tmp_path_factory.mktemp("calm"), servers=(server_of("pg-orders"),))
    with World(EmulatorServer(config), identity) as world:
        yield world


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
