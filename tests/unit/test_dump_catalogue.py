"""The table of contents names the objects of a database, their owners and where their rows are, and no secret."""

from flexvault.domain.dump_catalogue import Catalogue, catalogue
from flexvault.domain.dump_contents import read_contents
from tests.unit.archive_writer import Block, Item, Recipe

OBJECTS = {
    "DATABASE": ("", "shop", "database"),
    "SCHEMA": ("", "sales", "schema"),
    "EXTENSION": ("", "vector", "extension"),
    "TABLE": ("sales", "orders", "table"),
    "FOREIGN TABLE": ("sales", "remote", "foreignTable"),
    "SEQUENCE": ("sales", "orders_id_seq", "sequence"),
    "VIEW": ("sales", "open_orders", "view"),
    "MATERIALIZED VIEW": ("sales", "per_customer", "materializedView"),
    "FUNCTION": ("sales", "total(bigint)", "function"),
    "PROCEDURE": ("sales", "move(integer)", "function"),
    "AGGREGATE": ("sales", "agg(integer)", "function"),
    "POLICY": ("sales", "orders own", "policy"),
    "PUBLICATION": ("", "pub", "publication"),
    "SUBSCRIPTION": ("", "sub", "subscription"),
    "SERVER": ("", "far", "foreignServer"),
    "EVENT TRIGGER": ("", "watch", "eventTrigger"),
}


def listed(*items: Item) -> Catalogue:
    content = Recipe(items=items).build()
    return catalogue(read_contents(lambda offset, length: content[offset : offset + length], len(content)))


def test_every_kind_of_object_is_listed_with_its_owner() -> None:
    items = [
        Item(desc=desc, tag=tag, namespace=schema, owner=f"owner of {tag}")
        for desc, (schema, tag, _) in OBJECTS.items()
    ]
    found = listed(*items, Item(desc="ACL", tag="TABLE orders", namespace="sales", owner="nobody"))
    assert [(o.kind, o.schema, o.name, o.owner) for o in found.objects] == [
        (kind, schema, tag, f"owner of {tag}") for schema, tag, kind in OBJECTS.values()
    ]
    assert found.owners == tuple(sorted(f"owner of {tag}" for _, tag, _ in OBJECTS.values()))


def test_a_table_knows_the_entry_of_its_rows() -> None:
    table = Item(desc="TABLE", tag="orders", namespace="sales")
    other = Item(desc="TABLE", tag="orders", namespace="other")
    rows = Item(desc="TABLE DATA", tag="orders", namespace="sales", section=3, block=Block())
    assert [o.data_id for o in listed(table, other, rows).of_kind("table")] == [3, None]


def test_a_schema_that_the_dump_does_not_create_is_listed_without_owner() -> None:
    found = listed(Item(desc="TABLE", tag="t", namespace="public"), Item(desc="TABLE", tag="u", namespace="public"))
    assert [(o.name, o.owner, o.dump_id) for o in found.of_kind("schema")] == [("public", "", 0)]


def test_large_objects_are_listed_by_oid_in_every_version() -> None:
    old = listed(Item(desc="BLOB", tag="7", owner="a"), Item(desc="BLOB", tag="8", owner="b"))
    new = listed(Item(desc="BLOB METADATA", tag="7..8", owner="a", definition="7\n8\n"))
    assert [(o.name, o.owner) for o in old.of_kind("largeObject")] == [("7", "a"), ("8", "b")]
    assert [(o.name, o.owner) for o in new.of_kind("largeObject")] == [("7", "a"), ("8", "a")]


def test_no_definition_is_kept() -> None:
    secret = "CREATE SUBSCRIPTION s CONNECTION 'password=hunter2' PUBLICATION p;\n"
    assert "hunter2" not in repr(listed(Item(desc="SUBSCRIPTION", tag="s", owner="a", definition=secret)))
