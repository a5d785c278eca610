"""What is in a recovery point, its rebuild kit, and the outline of a restore: over the API."""

import io
import json
import zipfile
from typing import Any
from urllib.parse import quote

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.blob_names import MANIFESTS
from tests.api.doors import INSTANCE, Door, Sent, door_of, restore_body
from tests.builders import backup_files, tiny_archive
from tests.services.stored_verification import put_verification

OWN = "/vault/backupInstances/pg-orders/recoveryPoints"
ODD = 'a "b", c/%'
FILES = backup_files(orders=tiny_archive(tables=["a"]), odd=tiny_archive(ODD), postgres=tiny_archive("postgres"))


@pytest.fixture
def door() -> Door:
    return door_of(FILES)


@pytest.fixture
def point(door: Door) -> str:
    return door.protect_and_back_up()


def ask(door: Door, path: str, **query: str) -> Sent:
    written = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return door.send("GET", f"https://vault.example/api{OWN}/{path}?{written}", person="reader")


def contents(door: Door, point: str, **query: str) -> list[dict[str, Any]]:
    answer = ask(door, f"{point}/contents", **query)
    assert answer.status == 200, answer.body
    return answer.json["value"]


def test_contents_name_databases_schemas_and_tables_with_their_owners(door: Door, point: str) -> None:
    found = contents(door, point)
    assert [(one["database"], one["kind"], one["name"]) for one in found] == [
        (database, kind, name)
        for database, tables in ((ODD, ["item"]), ("orders", ["a", "item"]), ("postgres", ["item"]))
        for kind, name in (("database", database), ("schema", "public"), *(("table", table) for table in tables))
    ]
    assert found[2] == {
        "database": ODD,
        "kind": "table",
        "schema": "public",
        "name": "item",
        "owner": "app",
        "count": None,
        "rows": None,
        "sizeInBytes": None,
        "digest": None,
        "fileSizeInBytes": None,
        "notCounted": None,
        "source": "TableOfContents",
        "verifiedAt": None,
    }
    assert found[0]["fileSizeInBytes"] == len(FILES["_database_odd.sql"])


def test_counts_come_from_the_newest_deep_verification(door: Door, point: str) -> None:
    put_verification(door.world)
    (item,) = (one for one in contents(door, point, database=ODD) if one["kind"] == "table")
    assert (item["rows"], item["sizeInBytes"], item["source"]) == (7, 70, "DeepVerification")
    assert item["verifiedAt"] == "2026-01-06T03:00:00.0000000Z"
    assert len(item["digest"]) == 32


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"database": ODD}, 3),
        ({"database": "orders", "kind": "TABLE"}, 2),
        ({"schema": "public", "kind": "table"}, 4),
        ({"schema": "other"}, 0),
        ({"kind": "materializedView"}, 0),
        ({"database": "", "schema": "", "kind": ""}, 10),
    ],
)
def test_contents_are_filtered_by_whole_names(door: Door, point: str, query: dict[str, str], count: int) -> None:
    assert len(contents(door, point, **query)) == count


def test_a_filter_holds_on_every_page(door: Door, point: str) -> None:
    whole = contents(door, point, kind="table", database="orders")
    first = ask(door, f"{point}/contents", **{"kind": "table", "database": "orders", "$top": "1"}).json
    second = door.send("GET", first["nextLink"], person="reader", query="").json
    assert first["value"] + second["value"] == whole
    assert "nextLink" not in second


@pytest.mark.parametrize(
    ("query", "target", "named"),
    [
        ({"database": "Orders"}, "database", "'orders', 'postgres'"),
        ({"kind": "index"}, "kind", "'index'"),
        ({"$skipToken": "MA=="}, "$skipToken", "$skipToken"),
        ({"$top": "0"}, "$top", "$top"),
    ],
)
def test_a_query_that_cannot_be_used_says_why(
    door: Door, point: str, query: dict[str, str], target: str, named: str
) -> None:
    refused = ask(door, f"{point}/contents", **query)
    assert (refused.status, refused.error["target"]) == (400, target)
    assert named in refused.error["message"]


@pytest.mark.parametrize("what", ["contents", "rebuildKit"])
@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{OWN}/{'0' * 32}", "UserErrorRecoveryPointNotFound"),
        (f"{OWN}/x", "UserErrorRecoveryPointNotFound"),
        (OWN.replace("pg-orders", "other") + f"/{'0' * 32}", "UserErrorGenericResourceNotFound"),
    ],
)
def test_what_is_not_there_is_404(door: Door, point: str, path: str, code: str, what: str) -> None:
    missing = door.send("GET", f"{path}/{what}", query="filePrefix=night")
    assert (missing.status, missing.error["code"]) == (404, code), point


@pytest.mark.parametrize("what", ["contents", "rebuildKit"])
def test_a_manifest_that_was_changed_is_not_believed(door: Door, point: str, what: str) -> None:
    storage = door.world.memory.storage
    (manifest,) = storage.list_blobs("vault", MANIFESTS)
    storage.spoil("vault", MANIFESTS, manifest.name, storage.read("vault", MANIFESTS, manifest.name) + b" ")
    refused = ask(door, f"{point}/{what}", filePrefix="night")
    assert (refused.status, refused.error["code"]) == (409, "ManifestDiffers")


@pytest.mark.parametrize("what", ["contents", "rebuildKit"])
def test_a_manifest_that_is_missing_is_no_missing_point(door: Door, point: str, what: str) -> None:
    storage = door.world.memory.storage
    (manifest,) = storage.list_blobs("vault", MANIFESTS)
    storage.lose("vault", MANIFESTS, manifest.name)
    missing = ask(door, f"{point}/{what}", filePrefix="night")
    assert (missing.status, missing.error["code"]) == (409, "BlobNotFound")


def test_a_deep_verification_that_was_changed_is_not_believed(door: Door, point: str) -> None:
    result = put_verification(door.world)
    name = f"{result.instance}/{result.point_id}.verification-1.json"
    door.world.memory.storage.spoil("vault", MANIFESTS, name, b"{}")
    refused = ask(door, f"{point}/contents")
    assert (refused.status, refused.error["code"]) == (409, "VerificationDiffers")
    found = kit(ask(door, f"{point}/rebuildKit", filePrefix="night"))
    assert found["verification"] is None
    assert "is not the one that was journalled" in found["notice"]


# The rebuild kit -----------------------------------------------------------------------------------------------------


def kit(answer: Sent) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        assert sorted(packed.namelist()) == ["README.md", "rebuild.pyz"]
        program = packed.read("rebuild.pyz")
    with zipfile.ZipFile(io.BytesIO(program)) as packed:
        return json.loads(packed.read("kit.json"))


def test_the_kit_of_any_point_is_downloaded_for_a_prefix(door: Door, point: str) -> None:
    answer = ask(door, f"{point}/rebuildKit", filePrefix="night")
    assert answer.header("Content-Type") == "application/zip"
    assert answer.header("Content-Disposition") == 'attachment; filename="night_rebuild.zip"'
    assert answer.header("Cache-Control") == "no-store"
    found = kit(answer)
    assert (found["filePrefix"], found["recoveryPoint"]["id"], found["leftOut"]) == ("night", point, [])
    assert "night_database_orders.sql" in {file["name"] for file in found["files"]}


def test_the_kit_is_that_of_the_restore_of_the_same_databases(door: Door, point: str) -> None:
    body = restore_body(point, prefix="night")
    body["restoreTargetInfo"]["databases"] = [ODD]
    assert door.send("POST", f"{INSTANCE}/restore", body).status == 202
    door.run_jobs()
    written = door.world.memory.storage.read("restore", "target", "night_rebuild/rebuild.pyz")
    answer = ask(door, f"{point}/rebuildKit", filePrefix="night", databases=json.dumps([ODD]))
    assert kit(answer)["leftOut"] == ["orders", "postgres"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as packed:
        assert packed.read("rebuild.pyz") == written


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ({}, "filePrefix"),
        ({"filePrefix": ""}, "filePrefix"),
        ({"filePrefix": "a/b"}, "filePrefix"),
        ({"filePrefix": 'a"\r\nx: y'}, "filePrefix"),
        ({"filePrefix": "é"}, "filePrefix"),
        ({"filePrefix": "n", "databases": "orders"}, "databases"),
        ({"filePrefix": "n", "databases": "[]"}, "databases"),
        ({"filePrefix": "n", "databases": '["orders","orders"]'}, "databases"),
        ({"filePrefix": "n", "databases": "[1]"}, "databases"),
        ({"filePrefix": "n", "databases": '["nope"]'}, "databases"),
        ({"filePrefix": "n", "databases": '["\\ud800"]'}, "databases"),
        ({"filePrefix": "n", "databases": "[" * 2000}, "databases"),
    ],
)
def test_a_kit_that_cannot_be_made_is_refused(door: Door, point: str, query: dict[str, str], target: str) -> None:
    refused = ask(door, f"{point}/rebuildKit", **query)
    assert refused.status == 400
    assert target in {refused.error["target"], *(detail["target"] for detail in refused.error["details"])}


# The outline ---------------------------------------------------------------------------------------------------------


def checked(door: Door, point: str, **changes: Any) -> Sent:
    body = restore_body(point, prefix="night")
    body["restoreTargetInfo"] |= changes
    return door.send("POST", f"{INSTANCE}/validateRestore", {"restoreRequestObject": body}, person="operator")


def test_a_checked_restore_answers_its_outline_as_status_and_as_result(door: Door, point: str) -> None:
    put_verification(door.world)
    accepted = checked(door, point)
    outline = door.follow(accepted)["properties"]["restoreOutline"]
    assert door.result(accepted).json["restoreOutline"] == outline
    assert outline["steps"][0] == {"step": "Roles", "database": None}
    assert [step["database"] for step in outline["steps"] if step["step"] == "Data"] == [ODD, "orders"]
    orders = next(one for one in outline["databases"] if one["name"] == "orders")
    assert (orders["file"], orders["owner"], orders["encoding"]) == ("night_database_orders.sql", "app", "UTF8")
    assert (orders["tables"], orders["rows"], outline["verifiedAt"]) == (2, 7, "2026-01-06T03:00:00.0000000Z")
    assert [one["name"] for one in outline["leftOut"]] == ["postgres"]
    assert outline["sizeInBytes"] == sum(map(len, FILES.values()))


def test_the_outline_follows_the_choice(door: Door, point: str) -> None:
    outline = door.follow(checked(door, point, databases=["orders"]))["properties"]["restoreOutline"]
    assert [one["name"] for one in outline["databases"]] == ["orders"]
    assert {one["name"]: one["reason"] for one in outline["leftOut"]} == {
        ODD: "it was not chosen",
        "postgres": "it was not chosen",
    }


def test_a_check_that_failed_has_no_outline(door: Door, point: str) -> None:
    document = door.follow(checked(door, point, databases=["nope"]))
    assert document["status"] == "Failed"
    assert "has no database 'nope'" in document["error"]["message"]
    assert "restoreOutline" not in document["properties"]


def test_an_outline_of_any_size_needs_no_room_in_a_row(door: Door) -> None:
    files = {f"d{number:04d}": tiny_archive(f"d{number:04d}") for number in range(300)}
    door.world.memory.ltr.script = LtrScript(files=backup_files(**files))
    point = door.protect_and_back_up()
    outline = door.follow(checked(door, point))["properties"]["restoreOutline"]
    assert len(outline["databases"]) == 300
    assert len(json.dumps(outline)) > 64 * 1024


def test_a_point_that_was_changed_after_the_check_does_not_keep_a_poller_from_its_end(door: Door, point: str) -> None:
    accepted = checked(door, point)
    storage = door.world.memory.storage
    (manifest,) = storage.list_blobs("vault", MANIFESTS)
    storage.spoil("vault", MANIFESTS, manifest.name, b"{}")
    document = door.follow(accepted)
    assert document["status"] == "Succeeded"
    assert document["properties"]["restoreOutline"]["problem"].startswith("ManifestDiffers: ")
