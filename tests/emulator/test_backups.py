"""A backup as a vault sees it: start, poll, files; and what the emulator refuses."""

import subprocess
from pathlib import Path

import pytest

from local_cloud.postgres import PostgresServer, binaries
from tests.emulator.conftest import StartWorld
from tests.emulator.places import server_of
from tests.emulator.world import Landing, World, server_path, start_body


@pytest.fixture
def real_world(start_world: StartWorld, postgres: PostgresServer) -> World:
    """A cloud whose server has a PostgreSQL behind it."""
    return start_world(servers=(server_of("pg-orders", postgres=postgres.url),))


def test_a_backup_lands_every_file_and_says_succeeded(real_world: World, landing: Landing) -> None:
    client = real_world.postgres().backups_long_term_retention
    wanted = client.check_prerequisites(*server_path(), {"backupSettings": {"backupName": "b1"}})
    poller = client.begin_start(*server_path(), start_body("b1", landing.sas("whole")))

    poller.result()

    operation = client.get(*server_path(), "b1")
    files = landing.files("whole")
    assert wanted.properties.number_of_containers == 1
    assert operation.properties.status == "Succeeded"
    assert operation.properties.percent_complete == 100
    assert operation.properties.data_transferred_in_bytes == sum(map(len, files.values()))
    assert set(files) == {
        "b1_roles.sql",
        "b1_tablespace.sql",
        "b1_schema.sql",
        "b1_database_orders.sql",
        "b1_database_O%27Brien%20%26%20S%C3%B6hne%2E1.sql",
    }
    assert b"CREATE ROLE clerk" in files["b1_roles.sql"]


def test_a_database_file_is_an_archive_that_pg_restore_reads(
    real_world: World, landing: Landing, tmp_path: Path
) -> None:
    real_world.start_backup("b2", landing.sas("archive"))
    real_world.wait_for_backups()

    archive = tmp_path / "orders.dump"
    archive.write_bytes(landing.files("archive")["b2_database_orders.sql"])
    script = subprocess.run([binaries() / "pg_restore", "--file=-", archive], capture_output=True, check=True)

    assert b"COPY public.line" in script.stdout
