"""The exchange that was recorded on real Azure, repeated against the emulator: same statuses, same members.

`ltr_recording.json` is the recorded traffic of the Azure CLI's own test of long-term retention; its `_source` says
which.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from local_cloud.postgres import PostgresServer
from tests.emulator.conftest import StartWorld
from tests.emulator.people import OWNER
from tests.emulator.places import SERVER_ID, server_of
from tests.emulator.world import Landing, World, start_body

RECORDING = json.loads((Path(__file__).parent / "ltr_recording.json").read_text(encoding="utf-8"))


def recorded(number: int) -> dict[str, Any]:
    return RECORDING["exchanges"][number]["response"]


def shape(value: Any) -> Any:
    """Replace every value by its type; a list is as its first element."""
    if isinstance(value, dict):
        members: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        return {name: shape(member) for name, member in members.items()}
    if isinstance(value, list):
        elements: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
        return [shape(element) for element in elements[:1]]
    return type(value).__name__


@pytest.fixture
def exchange(start_world: StartWorld, postgres: PostgresServer, landing: Landing) -> list[Any]:
    """Repeat the recorded requests, in order."""
    world = start_world(servers=(server_of("pg-orders", postgres=postgres.url),))
    world.order("hold-backup")
    check = world.arm("POST", f"{SERVER_ID}/ltrPreBackup", json={"backupSettings": {"backupName": "testbackup"}})
    start = world.arm("POST", f"{SERVER_ID}/startLtrBackup", json=start_body("testbackup", landing.sas("wire")))
    running = follow(world, start.headers["azure-asyncoperation"])
    world.clear_faults()
    world.wait_for_backups()
    return [
        check,
        start,
        running,
        follow(world, start.headers["azure-asyncoperation"]),
        follow(world, start.headers["location"]),
        world.arm("GET", f"{SERVER_ID}/ltrBackupOperations/testbackup"),
        world.arm("GET", f"{SERVER_ID}/ltrBackupOperations"),
    ]


def follow(world: World, link: str) -> Any:
    return world.http.get(link, headers={"Authorization": f"Bearer {world.identity.token(OWNER)}"})


def test_every_answer_has_the_recorded_status_and_members(exchange: list[Any]) -> None:
    assert len(exchange) == len(RECORDING["exchanges"])
    for number, answer in enumerate(exchange):
        assert answer.status_code == recorded(number)["status"]
        assert shape(answer.json()) == shape(recorded(number)["body"])


def test_links_look_as_recorded_and_lead_to_the_emulator(exchange: list[Any]) -> None:
    start = exchange[1]
    operation_id = exchange[2].json()["name"]

    assert "retry-after" not in start.headers
    for header, kind in (("azure-asyncoperation", "azureAsyncOperation"), ("location", "operationResults")):
        link = start.headers[header]
        assert link.startswith(f"{start.url.scheme}://{start.url.netloc.decode()}/subscriptions/")
        assert f"/locations/eastus/{kind}/{operation_id}?api-version=2025-08-01&t=" in link
        assert len(link) > 3000


def test_words_and_ids_are_the_recorded_ones(exchange: list[Any]) -> None:
    _, start, running, done, result, one, several = (answer.json() for answer in exchange)

    assert start["operation"] == "LongTermRetentionBackupManagementOperation"
    assert (running["status"], done["status"]) == ("InProgress", "Succeeded")
    assert one["id"] == f"{SERVER_ID}/ltrBackupOperations/testbackup"
    assert one["type"] == "Microsoft.DBforPostgreSQL/flexibleServers/ltrBackupOperations"
    assert (one["properties"]["status"], one["properties"]["percentComplete"]) == ("Succeeded", 100.0)
    assert one["properties"]["startTime"] == start["startTime"]
    # The service keeps two start times of one operation.
    assert several["value"][0]["properties"]["startTime"] == result["properties"]["startTime"] > start["startTime"]
