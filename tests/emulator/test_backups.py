"""A backup as a vault sees it: start, poll, files; and what the emulator refuses."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local_cloud.arm_emulator.dump import BackupFile, Database, FileKind
from local_cloud.postgres import PostgresServer, binaries
from tests.emulator.conftest import StartWorld
from tests.emulator.people import OWNER
from tests.emulator.places import SERVER_ID, SERVERS_ID, server_of
from tests.emulator.world import SAS_THAT_LEADS_NOWHERE, Landing, MovableClock, World, server_path, start_body

CHECK_BODY = {"backupSettings": {"backupName": "b1"}}
ODD_DATABASE_FILE = "database_O%27Brien%20%26%20S%C3%B6hne%2E1.sql"


@pytest.fixture
def real_world(start_world: StartWorld, postgres: PostgresServer) -> World:
    """A cloud whose server has a PostgreSQL behind it."""
    return start_world(servers=(server_of("pg-orders", postgres=postgres.url),))


def test_a_backup_lands_every_file_and_says_succeeded(real_world: World, landing: Landing) -> None:
    client = real_world.postgres().backups_long_term_retention
    wanted = client.check_prerequisites(*server_path(), CHECK_BODY)

    client.begin_start(*server_path(), start_body("b1", landing.sas("whole"))).result()

    operation = client.get(*server_path(), "b1")
    files = landing.files("whole")
    assert wanted.properties.number_of_containers == 1
    assert operation.properties.status == "Succeeded"
    assert operation.properties.percent_complete == 100
    assert operation.properties.datasource_size_in_bytes > 20_000_000
    assert operation.properties.data_transferred_in_bytes == sum(map(len, files.values()))
    assert set(files) == {
        "b1_roles.sql",
        "b1_tablespace.sql",
        "b1_schema.sql",
        "b1_database_orders.sql",
        f"b1_{ODD_DATABASE_FILE}",
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


@pytest.mark.parametrize(
    ("database", "encoded"),
    [
        pytest.param("orders_2-a", "orders_2-a", id="plain"),
        pytest.param("a/b.c~d", "a%2Fb%2Ec%7Ed", id="marks"),
        pytest.param("é %", "%C3%A9%20%25", id="unicode"),
    ],
)
def test_a_database_s_name_is_percent_encoded(database: str, encoded: str) -> None:
    file = BackupFile(kind=FileKind.DATABASE, database=Database(name=database, size_bytes=1))

    assert file.blob_name("b1") == f"b1_database_{encoded}.sql"


def test_files_are_spread_over_the_containers(
    start_world: StartWorld, postgres: PostgresServer, landing: Landing
) -> None:
    world = start_world(servers=(server_of("pg-orders", postgres=postgres.url, containers=2),))
    wanted = world.arm("POST", f"{SERVER_ID}/ltrPreBackup", json=CHECK_BODY).json()["properties"]

    world.start_backup("b1", landing.sas("spread0"), landing.sas("spread1"))
    world.wait_for_backups()

    assert wanted == {"numberOfContainers": 2}
    assert set(landing.files("spread0")) == {"b1_roles.sql", "b1_schema.sql", "b1_database_orders.sql"}
    assert set(landing.files("spread1")) == {"b1_tablespace.sql", f"b1_{ODD_DATABASE_FILE}"}
    assert world.log()["backups"][0]["containers"] == ["spread0", "spread1"]


@pytest.mark.parametrize(
    ("permissions", "expires_in", "code"),
    [
        pytest.param("rl", timedelta(hours=1), "AuthorizationPermissionMismatch", id="no write"),
        pytest.param("racwl", timedelta(seconds=-60), "AuthorizationFailure", id="expired"),
    ],
)
def test_storage_that_refuses_fails_the_backup(
    *,
    start_world: StartWorld,
    postgres: PostgresServer,
    landing: Landing,
    permissions: str,
    expires_in: timedelta,
    code: str,
) -> None:
    clock = MovableClock()
    clock.move(hours=-1)  # so that the emulator itself still takes the SAS for valid
    world = start_world(
        clock=clock, servers=(server_of("pg-orders", postgres=postgres.url, createdAt="2020-01-01T00:00:00Z"),)
    )

    sas = landing.sas("refused", permissions=permissions, expires_in=expires_in)
    started = world.start_backup("b1", sas)
    world.wait_for_backups()

    operation = world.operation("b1")
    assert started.status_code == 202
    assert (operation["status"], operation["errorCode"]) == ("Failed", code)
    assert operation["errorMessage"] == f"writing to container 'refused' failed: {code}"
    assert world.arm("GET", started.headers["azure-asyncoperation"]).json()["error"]["code"] == code
    assert world.arm("GET", started.headers["location"]).status_code == 409


def test_storage_that_does_not_answer_fails_the_backup(real_world: World) -> None:
    real_world.start_backup("b1")
    real_world.wait_for_backups()

    assert real_world.operation("b1")["status"] == "Failed"


def test_a_server_without_postgresql_fails_the_backup(world: World) -> None:
    world.start_backup("b1")
    world.wait_for_backups()

    operation = world.operation("b1")
    assert (operation["status"], operation["errorCode"]) == ("Failed", "BackupDataSourceUnreachable")


def test_no_signature_is_kept_anywhere(real_world: World, landing: Landing) -> None:
    good, bad = landing.sas("kept"), landing.sas("kept", permissions="rl")
    for name, sas in (("b1", good), ("b2", bad), ("b3", SAS_THAT_LEADS_NOWHERE), ("b4", f"{good}&sr=b")):
        real_world.start_backup(name, sas)
        real_world.wait_for_backups()

    state = real_world.server.emulator.config.state_dir
    written = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    shown = real_world.arm("GET", f"{SERVER_ID}/ltrBackupOperations").content + str(real_world.log()).encode()
    assert b"b3" in written
    assert b"sig=" not in written + shown


@pytest.mark.parametrize(
    ("name", "urls"),
    [
        pytest.param("", [SAS_THAT_LEADS_NOWHERE], id="empty name"),
        pytest.param("a/b", [SAS_THAT_LEADS_NOWHERE], id="slash in the name"),
        pytest.param("n" * 129, [SAS_THAT_LEADS_NOWHERE], id="long name"),
        pytest.param(7, [SAS_THAT_LEADS_NOWHERE], id="name that is a number"),
        pytest.param("b1", [], id="no container"),
        pytest.param("b1", "https://", id="no list"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("https", "http")], id="http"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("sr=c", "sr=b")], id="blob sas"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("&sig=", "&gis=")], id="no signature"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("2999", "2020")], id="expired"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("se=", "es=")], id="no end"),
        pytest.param("b1", [SAS_THAT_LEADS_NOWHERE.replace("/c0", "/c0/blob")], id="path below the container"),
    ],
)
def test_a_wrong_start_is_refused_without_repeating_it(calm_world: World, name: Any, urls: Any) -> None:
    body = {"backupSettings": {"backupName": name}, "targetDetails": {"sasUriList": urls}}

    answer = calm_world.arm("POST", f"{SERVER_ID}/startLtrBackup", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameterValue")
    assert "c2VjcmV0" not in answer.text
    assert calm_world.log()["backups"] == []


@pytest.mark.parametrize("content", [pytest.param(b"{", id="broken"), pytest.param(b"[]", id="no object")])
def test_a_body_that_is_no_json_object_is_refused(calm_world: World, content: bytes) -> None:
    answer = calm_world.http.post(
        f"{SERVER_ID}/startLtrBackup?api-version=1",
        content=content,
        headers={"Authorization": f"Bearer {calm_world.identity.token(OWNER)}"},
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestContent")


UNFIT_SERVERS = {
    "pg-stopped": ({"state": "Stopped"}, "ServerNotReadyForLongTermBackup"),
    "pg-updating": ({"state": "Updating"}, "ServerNotReadyForLongTermBackup"),
    "pg-replica": ({"replicationRole": "AsyncReplica"}, "OperationNotAllowedOnReadReplica"),
    "pg-far-replica": ({"replicationRole": "GeoAsyncReplica"}, "OperationNotAllowedOnReadReplica"),
}


@pytest.mark.parametrize("call", ["ltrPreBackup", "startLtrBackup"])
def test_a_server_that_cannot_be_backed_up_says_why(start_world: StartWorld, call: str) -> None:
    world = start_world(servers=tuple(server_of(name, **changes) for name, (changes, _) in UNFIT_SERVERS.items()))

    answers = {name: world.arm("POST", f"{SERVERS_ID}/{name}/{call}", json=start_body("b1")) for name in UNFIT_SERVERS}

    assert {answer.status_code for answer in answers.values()} == {409}
    assert {name: answer.json()["error"]["code"] for name, answer in answers.items()} == {
        name: code for name, (_, code) in UNFIT_SERVERS.items()
    }


def test_a_second_backup_of_a_busy_server_is_refused(world: World) -> None:
    world.order("hold-backup")
    world.start_backup("b1")

    second = world.start_backup("b2")
    world.clear_faults()
    world.wait_for_backups()

    assert (second.status_code, second.json()["error"]["code"]) == (409, "ServerIsBusy")
    assert [backup["backupName"] for backup in world.log()["backups"]] == ["b1"]
    assert world.start_backup("b3").status_code == 202


def test_a_name_used_again_is_a_second_run_that_the_log_shows(world: World) -> None:
    for _ in range(2):
        assert world.start_backup("b1").status_code == 202
        world.wait_for_backups()

    log = world.log()["backups"]
    assert [(backup["server"], backup["backupName"]) for backup in log] == [("pg-orders", "b1")] * 2
    assert len(world.arm("GET", f"{SERVER_ID}/ltrBackupOperations").json()["value"]) == 1


def test_a_server_that_stops_fails_its_running_backup(world: World) -> None:
    world.order("hold-backup")
    world.start_backup("b1")

    world.change_server("pg-orders", state="Stopped")
    world.wait_for_backups()

    operation = world.operation("b1")
    assert (operation["status"], operation["errorCode"]) == ("Failed", "ServerNotReadyForLongTermBackup")


def test_a_server_that_is_deleted_fails_its_running_backup(world: World) -> None:
    world.order("hold-backup")
    world.start_backup("b1")

    world.arm("DELETE", SERVER_ID)
    world.wait_for_backups()

    assert [backup["status"] for backup in world.log()["backups"]] == ["Failed"]
    assert world.arm("GET", f"{SERVER_ID}/ltrBackupOperations/b1").status_code == 404


def test_a_server_made_anew_does_not_know_the_backups_of_its_predecessor(world: World) -> None:
    world.start_backup("b1")
    world.wait_for_backups()

    world.change_server("pg-orders", createdAt="2999-01-01T00:00:00Z")

    assert world.arm("GET", f"{SERVER_ID}/ltrBackupOperations").json() == {"value": []}


def test_the_log_survives_a_restart_and_says_what_became_of_a_backup(start_world: StartWorld) -> None:
    servers = (server_of("pg-orders"),)
    first = start_world(servers=servers)
    first.start_backup("b1")
    first.wait_for_backups()
    first.order("hold-backup")
    first.start_backup("b2")
    first.server.emulator.close()

    second = start_world(servers=servers)

    log = second.log()["backups"]
    assert [(backup["backupName"], backup["status"]) for backup in log] == [("b1", "Failed"), ("b2", "Failed")]
    assert all(backup["endedAt"] >= backup["startedAt"] for backup in log)
    assert second.operation("b2")["errorMessage"] == "The service restarted during the backup."


def test_percent_follows_the_minimum_duration(
    start_world: StartWorld, postgres: PostgresServer, landing: Landing
) -> None:
    clock = MovableClock()
    world = start_world(clock=clock, servers=(server_of("pg-orders", postgres=postgres.url, minimumDurationSeconds=2),))
    world.start_backup("b1", landing.sas("slow"))

    early = world.operation("b1")
    world.wait_for_backups()
    late = world.operation("b1")

    assert early["status"] == "Running"
    assert early["percentComplete"] < 100
    assert (late["status"], late["percentComplete"]) == ("Succeeded", 100.0)
    assert late["endTime"] > early["startTime"]
