"""After a restore of a part only that part is compared, and what the restore itself named is told apart."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flexvault.domain.dump_choice import TableName
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.never_restored import SERVICE_DATABASE
from flexvault.kit.compare import compare
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Options
from local_cloud.rebuild import rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.comparing import client_of, lines_of
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.seed import SHOP

# What an administrator without superuser is refused, and an ordinary table.
REFUSED = """
CREATE TABLE public.t (n int PRIMARY KEY);
INSERT INTO public.t SELECT generate_series(1, 20);
CREATE FUNCTION public.noticed() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION public.noticed();
COMMENT ON EVENT TRIGGER guard IS 'watches';
CREATE PUBLICATION everything FOR ALL TABLES;
"""
TABLE = ("--table", SHOP, "sales", "orders")
SCHEMA = ("--schema", SHOP, "Straße")


@pytest.fixture(scope="module")
def folder(source: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("choice")
    dump_server(source, made, "demo")
    write_kit(made, "demo", kit_facts(made, "demo"))
    return made


@pytest.fixture(scope="module")
def facts(folder: Path) -> KitFacts:
    return kit_facts(folder, "demo")


@pytest.fixture(scope="module")
def rebuilt(folder: Path, run_server: ServerMaker) -> Iterator[Server]:
    """One table and one schema, each in a database of its own."""
    with run_server() as server:
        for words in ((*TABLE, "--into", "of a table"), (*SCHEMA, "--into", "of a schema")):
            rebuild(folder, "demo", server.url(), server.bin, options=words)
        yield server


def run_kit(folder: Path, server: Server, *words: str, user: str | None = None) -> tuple[int, list[str], Any]:
    at = client_of(server, user).environment
    command = [sys.executable, str(folder / "demo_rebuild" / "rebuild.pyz"), "compare", *words]
    done = subprocess.run(command, env={**os.environ, **at}, check=False, capture_output=True, text=True)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    path = folder / "demo_rebuild" / "compare-report-point.json"
    return done.returncode, lines, json.loads(path.read_bytes()) if path.exists() else None


def not_chosen(found: Comparison) -> set[str]:
    return {str(finding.named) for finding in found.not_compared if finding.reason.startswith("not chosen")}


def test_only_the_chosen_table_is_compared_and_the_rest_is_named_as_not_chosen(
    rebuilt: Server, facts: KitFacts, folder: Path
) -> None:
    options = Options(tables={SHOP: (TableName("sales", "orders"),)}, into="of a table")
    found = compare(client_of(rebuilt), facts, folder, options)
    assert lines_of(found) == []
    assert found.is_equal
    assert (found.counts["databases"], found.counts["tables"], found.counts["rows"]) == (1, 2, 4000)
    assert "largeObjects" not in found.counts
    place = "database of a table: "
    assert {
        f"{place}rows of sales.customer", f"{place}table sales.customer", f"{place}large objects",
        f"{place}fk constraint sales.orders orders_customer_id_fkey", f"{place}extension vector",
    } <= not_chosen(found)  # fmt: skip
    assert f"{place}rows of sales.orders_2025" not in not_chosen(found)
    assert ('database Bob\'s "ledger" $(id) ünï: database', "not chosen") in {
        (str(finding.named), finding.reason) for finding in found.not_compared
    }
    assert "not compared: " in found.verdict()


def test_what_belongs_to_the_chosen_table_is_missing_where_it_is_not_there(
    rebuilt: Server, facts: KitFacts, folder: Path
) -> None:
    options = Options(tables={SHOP: (TableName("sales", "orders"),)}, into="of a table")
    rebuilt.execute("DROP INDEX sales.orders_by_customer; DELETE FROM sales.orders WHERE id = 4000", "of a table")
    found = compare(client_of(rebuilt), facts, folder, options)
    named = {f"{finding.named.kind} {finding.named.name} {finding.state}" for finding in found.differences}
    assert "index sales.orders_by_customer missing" in named
    assert "rows of sales.orders_2025 differs" in named
    assert not {name for name in named if "customer_id" not in name and "orders" not in name}


def test_a_chosen_schema_is_compared_by_the_words_that_restored_it(rebuilt: Server, folder: Path) -> None:
    status, lines, report = run_kit(folder, rebuilt, *SCHEMA, "--into", "of a schema")
    assert (status, lines[-1]) == (0, report["verdict"])
    assert lines[-1].startswith("all equal: 1 database, 1 table, 2 rows")
    assert report["notCompared"]
    status, lines, _ = run_kit(folder, rebuilt, "--database", SHOP, "--into", "of a schema")
    assert status == 1
    assert [line for line in lines if "table sales.customer: missing in the target" in line]


def test_a_choice_that_cannot_be_compared_says_why(rebuilt: Server, facts: KitFacts, folder: Path) -> None:
    status, lines, _ = run_kit(folder, rebuilt, "--into", "of a table")
    assert (status, lines[-2]) == (1, "compare stopped: --into names one database, and several are restored")
    status, lines, _ = run_kit(folder, rebuilt, "--table", SHOP, "sales", "nothing", "--into", "of a table")
    assert status == 1
    assert [line for line in lines if "none of these tables: sales.nothing" in line]
    living = Options(schemas={SHOP: ("sales",)})
    with pytest.raises(InvalidInputError, match="with the recovery point alone"):
        compare(client_of(rebuilt), facts, folder, living, source=client_of(rebuilt))


def test_a_database_of_another_name_equals_a_living_source(source: Server, run_server: ServerMaker, folder: Path):
    words = ("--database", SHOP, "--into", "new Shop")
    with run_server() as target:
        rebuild(folder, "demo", target.url(), target.bin, options=words)
        options = Options(databases=(SHOP,), into="new Shop")
        facts = kit_facts(folder, "demo")
        living = compare(client_of(target), facts, folder, options, source=client_of(source))
        point = compare(client_of(target), facts, folder, options)
    assert (lines_of(living), lines_of(point)) == ([], [])
    assert living.is_equal
    assert point.is_equal
    assert point.equal_kinds["rights on database"] == 1
    reasons = {finding.reason for finding in living.not_compared if finding.named.kind == "database"}
    assert reasons == {"not chosen", SERVICE_DATABASE}


def test_what_the_restore_named_is_told_apart_with_its_reason_and_is_no_equality(
    run_server: ServerMaker, tmp_path: Path
) -> None:
    admin = "CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB; GRANT pg_monitor TO flexadmin WITH ADMIN OPTION"
    with run_server() as one, run_server(superuser="azuresu") as target:
        one.execute("CREATE DATABASE small")
        one.execute("CREATE ROLE watcher REPLICATION LOGIN", "small")
        one.execute(REFUSED, "small")
        dump_server(one, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        write_kit(tmp_path, "demo", facts)
        target.execute(admin)
        rebuild(tmp_path, "demo", target.url(user="flexadmin"), target.bin)
        status, lines, report = run_kit(tmp_path, target, user="flexadmin")
        client = client_of(target, "flexadmin")
        living = compare(client, facts, tmp_path, source=client_of(one))
        target.execute("DROP TABLE public.t", "small")
        other = compare(client, facts, tmp_path)
        (tmp_path / "rebuild-report.json").write_text('{"kitId": "another"}')
        alone = compare(client, facts, tmp_path)
    said = {(found["kind"], found["name"]): found for found in report["namedByRestore"]}
    assert set(said) == {
        ("event trigger", "guard"), ("owner of event trigger", "guard"), ("comment on event trigger", "guard"),
        ("publication", "everything"), ("owner of publication", "everything"), ("role", "watcher"), ("role", "postgres"),
    }  # fmt: skip
    assert "as the restore said: refused, only a superuser creates event triggers" in said[
        "event trigger", "guard"
    ]["reason"]  # fmt: skip
    assert [(found["kind"], found["name"], found["state"]) for found in report["differences"]] == []
    assert status == 1
    assert report["isEqual"] is False
    assert lines[-1].startswith("0 unexplained differences, 7 that the restore named; equal: 0 of 1 database, ")
    assert other.verdict().startswith(f"{len(other.differences)} unexplained differences, 7 that the restore named")
    assert {"table public.t", "rows of public.t"} <= {f"{f.named.kind} {f.named.name}" for f in other.differences}
    assert len(alone.differences) == len(other.differences) + 7
    assert not alone.named_by_restore
    assert {str(finding.named) for finding in living.named_by_restore} >= {
        "database small: event trigger guard",
        "database small: publication everything",
    }
    assert not living.is_equal
