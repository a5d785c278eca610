"""What makes a comparison hard: sessions, rights, versions, encodings, sizes, and what is not there at all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from psycopg.errors import UndefinedFunction

from flexvault.domain.deep_verification import VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.kit import large_objects
from flexvault.kit.compare import compare, source_client
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts, KitVerification
from flexvault.kit.options import Options
from flexvault.kit.point_files import read_database
from local_cloud.rebuild import rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.comparing import client_of, compare_servers, lines_of
from tests.rebuild.conftest import BIN, OLD_BIN, Server, ServerMaker
from tests.rebuild.seed import SHOP, quoted, seed

SMALL = """
CREATE TABLE public.moment (seen timestamptz, rate float8, raw bytea);
INSERT INTO public.moment VALUES ('2026-07-01 12:00+00', 1e23, '\\x00ff'), ('2026-01-01 00:00+00', 0.1, '\\x5c');
CREATE TABLE public.owned (n int);
INSERT INTO public.owned SELECT generate_series(1, 20);
"""


@pytest.fixture(scope="module")
def server(run_server: ServerMaker) -> Iterator[Server]:
    with run_server() as running:
        running.execute("CREATE DATABASE small")
        running.execute(SMALL, "small")
        yield running


@pytest.fixture
def point(server: Server, tmp_path: Path) -> KitFacts:
    dump_server(server, tmp_path, "demo")
    return kit_facts(tmp_path, "demo")


def compared(server: Server, facts: KitFacts, folder: Path, user: str | None = None) -> Comparison:
    return compare(client_of(server, user), facts, folder)


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER DATABASE small SET \"TimeZone\" = 'Pacific/Chatham'",
        "ALTER ROLE postgres SET timezone = 'Pacific/Chatham'",
        "ALTER DATABASE small SET bytea_output = 'escape'",
        "ALTER DATABASE small SET extra_float_digits = -10",
        "ALTER DATABASE small SET datestyle = 'German'",
        "ALTER DATABASE small SET search_path = ''",
    ],
)
def test_a_setting_of_the_session_changes_no_row(server: Server, tmp_path: Path, sql: str) -> None:
    dump_server(server, tmp_path, "demo")
    facts = kit_facts(tmp_path, "demo")
    server.execute(sql)
    try:
        found = compared(server, facts, tmp_path)
        # The setting itself is found; what belongs to the administrator of the target is left out.
        assert {finding.named.kind for finding in (*found.differences, *found.unproven)} <= {"database setting"}
        assert found.counts["tables"] == 2
    finally:
        server.execute("ALTER DATABASE small RESET ALL; ALTER ROLE postgres RESET ALL")


def test_a_dump_of_another_time_zone_is_equal_and_the_zone_is_named(server: Server, tmp_path: Path) -> None:
    server.execute("ALTER DATABASE small SET \"TimeZone\" = 'Asia/Kathmandu'")
    try:
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        server.execute("ALTER DATABASE small SET \"TimeZone\" = 'Pacific/Chatham'")
        found = compared(server, facts, tmp_path)
    finally:
        server.execute("ALTER DATABASE small RESET ALL")
    assert [str(finding.named) for finding in found.differences] == ["database small: database setting TimeZone"]
    assert [note for note in found.notes if "1 of 2 tables equal as a session with TimeZone Asia/Kathmandu" in note]


def test_row_security_makes_a_table_not_proven_and_never_equal(server: Server, point: KitFacts, tmp_path: Path) -> None:
    server.execute("CREATE ROLE clerk LOGIN; GRANT pg_read_all_data TO clerk")
    server.execute("ALTER TABLE owned ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON owned USING (n > 10)", "small")
    try:
        dump_server(server, tmp_path, "demo")
        found = compared(server, kit_facts(tmp_path, "demo"), tmp_path, user="clerk")
        living = compare(client_of(server, "clerk"), point, tmp_path, source=client_of(server))
    finally:
        server.execute("ALTER TABLE owned DISABLE ROW LEVEL SECURITY; DROP POLICY part ON owned", "small")
        server.execute("DROP ROLE clerk")
    for comparison in (found, living):
        [refused] = [finding for finding in comparison.unproven if finding.named.kind == "rows of"]
        assert (refused.named.name, refused.state) == ("public.owned", "notProven")
        assert "row-level security" in refused.reason
        assert not comparison.is_equal
        assert "1 not proven" in comparison.verdict()


def test_counts_of_the_deep_verification_are_taken_and_the_file_is_not_counted(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    [file] = [file for file in point.files if file.database == "small"]
    database = read_database(point, file, tmp_path, Options(jobs=1), on_line=lambda _: None)
    names = {entry.dump_id: entry for entry in database.contents.entries}
    rows = tuple(
        VerifiedRows(
            schema=names[dump_id].namespace,
            name=names[dump_id].tag,
            dump_id=dump_id,
            rows=found.rows.count if found.rows else None,
            size_bytes=found.rows.size_bytes if found.rows else None,
            digest=found.rows.digest if found.rows else "",
        )
        for dump_id, found in database.rows.items()
    )

    def verified(rows: tuple[VerifiedRows, ...], objects: VerifiedObjects | None = None) -> KitFacts:
        found = VerifiedFile(
            path="p",
            suffix="s",
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            database="small",
            rows=rows,
            large_objects=objects,
        )
        known = KitVerification(
            number=1, completed_at="2026-11-25T18:00:00Z", verdict="passed", files={file.name: found}
        )
        return replace(point, verification=known)

    lines: list[str] = []
    equal = compare(client_of(server), verified(rows), tmp_path, on_line=lines.append)
    assert lines_of(equal) == []
    assert not [line for line in lines if "counting" in line]
    wrong = tuple(replace(found, digest="0" * 32) if found.name == "owned" else found for found in rows)
    [difference] = compare(client_of(server), verified(wrong), tmp_path).differences
    assert str(difference.named) == "database small: rows of public.owned"
    unknown = tuple(
        replace(found, rows=None, digest="", not_counted="it is compressed with zstd, which is not read here")
        for found in rows
    )
    found = compare(client_of(server), verified(unknown), tmp_path)
    assert not found.is_equal
    assert {finding.reason for finding in found.unproven} == {
        "not counted: it is compressed with zstd, which is not read here"
    }


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_a_file_that_is_not_the_points_proves_nothing(server: Server, tmp_path: Path, damage: str) -> None:
    dump_server(server, tmp_path, "demo")
    facts = kit_facts(tmp_path, "demo")
    path = tmp_path / "demo_database_small.sql"
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[:-1] if damage == "cut" else content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    found = compared(server, facts, tmp_path)
    assert not found.is_equal
    assert [str(finding.named) for finding in found.unproven] == ["database small: database"]


def test_only_chosen_databases_are_compared_and_the_others_are_named(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    server.execute("CREATE DATABASE other")
    try:
        found = compare(client_of(server), point, tmp_path, Options(databases=("small",)))
        all_of_it = compared(server, point, tmp_path)
        nothing = compare(client_of(server), point, tmp_path, Options(databases=("nothing",)))
    finally:
        server.execute("DROP DATABASE other")
    assert lines_of(found) == []
    assert ("database other: database", "the target has it of its own") in {
        (str(finding.named), finding.reason) for finding in found.not_compared
    }
    assert [str(finding.named) for finding in all_of_it.differences] == ["database other: database"]
    assert not nothing.is_equal
    assert ("database small: database", "not chosen") in {
        (str(finding.named), finding.reason) for finding in nothing.not_compared
    }


def test_a_point_without_databases_is_not_equal(server: Server, point: KitFacts, tmp_path: Path) -> None:
    empty = replace(point, files=tuple(file for file in point.files if file.database != "small"))
    server.execute("ALTER DATABASE small RENAME TO template_like; UPDATE pg_database SET datallowconn = true")
    try:
        found = compare(client_of(server), replace(empty, left_out=("small",)), tmp_path)
    finally:
        server.execute("ALTER DATABASE template_like RENAME TO small")
    assert lines_of(found) == []
    assert not found.is_equal
    assert found.verdict().startswith("nothing was compared")


def test_rows_of_an_extension_that_a_dump_holds_in_part_are_compared_in_part(server: Server, tmp_path: Path) -> None:
    server.execute("CREATE TABLE place (n int, own boolean); INSERT INTO place VALUES (1, false), (2, true)", "small")
    # As an extension's script does with pg_extension_config_dump.
    server.execute(
        """
        UPDATE pg_extension SET extconfig = ARRAY['place'::regclass::oid], extcondition = ARRAY['WHERE own']
        WHERE extname = 'plpgsql';
        INSERT INTO pg_depend SELECT 'pg_class'::regclass, 'place'::regclass, 0, 'pg_extension'::regclass, oid, 0, 'e'
        FROM pg_extension WHERE extname = 'plpgsql'""",
        "small",
    )
    try:
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        server.execute("INSERT INTO place VALUES (3, false)", "small")
        equal = compared(server, facts, tmp_path)
        server.execute("INSERT INTO place VALUES (4, true)", "small")
        other = compared(server, facts, tmp_path)
    finally:
        server.execute("DELETE FROM pg_depend WHERE objid = 'place'::regclass AND deptype = 'e'", "small")
        server.execute("UPDATE pg_extension SET extconfig = NULL, extcondition = NULL; DROP TABLE place", "small")
    assert lines_of(equal) == []
    assert equal.counts["tables"] == 3
    assert [str(finding.named) for finding in other.differences] == ["database small: rows of public.place"]


def test_a_large_object_is_read_in_pieces_with_its_holes(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_objects, "PIECE_BYTES", 4096)
    monkeypatch.setattr(large_objects, "_PIECES_AT_ONCE", 3)
    sizes = {11: 0, 12: 4095, 13: 4096, 14: 4097, 15: 8 * 4096, 16: 50_000}
    for oid, size in sizes.items():
        server.execute(f"SELECT lo_from_bytea({oid}, decode(repeat('a5', {size}), 'hex'))", "small")
    server.execute("SELECT lo_put(16, 200000, 'behind a hole')", "small")
    try:
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        equal = compared(server, facts, tmp_path)
        server.execute("SELECT lo_put(16, 199999, 'x')", "small")
        other = compared(server, facts, tmp_path)
    finally:
        server.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata", "small")
    assert lines_of(equal) == []
    assert equal.counts["largeObjects"] == len(sizes)
    assert [str(finding.named) for finding in other.differences] == ["database small: large object 16"]


def test_an_older_server_equals_its_newer_rebuild(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as old, run_server() as new:
        seed(old.url())
        dump_server(old, tmp_path, "demo")
        write_kit(tmp_path, "demo", kit_facts(tmp_path, "demo", version="16.14"))
        rebuild(tmp_path, "demo", new.url(), new.bin)
        facts = kit_facts(tmp_path, "demo", version="16.14")
        point = compare(client_of(new), facts, tmp_path)
        living = compare_servers(old.url(), new.url())
        new.execute("CREATE OR REPLACE VIEW sales.open_orders AS SELECT * FROM sales.orders WHERE state = 'new'", SHOP)
        changed = compare(client_of(new), facts, tmp_path)
    assert lines_of(point) == []
    assert point.counts["rows"] == 6003
    assert living.differences == ()
    [view] = changed.unproven
    assert (str(view.named), changed.is_equal) == ("database shop: view sales.open_orders", False)
    assert "pg_dump 16 wrote one and pg_dump 18 the other" in view.reason
    assert "sent" in view.source
    assert "new" in view.target


def test_letters_of_another_encoding_are_compared(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "bücher"
    server.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    server.execute('CREATE ROLE "Größe"')
    with monkeypatch.context() as context:
        context.setenv("PGCLIENTENCODING", "UTF8")
        server.execute('CREATE TABLE "Straße" ("Größe" text DEFAULT \'ä\')', name)
        server.execute("INSERT INTO \"Straße\" VALUES ('süß'); SELECT lo_from_bytea(9, 'ü')", name)
    # Names of roles are bytes that all databases share: no encoding of this one may be in their way.
    server.execute('ALTER LARGE OBJECT 9 OWNER TO "Größe"; ALTER SCHEMA public OWNER TO "Größe"', name)
    try:
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        equal = compared(server, facts, tmp_path)
        monkeypatch.setenv("PGCLIENTENCODING", "UTF8")
        server.execute('UPDATE "Straße" SET "Größe" = \'süss\'', name)
        other = compared(server, facts, tmp_path)
    finally:
        server.execute(f"DROP DATABASE {quoted(name)}")
        server.execute('DROP ROLE "Größe"')
    assert lines_of(equal) == []
    assert [str(finding.named) for finding in other.differences] == [f"database {name}: rows of public.Straße"]


def test_a_living_source_is_named_by_variables_of_the_environment(server: Server) -> None:
    client = client_of(server)
    assert source_client(client) is None
    given = {"SOURCE_PGHOST": "source", "SOURCE_PGPASSWORD": "word", **client.environment, "PGSSLMODE": "require"}
    source = source_client(replace(client, environment=given))
    assert source is not None
    assert {name: value for name, value in source.environment.items() if name.startswith("PG")} == {
        "PGHOST": "source",
        "PGPASSWORD": "word",
    }


RUN = """
import argparse, sys
from pathlib import Path
from flexvault.kit.compare import add_to
from flexvault.kit.facts import KitFacts
parser = argparse.ArgumentParser()
add_to(parser.add_subparsers(required=True))
chosen = parser.parse_args(sys.argv[3:])
sys.exit(chosen.run(KitFacts.from_bytes(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]), chosen))
"""


@pytest.mark.parametrize("against", ["point", "source"])
def test_the_command_ends_with_the_verdict_and_writes_a_report(
    server: Server, point: KitFacts, tmp_path: Path, against: str
) -> None:
    kit = tmp_path / "demo_rebuild"
    kit.mkdir()
    (kit / "kit.json").write_bytes(point.to_bytes())
    environment = dict(client_of(server).environment)
    if against == "source":
        environment |= {f"SOURCE_{name}": value for name, value in environment.items() if name.startswith("PG")}

    def run() -> tuple[int, list[str], dict[str, Any]]:
        words = [sys.executable, "-c", RUN, kit / "kit.json", kit / "rebuild.pyz", "compare", "--files", tmp_path]
        done = subprocess.run(
            [*map(str, words), "--jobs", "1"], env=environment, check=False, capture_output=True, text=True
        )
        report = json.loads((kit / "compare-report.json").read_text())
        assert report["version"] == 1
        return done.returncode, done.stdout.splitlines(), report

    status, lines, report = run()
    assert (status, report["isEqual"], report["differences"]) == (0, True, [])
    assert lines[-1] == report["verdict"]
    assert lines[-1].startswith("all equal: 1 database, 2 tables, 22 rows")
    if against == "source":
        return
    server.execute("INSERT INTO owned VALUES (20)", "small")
    try:
        status, lines, report = run()
    finally:
        server.execute("DELETE FROM owned WHERE ctid = (SELECT max(ctid) FROM owned)", "small")
    assert (status, report["isEqual"]) == (1, False)
    assert lines[-1].startswith("1 difference; equal: 1 database, 1 table, 2 rows")
    assert [(found["database"], found["kind"], found["name"], found["state"]) for found in report["differences"]] == [
        ("small", "rows of", "public.owned", "differs")
    ]


LARGE_OBJECTS = """
SELECT lo_create(n) FROM generate_series(100, 105) AS n;
DO $$ BEGIN FOR n IN 100..102 LOOP
    EXECUTE 'GRANT SELECT ON LARGE OBJECT ' || n || ' TO "a b" WITH GRANT OPTION';
    SET ROLE "a b";
    EXECUTE 'GRANT SELECT ON LARGE OBJECT ' || n || ' TO clerk';
    RESET ROLE;
    EXECUTE 'GRANT ALL ON LARGE OBJECT ' || n || ' TO PUBLIC';
END LOOP; END $$;
REVOKE ALL ON LARGE OBJECT 103 FROM postgres;
GRANT SELECT ON LARGE OBJECT 103 TO clerk;
ALTER LARGE OBJECT 105 OWNER TO clerk;
COMMENT ON LARGE OBJECT 101 IS 'one of many';
COMMENT ON LARGE OBJECT 105 IS 'it''s \\ there';
"""


@pytest.mark.parametrize("binaries", [OLD_BIN, BIN], ids=["one_entry_each", "many_in_one_entry"])
def test_rights_on_large_objects_are_read_from_every_form_of_the_dump(
    run_server: ServerMaker, tmp_path: Path, binaries: Path
) -> None:
    with run_server(binaries) as server:
        server.execute('CREATE ROLE "a b"; CREATE ROLE clerk')
        server.execute("CREATE DATABASE small")
        server.execute(LARGE_OBJECTS, "small")
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        equal = compared(server, facts, tmp_path)
        server.execute("REVOKE UPDATE ON LARGE OBJECT 102 FROM PUBLIC", "small")
        other = compared(server, facts, tmp_path)
    assert lines_of(equal) == []
    assert equal.equal_kinds["rights on large object"] == 6
    assert [str(finding.named) for finding in other.differences] == ["database small: rights on large object 102"]


# pg_dump loads such partitions through their root: the values of an enum have other oids on every server.
BY_ENUM = """
CREATE TYPE hue AS ENUM ({hues});
CREATE TABLE thing (hue hue, n int) PARTITION BY HASH (hue);
CREATE TABLE thing_0 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE thing_1 PARTITION OF thing FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO thing SELECT ('h' || n % 8)::hue, n FROM generate_series(1, 80) AS n;
"""


def test_rows_that_lie_in_another_partition_are_the_same_rows(run_server: ServerMaker, tmp_path: Path) -> None:
    make = BY_ENUM.format(hues=", ".join(f"'h{n}'" for n in range(8)))
    where = "SELECT hue::text, tableoid::regclass::text FROM thing GROUP BY 1, 2 ORDER BY 1"
    with run_server() as one, run_server() as other:
        for server in (one, other):
            server.execute("CREATE DATABASE small")
            server.execute(make, "small")
        oids = 0
        while other.execute(where, "small") == one.execute(where, "small"):
            oids += 1
            other.execute("DROP TABLE thing; DROP TYPE hue", "small")
            other.execute("SELECT lo_unlink(lo_create(0))", "small")  # takes an oid
            other.execute(make, "small")
            assert oids < 20
        dump_server(one, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        point, living = compared(other, facts, tmp_path), compare_servers(one.url(), other.url())
        other.execute("UPDATE thing SET n = 0 WHERE n = 7", "small")
        changed = [
            [str(finding.named) for finding in compared(other, facts, tmp_path).differences],
            [line.partition(": differs")[0] for line in compare_servers(one.url(), other.url()).differences],
        ]
    assert lines_of(point) == []
    assert living.differences == ()
    assert (point.counts["rows"], living.counts["rows"]) == (80, 80)
    assert changed[0] == ["database small: rows of public.thing"]
    assert set(changed[1]) <= {"database small: rows of public.thing_0", "database small: rows of public.thing_1"}
    assert changed[1]


def test_bytes_that_are_no_letters_are_compared(server: Server, tmp_path: Path) -> None:
    server.execute("CREATE DATABASE legacy TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    server.execute("CREATE TABLE word (w text); INSERT INTO word VALUES (E'\\xff\\xfe'), (E'\\xc3')", "legacy")
    try:
        dump_server(server, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo")
        found = [compared(server, facts, tmp_path)]
        found.append(compare(client_of(server), facts, tmp_path, source=client_of(server)))
        server.execute("UPDATE word SET w = E'\\xc4' WHERE w = E'\\xc3'", "legacy")
        other = compared(server, facts, tmp_path)
    finally:
        server.execute("DROP DATABASE legacy")
    assert [lines_of(comparison) for comparison in found] == [[], []]
    assert [str(finding.named) for finding in other.differences] == ["database legacy: rows of public.word"]


# PostgreSQL expands such a function when it plans, and then looks for the other one in the session's search_path.
INLINED = """
CREATE FUNCTION public.inner_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION public.outer_one(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT inner_one($1)';
CREATE TABLE public.indexed (n int);
INSERT INTO public.indexed SELECT generate_series(1, 30);
CREATE INDEX ON public.indexed (outer_one(n));
"""


def test_a_table_is_read_although_no_query_of_it_can_be_planned(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as old:
        old.execute("CREATE DATABASE small")
        old.execute(INLINED, "small")
        with pytest.raises(UndefinedFunction, match="inner_one"):
            old.execute("SET search_path = ''; SELECT n FROM public.indexed", "small")
        dump_server(old, tmp_path, "demo")
        facts = kit_facts(tmp_path, "demo", version="16.14")
        point = compared(old, facts, tmp_path)
        living = compare(client_of(old), facts, tmp_path, source=client_of(old))
        old.execute("UPDATE indexed SET n = 31 WHERE n = 30", "small")
        other = compared(old, facts, tmp_path)
    assert (lines_of(point), lines_of(living)) == ([], [])
    assert (point.counts["rows"], living.counts["rows"]) == (30, 30)
    assert [str(finding.named) for finding in other.differences] == ["database small: rows of public.indexed"]
