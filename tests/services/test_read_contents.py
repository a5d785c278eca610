"""The contents of a point: of the manifest, of old archives themselves, with the counts that were journalled."""

from typing import Any

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.dump_archive import Archive
from flexvault.domain.dump_facts import describe
from flexvault.domain.errors import ConflictError, IntegrityError, InvalidInputError
from flexvault.domain.point_contents import ContentsSource
from flexvault.services import landing_check, read_contents
from flexvault.services.read_contents import ContentsFilter, PlacedObject, list_point_contents
from tests.builders import World, backup_files, run_jobs, tiny_archive
from tests.services.running import claimed
from tests.services.stored_verification import put_verification, the_point

FILES = backup_files(orders=tiny_archive(tables=["b", "a"]), Billing=tiny_archive("Billing"))
EVERYTHING = ContentsFilter()


def sealed(files: dict[str, bytes] = FILES) -> World:
    world = claimed()
    world.memory.ltr.script = LtrScript(files=files)
    run_jobs(world)
    return world


def listed(world: World, wanted: ContentsFilter = EVERYTHING, **where: Any) -> list[PlacedObject]:
    return list(list_point_contents(world.vault.ports, the_point(world), wanted, **where))


def told(found: list[PlacedObject]) -> list[str]:
    return [f"{one.found.database}:{one.found.kind}:{one.found.name}" for one in found]


WHOLE = [
    "Billing:database:Billing",
    "Billing:schema:public",
    "Billing:table:item",
    "orders:database:orders",
    "orders:schema:public",
    "orders:table:a",
    "orders:table:b",
    "orders:table:item",
]


def test_databases_come_by_name_and_the_servers_own_files_hold_none():
    assert told(listed(sealed())) == WHOLE


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ContentsFilter(database="Billing"), WHOLE[:3]),
        (ContentsFilter(kind="table"), [WHOLE[2], *WHOLE[5:]]),
        (ContentsFilter(schema="public", database="orders"), WHOLE[4:]),
        (ContentsFilter(schema="Public"), []),
        (ContentsFilter(schema="pub"), []),
        (ContentsFilter(kind="view"), []),
    ],
)
def test_only_what_is_asked_for_is_listed(wanted: ContentsFilter, found: list[str]):
    assert told(listed(sealed(), wanted)) == found


def test_a_database_that_the_point_does_not_have_is_refused():
    with pytest.raises(InvalidInputError, match=r"no database 'billing'; it has 'Billing', 'orders'"):
        listed(sealed(), ContentsFilter(database="billing"))


def test_a_list_goes_on_after_any_element_also_of_a_filtered_one():
    world = sealed()
    for wanted in (EVERYTHING, ContentsFilter(kind="table")):
        whole = listed(world, wanted)
        for number, one in enumerate(whole, start=1):
            assert listed(world, wanted, after=(one.archive, one.position)) == whole[number:]


def test_counts_are_those_of_the_newest_deep_verification():
    world = sealed()
    put_verification(world)
    found = {name: one.found for name, one in zip(WHOLE, listed(world), strict=True)}
    assert (found["orders:table:item"].rows, found["Billing:database:Billing"].rows) == (7, 7)
    assert found["orders:table:item"].source is ContentsSource.DEEP_VERIFICATION
    assert (found["orders:table:a"].rows, found["orders:table:a"].verified_at) == (None, None)


def test_a_verification_that_was_written_over_is_not_believed():
    world = sealed()
    result = put_verification(world)
    storage, name = world.memory.storage, f"{result.instance}/{result.point_id}.verification-1.json"
    changed = result.to_bytes().replace(b'"rows":7', b'"rows":8')
    storage.spoil("vault", "manifests", name, changed)
    with pytest.raises(IntegrityError) as refused:
        listed(world)
    assert refused.value.code == "VerificationDiffers"


# Points of a flexvault that kept no catalogue in the manifest -------------------------------------------------------


def describe_as_before(archive: Archive) -> dict[str, Any]:
    return {name: value for name, value in describe(archive).items() if name != "catalogue"}


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(landing_check, "describe", describe_as_before)
    return sealed()


def test_an_older_point_is_listed_from_its_archives_as_a_newer_one(old: World):
    put_verification(old)
    new = sealed()
    put_verification(new)
    assert [one.found for one in listed(old)] == [one.found for one in listed(new)]


def test_of_an_older_point_only_the_archives_that_a_page_reaches_are_read(old: World, monkeypatch: pytest.MonkeyPatch):
    reads: list[str] = []
    reader = old.vault.ports.vault_reader
    read = type(reader).read

    def counted(self: Any, container: str, path: str, **where: Any) -> bytes:
        reads.append(f"{container}/{path}")
        return read(self, container, path, **where)

    monkeypatch.setattr(type(reader), "read", counted)
    found = list_point_contents(old.vault.ports, the_point(old), EVERYTHING)
    assert next(found).found.name == "Billing"
    assert [path.rpartition("/")[2] for path in reads if path.startswith("points/")] == [
        next(path for path in reads if "Billing" in path).rpartition("/")[2]
    ]
    reads.clear()
    listed(old, ContentsFilter(database="orders"))
    assert len([path for path in reads if path.startswith("points/")]) == 1


def test_a_table_of_contents_that_is_too_large_for_a_request_is_refused(old: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(read_contents, "MOST_CONTENTS_BYTES", 0)
    with pytest.raises(ConflictError) as refused:
        listed(old)
    assert refused.value.code == "ContentsTooLarge"
    assert "pg_restore --list" in refused.value.hint
