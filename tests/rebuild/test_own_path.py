"""A role that may create in a schema of the search_path gains nothing by a rebuild: the path is put only where needed."""

import json
from pathlib import Path

from local_cloud.rebuild import rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.conftest import OLD_BIN, Server, ServerMaker

# A better match for array_length(tags, 1) than pg_catalog's, whose first argument is anyarray.
TRAP = """
GRANT CREATE ON SCHEMA public TO low;
SET ROLE low;
CREATE FUNCTION public.array_length(int[], int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN EXECUTE 'ALTER ROLE low SUPERUSER'; END IF;
  RETURN 999; END $$;
RESET ROLE;
"""
CHECKED = """
CREATE FUNCTION public.ok(int[]) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RETURN array_length($1, 1) > 0; END $$;
CREATE TABLE public.t (id int, tags int[] CHECK (public.ok(tags)));
INSERT INTO t SELECT n, array_fill(1, ARRAY[n]) FROM generate_series(1, 5) AS n;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON t USING (array_length(tags, 1) > 3);
CREATE INDEX by_length ON t (array_length(tags, 1));
"""
HARMLESS = """
CREATE FUNCTION public.array_length(int[], int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 999';
"""
NEEDS = """
CREATE FUNCTION public.one() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION public.more(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN v + one(); END';
CREATE TABLE public.needs (v int CHECK (public.more(v) > 0));
INSERT INTO needs VALUES (1);
CREATE INDEX plain_need ON needs (public.more(v));
"""


def restored(run_server: ServerMaker, folder: Path, target: Server, sql: str, *, binaries: Path | None = None) -> None:
    with run_server(*([binaries] if binaries else [])) as source:
        source.execute("CREATE ROLE low LOGIN")
        source.execute("CREATE DATABASE app")
        source.execute(sql, "app")
        dump_server(source, folder, "p")
    write_kit(folder, "p", kit_facts(folder, "p", version="16.4" if binaries else "18.4"))
    rebuild(folder, "p", target.url(), target.bin)


def reasons(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    objects = json.loads((folder / "rebuild-report.json").read_text())["objects"]
    return {(item["kind"], item["name"]): (item["state"], item["reason"]) for item in objects}


def test_nothing_calls_what_another_role_put_into_a_schema_of_the_path(
    run_server: ServerMaker, target: Server, tmp_path: Path
) -> None:
    restored(run_server, tmp_path, target, CHECKED + TRAP)
    assert target.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'low'") == [(False,)]
    found = "SELECT count(*) FROM pg_depend WHERE refobjid = 'public.array_length(int[], int)'::regprocedure"
    assert target.execute(found, "app") == [(0,)]
    assert target.execute("SELECT count(*) FROM t", "app") == [(5,)]
    assert not [reason for _, reason in reasons(tmp_path).values() if "search_path" in reason]


def test_what_needs_the_path_is_named_with_those_who_may_create_in_it(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as target:
        restored(run_server, tmp_path, target, CHECKED + NEEDS + TRAP, binaries=OLD_BIN)
        assert target.execute("SELECT v FROM needs", "app") == [(1,)]
        assert target.execute("SELECT count(*) FROM pg_class WHERE relname = 'plain_need'", "app") == [(1,)]
    told = reasons(tmp_path)
    named = {
        key for key, (_, reason) in told.items() if reason.startswith('made under the search_path "$user", public')
    }
    assert named == {("table data", "public.needs"), ("index", "public.plain_need"), ("statistics", "")}
    state, reason = told["search_path", '"$user", public']
    assert (state, "low in public" in reason) == ("ask", True)


def test_an_index_that_the_path_would_bind_to_another_function_is_not_made(
    run_server: ServerMaker, tmp_path: Path
) -> None:
    both = "CREATE INDEX bound ON needs ((public.more(v) + array_length(ARRAY[v], 1)));"
    with run_server(OLD_BIN) as target:
        restored(run_server, tmp_path, target, NEEDS + both + HARMLESS, binaries=OLD_BIN)
        assert target.execute("SELECT count(*) FROM pg_class WHERE relname = 'bound'", "app") == [(0,)]
    state, reason = reasons(tmp_path)["index", "public.bound"]
    assert state == "refused"
    assert "would call public.array_length instead of PostgreSQL's own" in reason


def test_objects_called_database_and_grants_on_the_database_come_back(
    run_server: ServerMaker, target: Server, tmp_path: Path
) -> None:
    with run_server() as source:
        source.execute("CREATE ROLE a; CREATE ROLE b")
        source.execute("CREATE DATABASE app")
        source.execute(
            'CREATE TABLE "DATABASE orders" AS SELECT 1 AS n; COMMENT ON TABLE "DATABASE orders" IS $$x$$', "app"
        )
        source.execute(
            "GRANT CONNECT ON DATABASE app TO a WITH GRANT OPTION; SET ROLE a; GRANT CONNECT ON DATABASE app TO b"
        )
        source.execute("ALTER DATABASE app SET standard_conforming_strings = off")
        source.execute(r"COMMENT ON DATABASE app IS 'C:\temp'; ALTER DATABASE app SET my.path = 'C:\new'")
        facts = (
            "SELECT (SELECT array_agg(one::text ORDER BY one::text) FROM unnest(datacl) AS one), "  # as a set
            "shobj_description(d.oid, 'pg_database'), setconfig::text FROM pg_database AS d "
            "JOIN pg_db_role_setting ON setdatabase = d.oid WHERE datname = 'app'"
        )
        expected = source.execute(facts)
        dump_server(source, tmp_path, "p")
    write_kit(tmp_path, "p", kit_facts(tmp_path, "p"))
    rebuild(tmp_path, "p", target.url(), target.bin)
    assert target.execute(facts) == expected
    assert r"C:\temp" in str(expected[0][1])
    assert target.execute('SELECT n FROM "DATABASE orders"', "app") == [(1,)]
