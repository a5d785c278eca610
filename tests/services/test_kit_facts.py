"""What a kit knows: the names of the restore, its files, and what the newest deep verification found in them."""

import io
import json
import zipfile
from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.errors import InvalidInputError
from flexvault.kit.facts import KitFacts
from flexvault.services import catalog
from flexvault.services.kit_download import KitOrder, pack_kit
from flexvault.services.kit_facts import kit_facts
from flexvault.services.rebuild_kit import build_kit
from tests.builders import SERVER_ID, World, backup_files, run_jobs, tiny_archive
from tests.services.running import claimed
from tests.services.stored_verification import put_verification, the_point

FILES = backup_files(orders=tiny_archive(), billing=tiny_archive("billing"))


@pytest.fixture
def world() -> World:
    world = claimed()
    world.memory.ltr.script = LtrScript(files=FILES)
    run_jobs(world)
    return world


def facts(world: World, *databases: str, prefix: str = "night") -> KitFacts:
    point = the_point(world)
    return kit_facts(world.vault.ports, point, catalog.read_manifest(world.vault.ports, point), prefix, databases)


def test_a_kit_knows_server_point_and_every_file(world: World):
    found, point = facts(world), the_point(world)
    assert (found.server_name, found.server_id, found.server_version) == ("pg-orders", SERVER_ID, "15")
    assert (found.recovery_point_id, found.manifest_hash) == (point.point_id, point.manifest_hash)
    assert found.recovery_point_time == point.recovery_point_time.isoformat()
    assert {(file.name, file.kind, file.database, file.size_bytes) for file in found.files} == {
        ("night_database_orders.sql", "database", "orders", len(FILES["_database_orders.sql"])),
        ("night_database_billing.sql", "database", "billing", len(FILES["_database_billing.sql"])),
        ("night_roles.sql", "roles", "", len(FILES["_roles.sql"])),
        ("night_tablespace.sql", "tablespace", "", len(FILES["_tablespace.sql"])),
        ("night_schema.sql", "schema", "", len(FILES["_schema.sql"])),
    }
    assert (found.left_out, found.verification) == ((), None)
    assert {file.sha256 for file in found.files} == {""}


def test_a_kit_of_chosen_databases_says_which_were_left_out(world: World):
    found = facts(world, "billing")
    assert [file.database for file in found.files if file.database] == ["billing"]
    assert "night_roles.sql" in {file.name for file in found.files}
    assert found.left_out == ("orders",)
    assert found.kit_id != facts(world).kit_id


def test_a_kit_has_the_hashes_and_counts_of_the_newest_deep_verification(world: World):
    result = put_verification(world, number=2)
    found = facts(world, "billing")
    assert found.verification is not None
    assert (found.verification.number, found.verification.verdict) == (2, "Intact")
    assert found.verification.completed_at == result.completed_at.isoformat()
    assert "night_database_orders.sql" not in found.verification.files
    assert found.verification.files["night_database_billing.sql"].rows[0].rows == 7
    assert {file.sha256 for file in found.files} == {"a" * 64}


def test_a_kit_leaves_out_a_deep_verification_that_is_not_the_journalled_one_and_says_so(world: World):
    result = put_verification(world)
    path = blob_names.verification_path(result.instance, result.point_id, result.number)
    world.memory.storage.spoil(VAULT, blob_names.MANIFESTS, path, b"{}")
    found = facts(world)
    assert found.verification is None
    assert "is not the one that was journalled" in found.notice
    assert "is not the one that was journalled" in build_kit(found)["README.md"].decode()


def test_what_a_kit_knows_survives_being_written(world: World):
    put_verification(world)
    assert KitFacts.from_bytes(facts(world).to_bytes()) == facts(world)


def test_the_kit_of_any_point_is_downloaded_as_a_zip_of_program_and_page(world: World):
    order = KitOrder(file_prefix="night", databases=("orders",))
    packed = pack_kit(world.vault.ports, the_point(world), order)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == build_kit(facts(world, "orders"))
    with zipfile.ZipFile(io.BytesIO(found["rebuild.pyz"])) as program:
        stored: dict[str, Any] = json.loads(program.read("kit.json"))
    assert (stored["filePrefix"], stored["leftOut"]) == ("night", ["billing"])
    assert pack_kit(world.vault.ports, the_point(world), order) == packed


@pytest.mark.parametrize(
    ("order", "target"),
    [
        (KitOrder(file_prefix=""), "filePrefix"),
        (KitOrder(file_prefix="../up"), "filePrefix"),
        (KitOrder(file_prefix="night", databases=("Orders",)), "databases"),
    ],
)
def test_a_kit_that_cannot_be_made_says_what_is_wrong(world: World, order: KitOrder, target: str):
    with pytest.raises(InvalidInputError) as refused:
        pack_kit(world.vault.ports, the_point(world), order)
    assert refused.value.target == target
