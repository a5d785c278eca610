"""A plan puts every entry into one step, and names what it leaves out with what depends on it."""

from dataclasses import replace
from pathlib import Path

import pytest

from flexvault.domain.dump_choice import TableName
from flexvault.domain.errors import NotFoundError
from flexvault.kit.choice import OF_DATABASE
from flexvault.kit.dumps import Dump, open_dump, walk_dump
from flexvault.kit.facts import KitFacts, KitFile, KitVerification
from flexvault.kit.options import Options
from flexvault.kit.plan import DatabasePlan, own_search_path, plan_database
from flexvault.kit.target import Target
from tests.unit.archive_writer import Block, Item, Recipe

TARGET = Target(
    version="18.4",
    major=18,
    administrator="flexadmin",
    is_superuser=False,
    may_create_roles=True,
    may_create_databases=True,
    roles=frozenset({"flexadmin"}),
    databases={},
    extensions={},
    allowed=None,
    preloaded=(),
    has_icu=True,
)
PRE, DATA, POST, NONE = 2, 3, 4, 1
ITEMS = (
    Item(desc="ENCODING", section=PRE, definition="SET client_encoding = 'UTF8';\n"),
    Item(desc="SEARCHPATH", section=PRE, definition="SELECT pg_catalog.set_config('search_path', '', false);\n"),
    Item(desc="DATABASE", tag="shop", owner="app", definition="CREATE DATABASE shop WITH ENCODING = 'UTF8';\n"),
    Item(
        desc="DATABASE PROPERTIES",
        tag="shop",
        definition="ALTER DATABASE shop SET search_path TO 'sales', 'public';\n",
    ),
    Item(desc="SCHEMA", tag="sales", owner="app", definition="CREATE SCHEMA sales;\n"),
    Item(desc="ACL", tag="SCHEMA sales", owner="app", section=NONE, dependencies=(5,)),
    Item(desc="EXTENSION", tag="vector", definition="CREATE EXTENSION vector;\n"),
    Item(desc="COMMENT", tag="EXTENSION vector", section=NONE, dependencies=(7,)),
    Item(desc="TABLE", tag="item", namespace="sales", owner="other", dependencies=(5, 7)),
    Item(
        desc="FUNCTION",
        tag="f()",
        namespace="sales",
        owner="app",
        definition="... LANGUAGE c AS 'x';",
        dependencies=(5,),
    ),
    Item(desc="TABLE", tag="plain", namespace="sales", owner="azuresu", dependencies=(5,)),
    Item(desc="SUBSCRIPTION", tag="sub", section=POST, definition="CREATE SUBSCRIPTION sub CONNECTION 'password=x'"),
    Item(
        desc="TABLE DATA", tag="item", namespace="sales", owner="other", section=DATA, dependencies=(9,), block=Block()
    ),
    Item(desc="TABLE DATA", tag="job", namespace="cron", section=DATA, block=Block()),
    Item(desc="INDEX", tag="i", namespace="sales", owner="app", section=POST, dependencies=(11,), definition="(a)"),
    Item(desc="INDEX", tag="e", namespace="sales", owner="app", section=POST, dependencies=(11,), definition="(f(a))"),
    Item(desc="EVENT TRIGGER", tag="ddl", section=POST, dependencies=(10,)),
    Item(desc="COMMENT", tag="EVENT TRIGGER ddl", section=NONE, dependencies=(17,)),
    Item(desc="MATERIALIZED VIEW DATA", tag="v", namespace="sales", section=POST),
    Item(desc="TABLE", tag="outside", namespace="public", owner="app"),
    Item(desc="VIEW", tag="both", namespace="sales", owner="app", dependencies=(5, 20)),
    Item(desc="FK CONSTRAINT", tag="item to_plain", namespace="sales", section=POST, dependencies=(9, 11)),
    Item(desc="FK CONSTRAINT", tag="outside to_item", namespace="public", section=POST, dependencies=(20, 9)),
)


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    content = Recipe(items=ITEMS, compression="none").build()
    (tmp_path / "d").write_bytes(content)
    return walk_dump(open_dump(tmp_path, KitFile(name="d", kind="database", size_bytes=len(content))))


STEPS = ("schemas", "before", "tried_before", "data", "after", "tried_after", "rights", "views", "last")


def steps(plan: DatabasePlan) -> dict[str, list[int]]:
    return {step: [entry.dump_id for entry in getattr(plan, step)] for step in STEPS}


def test_without_superuser_schemas_come_first_and_their_rights_last(dump: Dump):
    plan = plan_database(dump, TARGET, Options())
    assert steps(plan) == {
        "schemas": [5],
        "before": [7, 9, 11, 20, 21],
        "tried_before": [8, 10],
        "data": [13],
        "after": [15, 22, 23],
        "tried_after": [16],
        "rights": [6],
        "views": [19],
        "last": [17, 18],
    }
    assert plan.loans == (('"public"', '"app"'), ('"sales"', '"other"'))


def test_every_entry_is_restored_once_or_left_out_with_a_reason(dump: Dump):
    for target in (TARGET, replace(TARGET, is_superuser=True), replace(TARGET, major=16)):
        plan = plan_database(dump, target, Options())
        restored = [entry.dump_id for entry in plan.restored]
        left_out = [item.dump_id for item in plan.left_out if item.state == "left out"]
        assert sorted([*restored, *left_out]) == [*range(5, 24)]
        assert all(item.reason for item in plan.left_out)


def test_a_superuser_needs_no_loans_and_keeps_all_owners(dump: Dump):
    plan = plan_database(dump, replace(TARGET, is_superuser=True), Options())
    assert (plan.loans, plan.schemas, plan.rights, plan.changes) == ((), (), (), {})


def test_what_the_service_owned_goes_to_the_administrator_and_is_told(dump: Dump):
    plan = plan_database(dump, TARGET, Options())
    assert [plan.changes[11].owner] == [""]
    told = {item.name: item.reason for item in plan.left_out if item.state == "restored"}
    assert told == {"sales.plain": "owned by azuresu before, now by flexadmin"}


def test_an_extension_is_left_out_with_all_that_needs_it(dump: Dump):
    plan = plan_database(dump, TARGET, Options(without_extensions=frozenset({"vector"})))
    left_out = {item.dump_id: item.reason for item in plan.left_out if item.state == "left out"}
    assert set(left_out) == {7, 8, 9, 12, 13, 14, 22, 23}
    assert left_out[13] == "depends on extension vector, which is left out"


def test_subscriptions_come_only_when_asked_for(dump: Dump):
    assert 12 not in steps(plan_database(dump, TARGET, Options()))["last"]
    assert 12 in steps(plan_database(dump, TARGET, Options(with_subscriptions=True)))["last"]


def test_the_path_of_the_functions_is_the_databases_own(dump: Dump):
    assert plan_database(dump, TARGET, Options()).search_path == "SET search_path TO 'sales', 'public';\n"
    given = Options(search_paths={"shop": "app, public"})
    assert plan_database(dump, TARGET, given).search_path == "SET search_path TO app, public;\n"


def test_a_database_without_a_path_of_its_own_has_the_servers(tmp_path: Path):
    content = Recipe(items=ITEMS[:3]).build()
    (tmp_path / "d").write_bytes(content)
    contents = open_dump(tmp_path, KitFile(name="d", kind="database", size_bytes=len(content))).contents
    assert own_search_path(contents) == 'SET search_path TO "$user", public;\n'


def test_a_chosen_table_brings_what_it_needs_and_its_rows(dump: Dump):
    plan = plan_database(dump, TARGET, Options(tables={"shop": (TableName("sales", "item"),)}))
    assert [entry.dump_id for entry in plan.restored] == [5, 7, 9, 13]


def test_a_chosen_schema_names_what_needs_a_table_elsewhere(dump: Dump):
    plan = plan_database(dump, TARGET, Options(schemas={"shop": ("sales",)}))
    assert 21 not in [entry.dump_id for entry in plan.restored]
    assert {item.name: item.reason for item in plan.left_out}[
        "sales.both"
    ] == "needs an object outside the chosen schemas"


def test_a_chosen_table_names_its_keys_to_tables_that_were_not_chosen(dump: Dump):
    plan = plan_database(dump, TARGET, Options(tables={"shop": (TableName("sales", "item"),)}))
    left_out = {item.name: item.reason for item in plan.left_out}
    assert left_out == {"sales.item to_plain": "needs another table, which was not chosen", "ddl": OF_DATABASE}


def test_keys_between_a_chosen_table_and_a_chosen_schema_come_along(dump: Dump):
    options = Options(schemas={"shop": ("sales",)}, tables={"shop": (TableName("public", "outside"),)})
    plan = plan_database(dump, TARGET, options)
    assert {20, 21, 22, 23} <= {entry.dump_id for entry in plan.restored}
    assert not [item for item in plan.left_out if item.state == "left out" and item.dump_id in {21, 22, 23}]


def test_a_view_that_was_chosen_as_a_table_is_said_to_be_one(dump: Dump):
    with pytest.raises(NotFoundError, match=r"sales\.both is a view") as failed:
        plan_database(dump, TARGET, Options(tables={"shop": (TableName("sales", "both"),)}))
    assert "choose its whole schema" in str(failed.value.hint)


PARTS = (
    *ITEMS[:5],
    Item(desc="TABLE", tag="DATABASE x", namespace="sales", owner="app", dependencies=(5,)),
    Item(desc="COMMENT", tag="TABLE DATABASE x", namespace="sales", section=NONE, dependencies=(6,)),
    Item(desc="POLICY", tag="DATABASE x few", namespace="sales", section=POST, dependencies=(6, 9)),
    Item(desc="TABLE", tag="outside", namespace="public", owner="app"),
    Item(desc="PUBLICATION", tag="p", section=POST, definition="CREATE PUBLICATION p"),
    Item(desc="PUBLICATION TABLE", tag="p DATABASE x", namespace="sales", section=POST, dependencies=(6, 10)),
    Item(desc="EXTENSION", tag="vector", definition="CREATE EXTENSION vector;\n"),
    Item(desc="DEFAULT ACL", tag="DEFAULT PRIVILEGES FOR TABLES", section=POST),
    Item(desc="BLOB METADATA", tag="1..2", section=2, definition="1\n2\n"),
)


def test_a_choice_names_all_that_belongs_to_it_and_stays_behind(tmp_path: Path):
    content = Recipe(items=PARTS, compression="none").build()
    (tmp_path / "d").write_bytes(content)
    parts = walk_dump(open_dump(tmp_path, KitFile(name="d", kind="database", size_bytes=len(content))))
    chosen = Options(tables={"shop": (TableName("sales", "DATABASE x"),)})
    plan = plan_database(parts, TARGET, chosen)
    assert {6, 7} <= {entry.dump_id for entry in plan.restored}
    left_out = {item.name: item.reason for item in plan.left_out}
    assert "row security stays on" in left_out["sales.DATABASE x few"]
    assert left_out["sales.p DATABASE x"] == "its publication was not chosen"
    assert left_out["vector"] == left_out["DEFAULT PRIVILEGES FOR TABLES"] == OF_DATABASE
    assert "(2)" in left_out


def test_an_entry_called_database_is_an_ordinary_one(tmp_path: Path):
    content = Recipe(items=PARTS, compression="none").build()
    (tmp_path / "d").write_bytes(content)
    parts = walk_dump(open_dump(tmp_path, KitFile(name="d", kind="database", size_bytes=len(content))))
    assert 6 in {entry.dump_id for entry in plan_database(parts, TARGET, Options()).restored}


@pytest.mark.parametrize("encoding", ["ISO_8859_5", "ISO_8859_6", "ISO_8859_7", "ISO_8859_8"])
def test_names_of_these_encodings_are_read(tmp_path: Path, encoding: str):
    letter = {"5": "ю", "6": "ش", "7": "λ", "8": "ש"}[encoding[-1]]
    items = (
        Item(desc="ENCODING", section=PRE, definition=f"SET client_encoding = '{encoding}';\n"),
        Item(desc="TABLE", tag=letter, namespace="public"),
    )
    codec = encoding.replace("ISO_8859_", "iso8859-")
    content = Recipe(items=items, compression="none", encoding=codec).build()
    (tmp_path / "d").write_bytes(content)
    contents = open_dump(tmp_path, KitFile(name="d", kind="database", size_bytes=len(content))).contents
    assert contents.entries[1].tag == letter


def test_a_broken_point_is_said_loudly():
    verification = KitVerification(number=3, completed_at="2026-11-25T17:00:00Z", verdict="Broken", files={})
    facts = KitFacts(
        file_prefix="p", server_name="s", server_id="i", server_version="18.4", recovery_point_id="0", files=(),
        recovery_point_time="2026-11-25T17:00:00Z", manifest_hash="0", verification=verification,
    )  # fmt: skip
    assert "BROKEN" in facts.warnings[0]
    assert replace(facts, verification=replace(verification, verdict="Intact")).warnings == ()
