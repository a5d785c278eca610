"""Archives as pg_dump really writes them are read, and no cut of them passes."""

import subprocess
from pathlib import Path

import pytest

from flexvault.domain.dump_archive import Archive, read_archive
from flexvault.domain.dump_facts import describe
from flexvault.domain.errors import IntegrityError
from flexvault.kit.client import connection_string
from tests.rebuild.conftest import OLD_BIN, Server, ServerMaker
from tests.rebuild.seed import EMPTY_DATABASE, ODD_DATABASE, SHOP

MOST_CUTS = 40


def dump(server: Server, database: str, *options: str, piped: bool, folder: Path) -> bytes:
    """Dump to a file, where pg_dump can write offsets, or to a pipe, where it cannot."""
    path = folder / "dump"
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    command = [server.bin / "pg_dump", *at, "-Fc", *options, "-d", connection_string(database)]
    if piped:
        return subprocess.run(command, check=True, capture_output=True).stdout
    subprocess.run([*command, "-f", path], check=True, capture_output=True)
    return path.read_bytes()


def read(content: bytes) -> Archive:
    return read_archive(lambda offset, length: content[offset : offset + length], len(content))


DUMPS = {
    "whole_database": (SHOP, ()),
    "not_compressed": (SHOP, ("-Z0",)),
    "only_schema": (SHOP, ("--schema-only",)),
    "only_data": (SHOP, ("--data-only",)),
    "only_large_objects": (SHOP, ("--data-only", "--large-objects", "--exclude-table-data=*", "-Z0")),
    "inserts": (SHOP, ("--inserts",)),
    "small_with_data": (ODD_DATABASE, ()),
    "empty_database": (EMPTY_DATABASE, ()),
}


@pytest.mark.parametrize("piped", [False, True], ids=["file", "pipe"])
@pytest.mark.parametrize(("database", "options"), DUMPS.values(), ids=DUMPS)
def test_a_real_dump_is_whole_and_no_cut_of_it_is(
    source: Server, tmp_path: Path, database: str, options: tuple[str, ...], *, piped: bool
) -> None:
    content = dump(source, database, *options, piped=piped, folder=tmp_path)
    archive = read(content)
    assert (archive.database, archive.version, archive.end_proof) == (database, (1, 16, 0), "walked")
    assert {entry.offset is not None for entry in archive.entries if entry.has_data} <= {not piped}
    ends = [*range(archive.data_start, archive.data_start + 8), *range(len(content) - 24, len(content))]
    step = max(1, len(content) // MOST_CUTS)
    for size in {*range(0, len(content), step), *ends} & set(range(len(content))):
        with pytest.raises(IntegrityError):
            read(content[:size])


def test_every_cut_of_a_small_real_dump_is_noticed(source: Server, tmp_path: Path) -> None:
    content = dump(source, ODD_DATABASE, piped=False, folder=tmp_path)
    for size in range(len(content)):
        with pytest.raises(IntegrityError):
            read(content[:size])


def test_a_dump_of_an_older_version_is_read(run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server(OLD_BIN) as server:
        server.execute("CREATE TABLE t AS SELECT generate_series(1, 9) AS n; SELECT lo_from_bytea(7, 'x')")
        archive = read(dump(server, "postgres", piped=False, folder=tmp_path))
    assert archive.version == (1, 15, 0)
    assert archive.server_version == "16.14"
    assert (describe(archive)["tables"], describe(archive)["largeObjects"]) == (["public.t"], 1)


def test_a_real_dump_describes_its_database(source: Server, tmp_path: Path) -> None:
    description = describe(read(dump(source, SHOP, piped=False, folder=tmp_path)))
    assert description["owner"] == "app_owner"
    assert description["connectionLimit"] == 40
    assert description["extensions"] == ["vector"]
    assert description["largeObjects"] == 2
    assert '"Straße"."Ta""ble; $(x)"' in str(description["tables"]).replace("'", "")
    assert {"name": "default_transaction_read_only", "value": "on"} in description["settings"]  # pyright: ignore[reportOperatorIssue] - JSON
    assert description["roleSettings"] == [{"role": "app", "name": "work_mem", "value": "33MB"}]
