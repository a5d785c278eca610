"""What is read out of real dumps equals the living database, and slices of them are restored by pg_restore."""

import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

import psycopg
import pytest

from flexvault.domain.dump_choice import TableName, data_of_schemas, data_of_tables, definitions_of_tables
from flexvault.domain.dump_contents import Contents
from flexvault.domain.errors import IntegrityError
from flexvault.domain.row_digest import RowDigest
from tests.rebuild.conftest import OLD_BIN, Server, ServerMaker
from tests.rebuild.seed import ODD_DATABASE, ROLES, SHOP
from tests.rebuild.test_real_archives import dump
from tests.unit.whole_archive import Whole

DUMP_SETTINGS = (
    "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c synchronize_seqscans=off "
    "-c row_security=off -c search_path="
)
"""What pg_dump sets before it copies."""
SHAPES = [(options, piped) for options in ((), ("-Z0",)) for piped in (False, True)]
SHAPE_NAMES = ["gzip-file", "gzip-pipe", "none-file", "none-pipe"]


def living(server: Server, database: str, copy_statement: str) -> tuple[int, int, str]:
    """Rows, bytes and digest of a table, by the dump's own statement the other way round."""
    rows, sql = RowDigest(), copy_statement.replace("FROM stdin;\n", "TO STDOUT")
    with psycopg.connect(server.url(), dbname=database, options=DUMP_SETTINGS) as connection:
        encoding = connection.execute("SELECT pg_catalog.current_setting('server_encoding')").fetchone()
        assert encoding is not None
        connection.execute(f"SET client_encoding = '{encoding[0]}'".encode())
        with connection.cursor().copy(sql.encode(connection.info.encoding)) as copy:
            for piece in copy:
                rows.add(bytes(piece))
    return rows.rows, rows.bytes, rows.digest


def assert_equal_to(server: Server, database: str, whole: Whole) -> int:
    tables = [(entry, facts) for entry, facts in whole.counted() if entry.desc == "TABLE DATA"]
    for entry, facts in tables:
        assert (facts.count, facts.plain_bytes, facts.digest) == living(server, database, entry.copy_statement)
    return sum(facts.count or 0 for _, facts in tables)


@pytest.mark.parametrize(("options", "piped"), SHAPES, ids=SHAPE_NAMES)
def test_counts_and_digests_equal_those_of_the_living_database(
    source: Server, tmp_path: Path, options: tuple[str, ...], *, piped: bool
) -> None:
    whole = Whole(dump(source, SHOP, *options, piped=piped, folder=tmp_path))
    assert assert_equal_to(source, SHOP, whole) == 2 + 200 + 1 + 1500 + 4000
    odd = Whole(dump(source, ODD_DATABASE, *options, piped=piped, folder=tmp_path))
    assert odd.contents.encoding == "LATIN1"
    assert assert_equal_to(source, ODD_DATABASE, odd) == 300


@pytest.mark.parametrize("options", [(), ("-Z0",), ("--inserts",), ("--data-only",)])
def test_the_walk_finds_each_block_where_pg_dump_says_that_it_is(
    source: Server, tmp_path: Path, options: tuple[str, ...]
) -> None:
    whole = Whole(dump(source, SHOP, *options, piped=False, folder=tmp_path))
    said = {entry.dump_id: entry.offset for entry in whole.contents.entries if entry.has_data}
    assert None not in said.values()
    assert {block.dump_id: block.offset for block in whole.blocks} == said


def test_the_same_database_has_the_same_digests_however_it_was_dumped(source: Server, tmp_path: Path) -> None:
    found = [
        [
            (entry.tag, facts.count, facts.digest)
            for entry, facts in Whole(dump(source, SHOP, *options, piped=piped, folder=tmp_path)).counted()
        ]
        for options, piped in SHAPES
    ]
    assert found[0] == found[1] == found[2] == found[3]
    assert [count for name, count, _ in found[0] if name in {"70001", "70002"}] == [1, 1]


def test_an_older_version_is_counted_too(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as server:
        server.execute("CREATE TABLE t AS SELECT n, repeat('x', n) AS v FROM generate_series(1, 3000) AS n")
        server.execute("SELECT lo_from_bytea(7, 'x'), lo_from_bytea(8, ''), lo_from_bytea(9, repeat('y', 9000)::bytea)")
        whole = Whole(dump(server, "postgres", piped=False, folder=tmp_path))
        assert assert_equal_to(server, "postgres", whole) == 3000
    objects = whole.counted()[-1][1]
    assert (objects.count, objects.plain_bytes) == (3, 9001)


def test_a_dump_of_insert_commands_is_walked_and_said_to_be_not_counted(source: Server, tmp_path: Path) -> None:
    facts = [facts for _, facts in Whole(dump(source, SHOP, "--inserts", piped=True, folder=tmp_path)).counted()]
    assert {fact.not_counted for fact in facts if fact.count is None} == {"its rows are INSERT commands"}


def test_every_flipped_byte_of_a_real_dump_is_found(source: Server, tmp_path: Path) -> None:
    content = dump(source, ODD_DATABASE, piped=True, folder=tmp_path)
    whole = Whole(content)
    before = [facts for _, facts in whole.counted()]
    passed = 0
    for at in range(whole.contents.data_start, len(content)):
        try:
            found = [
                facts for _, facts in Whole(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]).counted()
            ]
        except IntegrityError:
            continue
        # At most the bits that fill up the last byte of the one zlib stream, which belong to no row.
        passed += 1
        assert [(fact.count, fact.digest) for fact in found] == [(fact.count, fact.digest) for fact in before]
        assert [fact.sha256 for fact in found] != [fact.sha256 for fact in before]
    assert passed <= 1


def restore(server: Server, content: bytes) -> None:
    """Restore an archive as pg_restore reads it from a pipe; the first error fails."""
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    command = [server.bin / "pg_restore", *at, "--exit-on-error", "-d", "restored"]
    subprocess.run(command, input=content, check=True, capture_output=True)


CHOICES: dict[str, tuple[Callable[[Contents], Collection[int]], int]] = {
    "one_table": (lambda contents: data_of_tables(contents, [TableName("sales", "customer")]), 1500),
    "a_partitioned_table": (lambda contents: data_of_tables(contents, [TableName("sales", "orders")]), 4000),
    "an_odd_name": (lambda contents: data_of_tables(contents, [TableName("Straße", 'Ta"ble; $(x)')]), 2),
    "a_schema": (lambda contents: data_of_schemas(contents, ["sales"]), 5501),
    "two_schemas": (lambda contents: data_of_schemas(contents, ["public", "Straße"]), 202),
}
TABLES = [TableName("sales", "customer"), TableName("sales", "orders"), TableName("public", "item")]


def prepare(target: Server) -> None:
    target.execute(ROLES)
    target.execute("CREATE DATABASE restored TEMPLATE template0")


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize(("chosen", "rows"), CHOICES.values(), ids=CHOICES)
def test_a_slice_restored_from_a_pipe_equals_its_source(
    source: Server,
    target: Server,
    tmp_path: Path,
    chosen: Callable[[Contents], Collection[int]],
    rows: int,
    *,
    piped: bool,
) -> None:
    whole = Whole(dump(source, SHOP, piped=piped, folder=tmp_path))
    prepare(target)
    restore(target, dump(source, SHOP, "--section=pre-data", piped=True, folder=tmp_path))
    part = whole.cut(chosen(whole.contents))
    restore(target, part.content)
    assert assert_equal_to(target, "restored", part) == rows
    # And what was cut is what the source has.
    assert assert_equal_to(source, SHOP, part) == rows


def test_tables_are_restored_from_a_slice_alone_with_their_sequences(
    source: Server, target: Server, tmp_path: Path
) -> None:
    whole = Whole(dump(source, SHOP, piped=True, folder=tmp_path))
    chosen = data_of_tables(whole.contents, TABLES) | definitions_of_tables(whole.contents, TABLES)
    prepare(target)
    restore(target, whole.cut(chosen).content)
    assert assert_equal_to(target, "restored", whole.cut(chosen)) == 1500 + 4000 + 200
    for sql in (
        "SELECT last_value, is_called FROM sales.customer_id_seq",
        "SELECT conname FROM pg_constraint WHERE conrelid = 'sales.orders'::regclass AND contype <> 'n' ORDER BY 1",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename ~ '^(orders|customer$|item$)' ORDER BY 1",
        "SELECT policyname, qual FROM pg_policies",
        "SELECT relrowsecurity, relacl FROM pg_class WHERE oid = 'sales.customer'::regclass",
    ):
        assert target.execute(sql, "restored") == source.execute(sql, SHOP)


def test_a_slice_of_an_older_version_is_restored(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as server:
        server.execute("CREATE TABLE other AS SELECT n FROM generate_series(1, 99) AS n")
        server.execute("CREATE TABLE t (id serial PRIMARY KEY, v text)")
        server.execute("INSERT INTO t (v) SELECT repeat('x', n) FROM generate_series(1, 3000) AS n")
        whole = Whole(dump(server, "postgres", piped=True, folder=tmp_path))
        table = [TableName("public", "t")]
        part = whole.cut(data_of_tables(whole.contents, table) | definitions_of_tables(whole.contents, table))
        server.execute("CREATE DATABASE restored TEMPLATE template0")
        restore(server, part.content)
        assert part.contents.version == (1, 15, 0)
        assert assert_equal_to(server, "restored", part) == 3000
        assert server.execute("SELECT last_value FROM t_id_seq", "restored") == [(3000,)]
        assert server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", "restored") == [("t",)]


def test_a_slice_in_a_file_is_restored_by_several_jobs(source: Server, target: Server, tmp_path: Path) -> None:
    whole = Whole(dump(source, SHOP, piped=True, folder=tmp_path))
    chosen = data_of_tables(whole.contents, TABLES) | definitions_of_tables(whole.contents, TABLES)
    path = tmp_path / "slice"
    path.write_bytes(whole.cut(chosen).content)
    prepare(target)
    at = ["-h", "127.0.0.1", "-p", str(target.port), "-U", "postgres", "-d", "restored"]
    subprocess.run([target.bin / "pg_restore", *at, "-j2", "--exit-on-error", path], check=True, capture_output=True)
    assert assert_equal_to(target, "restored", Whole(path.read_bytes())) == 1500 + 4000 + 200
