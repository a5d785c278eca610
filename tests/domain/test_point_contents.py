"""What a recovery point holds: by the table of contents, and with what a deep verification counted."""

from typing import Any

from flexvault.domain.deep_verification import DeepVerification, VerifiedObjects
from flexvault.domain.dump_catalogue import Catalogue
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.point_contents import (
    OBJECT_KINDS,
    ContentsSource,
    ListedDatabase,
    PointObject,
    list_objects,
    unread_file,
)
from tests.domain.pointing import VERIFIED, a_database, a_file, a_verification, counted, verified

CATALOGUE: dict[str, Any] = {
    "view": [["public", "v", "app", 9, None]],
    "table": [["public", "b", "app", 3, 4], ["public", "a", "boss", 5, 6], ["audit", "z", "app", 7, None]],
    "schema": [["", "audit", "app", 2, None], ["", "public", "", 0, None]],
    "database": [["", "orders", "app", 1, None]],
    "extension": [["", "hstore", "", 8, None]],
    "subscription": [["", "s", "app", 10, None]],
}
FILE = a_database("orders", catalogue=CATALOGUE, largeObjects=3)


def listed(verification: DeepVerification | None = None, file: ManifestFile = FILE) -> list[PointObject]:
    whole = ListedDatabase(
        file=file,
        database="orders",
        owner="app",
        catalogue=Catalogue.from_json(file.facts["catalogue"]),
        large_objects=file.facts["largeObjects"],
    )
    return list(list_objects(whole, verification))


def of(found: list[PointObject], name: str) -> PointObject:
    return next(one for one in found if one.name == name)


def test_a_database_comes_first_then_its_objects_by_kind_schema_and_name():
    found = [(one.kind, one.schema, one.name) for one in listed()]
    assert found == [
        ("database", "", "orders"),
        ("schema", "", "audit"),
        ("schema", "", "public"),
        ("extension", "", "hstore"),
        ("table", "audit", "z"),
        ("table", "public", "a"),
        ("table", "public", "b"),
        ("view", "public", "v"),
        ("subscription", "", "s"),
        ("largeObject", "", ""),
    ]
    assert {one.kind for one in listed()} <= set(OBJECT_KINDS)


def test_without_a_deep_verification_nothing_is_counted_and_that_is_said():
    found = listed()
    assert {(one.rows, one.size_bytes, one.digest, one.verified_at) for one in found} == {(None, None, "", None)}
    assert {one.source for one in found} == {ContentsSource.TABLE_OF_CONTENTS}
    assert (found[0].file_size_bytes, found[0].owner, found[-1].count) == (100, "app", 3)


def test_a_deep_verification_counts_tables_by_the_entry_that_has_their_rows():
    objects = VerifiedObjects(count=3, size_bytes=30, digest="d" * 32)
    found = listed(a_verification(verified(FILE, counted(4, 7), counted(6, 2), large_objects=objects)))
    assert (of(found, "b").rows, of(found, "b").size_bytes, of(found, "b").digest) == (7, 70, f"{4:032x}")
    assert (of(found, "a").rows, of(found, "a").owner) == (2, "boss")
    assert (found[0].rows, found[0].size_bytes) == (9, 90)
    assert (found[-1].count, found[-1].size_bytes, found[-1].digest) == (3, 30, "d" * 32)
    counted_ones = [one for one in found if one.source is ContentsSource.DEEP_VERIFICATION]
    assert [one.name for one in counted_ones] == ["orders", "a", "b", ""]
    assert {one.verified_at for one in counted_ones} == {VERIFIED}


def test_a_table_without_rows_of_its_own_is_not_counted():
    found = listed(a_verification(verified(FILE, counted(4), counted(6))))
    assert (of(found, "z").rows, of(found, "z").source) == (None, ContentsSource.TABLE_OF_CONTENTS)
    for one in (found, listed()):
        assert {table.name for table in one if "partitioned" in table.not_counted} == {"z"}


def test_rows_that_could_not_be_counted_say_why_and_make_no_sum():
    found = listed(a_verification(verified(FILE, counted(4, None, "compressed by lz4"), counted(6, 2))))
    assert (of(found, "b").rows, of(found, "b").not_counted) == (None, "compressed by lz4")
    assert of(found, "b").source is ContentsSource.DEEP_VERIFICATION
    assert (found[0].rows, found[0].not_counted) == (None, "1 of 2 tables with rows could not be counted")


def test_a_verification_of_other_files_says_nothing_of_this_one():
    other = a_database("billing")
    assert listed(a_verification(verified(other, counted(4)))) == listed()


def test_the_order_is_the_same_whatever_was_verified():
    plain = [(one.kind, one.schema, one.name) for one in listed()]
    after = listed(a_verification(verified(FILE, counted(4), counted(6))))
    assert [(one.kind, one.schema, one.name) for one in after] == plain


def test_an_archive_that_nobody_could_read_is_shown_as_such():
    found = unread_file(a_file("_database_new.sql", "database", 42))
    assert (found.database, found.name, found.file_size_bytes) == ("", "_database_new.sql", 42)
    assert "could be read" in found.not_counted
