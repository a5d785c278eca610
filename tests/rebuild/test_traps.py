"""What plain pg_restore loses comes back: functions that need a search_path, objects that a target refuses, choices."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from local_cloud.compare import compare_servers
from local_cloud.rebuild import RebuildFailedError, rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.conftest import BIN, OLD_BIN, Server, ServerMaker
from tests.rebuild.seed import quoted

HOSTILE = "-a\\'b\" 100%\ndbname=postgres ünï"

ROLES = """
CREATE ROLE owner; CREATE ROLE reader LOGIN;
CREATE DATABASE traps OWNER owner TEMPLATE template0;
ALTER DATABASE traps SET search_path = app, public;
"""
TRAPS = """
CREATE SCHEMA app AUTHORIZATION owner;
CREATE SCHEMA other AUTHORIZATION owner;
SET ROLE owner;
CREATE TABLE app.factor (n int);
INSERT INTO app.factor VALUES (3);
CREATE FUNCTION app.times(v int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT v * 3';
CREATE FUNCTION app.nested(v int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT times(v)';
CREATE FUNCTION app.known(v int) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RETURN EXISTS (SELECT FROM factor WHERE n >= v / 1000000); END $$;
CREATE TABLE app.aaa_checked (v int CHECK (app.known(v)), g int GENERATED ALWAYS AS (app.nested(v)) STORED);
INSERT INTO app.aaa_checked SELECT generate_series(1, 100);
CREATE TABLE other.item (id int PRIMARY KEY, v int REFERENCES other.item);
INSERT INTO other.item VALUES (1, 2), (2, 1);
CREATE VIEW other.both AS SELECT i.id, f.n FROM other.item i, app.factor f;
CREATE SEQUENCE other.counter START 40;
SELECT nextval('other.counter');
RESET ROLE;
CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no DDL today'; END $$;
CREATE FUNCTION public.in_c(float8) RETURNS float8 LANGUAGE internal IMMUTABLE STRICT AS 'dsin';
CREATE TABLE public.uses_c (x float8 DEFAULT public.in_c(1));
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE SUBSCRIPTION elsewhere CONNECTION 'host=192.0.2.1 password=secret-of-others' PUBLICATION p
    WITH (connect = false, slot_name = 'x');
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER far FOREIGN DATA WRAPPER nothing;
CREATE USER MAPPING FOR reader SERVER far OPTIONS (password 'secret-of-others');
CREATE EVENT TRIGGER stop_ddl ON ddl_command_start EXECUTE FUNCTION public.on_ddl();
"""
WITH_PATH = """
SET search_path = app, public;
CREATE FUNCTION app.not_inlined(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN times(v); END';
CREATE INDEX nested_index ON app.factor ((app.not_inlined(n)));
CREATE MATERIALIZED VIEW app.sums AS SELECT app.not_inlined(n) AS s FROM app.factor;
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    server: Server
    folder: Path


def seed_traps(server: Server, *, with_path: bool) -> None:
    for statement in ROLES.strip().split("\n"):
        for part in statement.split("; "):
            server.execute(part)
    server.execute(f"CREATE DATABASE {quoted(HOSTILE)} OWNER reader")
    server.execute("CREATE TABLE hostile AS SELECT 1 AS n", HOSTILE)
    if with_path:
        with psycopg.connect(server.url(), dbname="traps", autocommit=True) as connection:
            connection.execute((TRAPS.replace("CREATE EVENT TRIGGER", WITH_PATH + "CREATE EVENT TRIGGER")).encode())
    else:
        server.execute(TRAPS, "traps")


@pytest.fixture(scope="module", params=[BIN, OLD_BIN], ids=["18", "16"])
def case(
    request: pytest.FixtureRequest, run_server: ServerMaker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    with run_server(request.param) as server:
        seed_traps(server, with_path=request.param is OLD_BIN)
        folder = tmp_path_factory.mktemp("traps")
        dump_server(server, folder, "t")
        write_kit(folder, "t", kit_facts(folder, "t", version="18.4" if request.param is BIN else "16.14"))
        yield Case(server=server, folder=folder)


def report_of(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    objects = json.loads((folder / "rebuild-report.json").read_text())["objects"]
    return {(item["kind"], item["name"]): (item["state"], item["reason"]) for item in objects}


def test_functions_that_need_the_search_path_are_no_trap(case: Case, run_server: ServerMaker) -> None:
    with run_server(case.server.bin) as target:
        rebuild(case.folder, "t", target.url(), target.bin)
        differences = compare_servers(case.server.url(), target.url()).differences
    assert [line for line in differences if "subscription" not in line] == []
    report = report_of(case.folder)
    assert report["subscription", "elsewhere"][0] == "left out"
    assert report["user mapping", "USER MAPPING reader SERVER far"] == (
        "restored",
        "may hold a password of another server",
    )
    assert "secret-of-others" not in (case.folder / "rebuild-report.json").read_text()


def test_from_17_on_an_index_that_needs_the_path_is_refused_by_name(case: Case, run_server: ServerMaker) -> None:
    with run_server(BIN) as target:
        rebuild(case.folder, "t", target.url(), target.bin)
        differences = compare_servers(case.server.url(), target.url()).differences
    report = report_of(case.folder)
    refused = {key for key, (state, _) in report.items() if state == "refused"}
    if case.server.bin is BIN:
        assert refused == set()
    else:
        assert refused == {("index", "app.nested_index"), ("materialized view data", "app.sums")}
        assert any("nested_index: missing" in line for line in differences)


def test_without_superuser_what_is_refused_is_named_and_the_rest_is_there(case: Case, run_server: ServerMaker) -> None:
    with run_server(case.server.bin, superuser="azuresu") as target:
        target.execute("CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB BYPASSRLS REPLICATION")
        rebuild(case.folder, "t", target.url(user="flexadmin"), target.bin)
        rows = target.execute("SELECT count(*), sum(g) FROM app.aaa_checked", "traps")
        owner = target.execute("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'item'", "traps")
    assert rows == [(100, 15150)]
    assert owner == [("owner",)]
    report = report_of(case.folder)
    refused = {key for key, (state, _) in report.items() if state == "refused"}
    assert refused >= {
        ("event trigger", "stop_ddl"),
        ("publication", "everything"),
        ("function", "public.in_c(double precision)"),
        ("table", "public.uses_c"),
        ("table data", "public.uses_c"),
        ("foreign data wrapper", "nothing"),
        ("server", "far"),
    }
    assert report["table", "public.uses_c"][1] == (
        "depends on function public.in_c(double precision), which the target refused"
    )


def test_chosen_tables_go_into_a_new_database_of_another_name(case: Case, run_server: ServerMaker) -> None:
    with run_server(case.server.bin) as target:
        target.execute("CREATE DATABASE traps")
        options = ("--table", "traps", "other", "item", "--into", "-new one")
        rebuild(case.folder, "t", target.url(), target.bin, options=options)
        assert target.execute("SELECT id, v FROM other.item ORDER BY id", "-new one") == [(1, 2), (2, 1)]
        tables = target.execute("SELECT tablename FROM pg_tables WHERE schemaname IN ('app', 'other')", "-new one")
        assert tables == [("item",)]
        assert target.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'other'", "traps") == [(0,)]


def test_a_chosen_schema_brings_what_it_needs_and_names_what_it_cannot_have(
    case: Case, run_server: ServerMaker
) -> None:
    with run_server(case.server.bin) as target:
        rebuild(case.folder, "t", target.url(), target.bin, options=("--schema", "traps", "other"))
        assert target.execute("SELECT count(*) FROM other.item", "traps") == [(2,)]
        assert target.execute("SELECT nextval('other.counter')", "traps") == [(41,)]
        assert {row[0] for row in target.execute("SELECT datname FROM pg_database")} >= {"traps"}
        assert not target.execute("SELECT 1 FROM pg_database WHERE datname LIKE '-a%'")
    assert report_of(case.folder)["view", "other.both"] == ("left out", "needs an object outside the chosen schemas")


def test_a_database_of_any_name_is_chosen_by_its_name(case: Case, run_server: ServerMaker) -> None:
    with run_server(case.server.bin) as target:
        rebuild(case.folder, "t", target.url(), target.bin, options=("--database", HOSTILE))
        assert target.execute("SELECT n FROM hostile", HOSTILE) == [(1,)]
        with pytest.raises(RebuildFailedError, match="database nowhere is in none of the files"):
            rebuild(case.folder, "t", target.url(), target.bin, options=("--database", "nowhere"))


def test_a_grantor_that_the_target_does_not_take_is_replaced_and_told(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server() as source:
        source.execute("CREATE ROLE a; CREATE ROLE b; CREATE ROLE d; GRANT a TO b WITH ADMIN OPTION")
        source.execute("GRANT a TO d GRANTED BY b")
        dump_server(source, tmp_path, "t")
    write_kit(tmp_path, "t", kit_facts(tmp_path, "t"))
    with run_server(superuser="azuresu") as target:
        target.execute("CREATE ROLE flexadmin LOGIN CREATEROLE CREATEDB")
        # Roles that the administrator may grant, and whose member he is not.
        target.execute(
            "CREATE ROLE a; CREATE ROLE b; GRANT a, b TO flexadmin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE"
        )
        options = ("--existing-roles", "update")
        rebuild(tmp_path, "t", target.url(user="flexadmin"), target.bin, options=options)
        grantors = target.execute(
            "SELECT member::regrole::text, grantor::regrole::text FROM pg_auth_members "
            "WHERE roleid = 'a'::regrole AND member <> 'flexadmin'::regrole ORDER BY 1"
        )
    assert grantors == [("b", "flexadmin"), ("d", "flexadmin")]
    report = json.loads((tmp_path / "rebuild-report.json").read_text())["objects"]
    assert 'GRANT "a" TO "d"' in "".join(item["reason"] for item in report if item["name"] == "d")


def test_a_subscription_that_is_asked_for_comes_disabled(case: Case, run_server: ServerMaker) -> None:
    options = ("--database", "traps", "--with-subscriptions")
    with run_server(case.server.bin) as target:
        rebuild(case.folder, "t", target.url(), target.bin, options=options)
        found = target.execute("SELECT subname, subenabled FROM pg_subscription")
        lines = (case.folder / "rebuild-report.txt").read_text()
    assert found == [("elsewhere", False)]
    assert "secret-of-others" not in lines


def test_a_path_that_the_database_has_not_may_be_given(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server() as source:
        source.execute("CREATE DATABASE d")
        source.execute("ALTER ROLE postgres IN DATABASE d SET search_path = app", "d")  # of a role: not the database's
        source.execute(
            "CREATE SCHEMA app; SET search_path = app; CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1';"
            "CREATE FUNCTION app.positive(v int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN v >= one(); END';"
            "CREATE TABLE app.t (v int CHECK (app.positive(v))); INSERT INTO app.t VALUES (1)",
            "d",
        )
        dump_server(source, tmp_path, "t")
    write_kit(tmp_path, "t", kit_facts(tmp_path, "t"))
    with run_server() as target:
        with pytest.raises(RebuildFailedError) as failed:
            rebuild(tmp_path, "t", target.url(), target.bin)
        assert 'TABLE DATA t postgres: COPY failed for table "t": ERROR:  function one() does not' in str(failed.value)
        assert "--search-path DATABASE 'app, public'" in str(failed.value)
        rebuild(tmp_path, "t", target.url(), target.bin, options=("--search-path", "d", "app, public"))
        assert target.execute("SELECT v FROM app.t", "d") == [(1,)]
