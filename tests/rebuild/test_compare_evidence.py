"""What a comparison proves, and by what: files that are the backup's, two servers that are two, a report that says so."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flexvault.domain.errors import InvalidInputError
from flexvault.kit.client import ClientError
from flexvault.kit.compare import compare
from flexvault.kit.comparison import Comparison
from flexvault.kit.facts import KitFacts
from flexvault.kit.options import Options
from flexvault.kit.progress import Progress
from tests.rebuild.backup import dump_server, kit_facts
from tests.rebuild.comparing import client_of, lines_of
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.test_compare_edges import read_json, run_compare

SMALL = """
CREATE TABLE public.customer (name text);
CREATE INDEX by_name ON public.customer (lower(name));
INSERT INTO public.customer VALUES ('Ada'), ('Bo');
CREATE TABLE public.empty (n int);
"""
ROLES = """
CREATE ROLE clerk LOGIN CONNECTION LIMIT 5 PASSWORD 'word';
COMMENT ON ROLE clerk IS '';
"""
NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def fill(server: Server) -> None:
    server.execute("CREATE DATABASE small")
    server.execute(SMALL, "small")
    server.execute(ROLES)


@pytest.fixture(scope="module")
def server(run_server: ServerMaker) -> Iterator[Server]:
    with run_server() as running:
        fill(running)
        yield running


@pytest.fixture(scope="module")
def twin(run_server: ServerMaker) -> Iterator[Server]:
    """Another server with the same content."""
    with run_server() as running:
        fill(running)
        yield running


@pytest.fixture
def point(server: Server, tmp_path: Path) -> KitFacts:
    dump_server(server, tmp_path, "demo")
    return kit_facts(tmp_path, "demo")


def compared(server: Server, facts: KitFacts, folder: Path, options: Options | None = None) -> Comparison:
    return compare(client_of(server), facts, folder, options or Options())


def alter(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert content.count(old) >= 1
    path.write_bytes(content.replace(old, new))


def test_a_definition_altered_in_the_file_and_alike_in_the_target_is_never_equal(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    alter(tmp_path / "demo_database_small.sql", b"lower(name)", b"upper(name)")
    server.execute("DROP INDEX by_name; CREATE INDEX by_name ON customer (upper(name))", "small")
    try:
        found = compared(server, point, tmp_path)
    finally:
        server.execute("DROP INDEX by_name; CREATE INDEX by_name ON customer (lower(name))", "small")
    assert lines_of(found) == [
        (
            "database small: database: not proven, demo_database_small.sql has another SHA-256 than the backup's file: "
            "download it again"
        )
    ]
    assert not found.is_equal


def test_a_role_altered_in_the_file_and_alike_in_the_target_is_never_equal(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    alter(tmp_path / "demo_roles.sql", b"CONNECTION LIMIT 5", b"CONNECTION LIMIT 6")
    server.execute("ALTER ROLE clerk CONNECTION LIMIT 6")
    try:
        found = compared(server, point, tmp_path)
    finally:
        server.execute("ALTER ROLE clerk CONNECTION LIMIT 5")
    assert lines_of(found) == [
        "roles: not proven, demo_roles.sql has another SHA-256 than the backup's file: download it again"
    ]
    assert not found.is_equal


def test_files_whose_hash_the_kit_does_not_know_are_said_to_be_no_proof(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    unknown = replace(point, files=tuple(replace(file, sha256="") for file in point.files))
    found = compared(server, unknown, tmp_path)
    assert found.is_equal
    assert "; not proven to be the backup's: 2 files, whose SHA-256 the kit does not know;" in found.verdict()
    assert "not proven to be" not in compared(server, point, tmp_path).verdict()
    report = found.to_json()
    assert report["filesNotProven"] == ["demo_database_small.sql", "demo_roles.sql"]
    assert {file["proof"] for file in report["files"]} == {"notProven"}


def test_a_server_is_not_compared_with_itself_whatever_it_is_called(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    client = client_of(server)
    other_name = replace(client, environment={**client.environment, "PGHOST": "localhost"})
    with pytest.raises(InvalidInputError, match="are the same server") as caught:
        compare(client, point, tmp_path, source=other_name)
    assert "SOURCE_PGHOST" in caught.value.hint
    server.execute("CREATE ROLE nobody LOGIN; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        with pytest.raises(InvalidInputError, match="are the same server"):
            compare(client_of(server, "nobody"), point, tmp_path, source=client)
    finally:
        server.execute("DROP ROLE nobody; GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
    # A copy of the cluster has the same system identifier, as a restore to a point in time has.
    assert compare(client_of(twin), point, tmp_path, source=client).is_equal


def test_a_database_or_table_with_a_finding_is_not_counted_as_equal(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    server.execute("DELETE FROM customer WHERE name = 'Bo'; DROP INDEX by_name", "small")
    try:
        found = compared(server, point, tmp_path)
    finally:
        server.execute("INSERT INTO customer VALUES ('Bo'); CREATE INDEX by_name ON customer (lower(name))", "small")
    assert found.verdict().startswith("2 differences; equal: 0 of 1 database, the rows of 1 of 2 tables, ")
    assert found.counts["databases"] == 0


def test_it_is_said_what_is_true_of_passwords_and_statistics(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    def reasons(found: Comparison) -> dict[str, str]:
        return {finding.named.kind: finding.reason for finding in found.not_compared}

    of_point = reasons(compared(server, point, tmp_path))
    living = reasons(compare(client_of(twin), point, tmp_path, source=client_of(server)))
    assert (
        "holds verifiers (no clear text) of 1 role: a rebuild restores them only with --with-passwords"
        in (of_point["passwords of roles"])
    )
    assert "--with-passwords" in living["passwords of roles"]
    for found in (of_point, living):
        assert "the rebuild kit runs ANALYZE" in found["planner statistics"]
    roles = tmp_path / "demo_roles.sql"
    roles.write_bytes(re.sub(rb" PASSWORD '[^']*'", b"", roles.read_bytes()))
    none = compared(server, kit_facts(tmp_path, "demo"), tmp_path)
    assert "the roles file holds none" in reasons(none)["passwords of roles"]


def clock(*moments: datetime) -> Callable[[], datetime]:
    left = iter(moments)
    return lambda: next(left)


def test_a_report_says_what_was_compared_with_what_and_when(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    times = (NOW, NOW + timedelta(minutes=1))
    of_point = compare(client_of(server), point, tmp_path, now=clock(*times)).to_json()
    living = compare(client_of(twin), point, tmp_path, source=client_of(server), now=clock(*times)).to_json()
    for report in (of_point, living):
        assert (report["startedAt"], report["completedAt"]) == (
            "2026-11-26T08:00:00+00:00",
            "2026-11-26T08:01:00+00:00",
        )
        assert report["kit"] == {"id": point.kit_id, "filePrefix": "demo"}
        assert report["recoveryPoint"] == {
            "id": "0" * 32,
            "time": "2026-11-25T17:00:00Z",
            "manifestHash": "0" * 64,
        }
    target = of_point["target"]
    assert (target["host"], target["port"], target["user"]) == ("127.0.0.1", str(server.port), "postgres")
    assert target["serverVersion"] == server.execute("SHOW server_version")[0][0]
    assert of_point["source"] is None
    assert (living["source"]["port"], living["target"]["port"]) == (str(server.port), str(twin.port))
    assert living["files"] == []
    path = tmp_path / "demo_roles.sql"
    assert {
        "name": path.name,
        "sizeBytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "expectedSizeBytes": path.stat().st_size,
        "expectedSha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "proof": "same",
    } in of_point["files"]


def test_the_reports_of_point_and_source_lie_side_by_side(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    assert run_compare(twin, point, tmp_path).returncode == 0
    done = run_compare(twin, point, tmp_path, source=server)
    assert done.returncode == 0, done.stdout
    folder = tmp_path / "demo_rebuild"
    assert read_json(folder / "compare-report-point.json")["source"] is None
    assert read_json(folder / "compare-report-source.json")["source"]["port"] == str(server.port)


def test_a_report_that_cannot_be_written_stops_before_anything_is_compared(
    server: Server, point: KitFacts, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere" / "x.json"
    done = run_compare(server, point, tmp_path, "--report", str(nowhere))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"compare stopped: the report cannot be written to {nowhere}: No such file")
    assert "--report FILE" in done.stderr
    folder = run_compare(server, point, tmp_path, "--report", str(tmp_path))
    assert (folder.returncode, folder.stdout) == (1, "")


def test_a_comparison_that_stops_leaves_the_earlier_report(server: Server, point: KitFacts, tmp_path: Path) -> None:
    report = tmp_path / "mine.json"
    report.write_text("earlier")
    done = run_compare(replace(server, port=1), point, tmp_path, "--report", str(report))
    assert done.returncode == 1
    assert report.read_text() == "earlier"
    assert [path.name for path in tmp_path.glob("mine*")] == ["mine.json"]


def test_it_is_said_which_server_does_not_answer(server: Server, point: KitFacts, tmp_path: Path) -> None:
    gone = replace(server, port=1)
    of_target = run_compare(gone, point, tmp_path)
    of_source = run_compare(server, point, tmp_path, source=gone)
    assert of_target.stderr.startswith("compare stopped: the target server 127.0.0.1: ")
    assert "hint: see whether it runs and whether PGHOST, PGPORT," in of_target.stderr
    assert of_source.stderr.startswith("compare stopped: the source server 127.0.0.1: ")
    assert "whether SOURCE_PGHOST, SOURCE_PGPORT," in of_source.stderr


def test_a_choice_limits_a_comparison_with_a_living_source(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    server.execute("CREATE DATABASE other")
    server.execute("ALTER DATABASE other SET work_mem = '5MB'")
    twin.execute("CREATE ROLE surplus; GRANT clerk TO surplus; ALTER ROLE surplus SET work_mem = '6MB'")
    twin.execute("ALTER ROLE clerk CONNECTION LIMIT 6")
    server.execute("ALTER DATABASE small SET work_mem = '7MB'")
    try:
        found = compare(client_of(twin), point, tmp_path, Options(databases=("small",)), source=client_of(server))
    finally:
        server.execute("DROP DATABASE other")
        server.execute("ALTER DATABASE small RESET ALL")
        twin.execute("DROP ROLE surplus; ALTER ROLE clerk CONNECTION LIMIT 5")
    assert {str(finding.named) for finding in found.differences} == {
        "role clerk",
        "settings of database small, all roles",
    }
    left_out = {str(finding.named): finding.reason for finding in found.not_compared}
    assert left_out["settings of database other, all roles"] == "not chosen"
    assert left_out["role surplus"] == "the target has it of its own; only some databases were restored"
    assert "membership clerk to surplus" in left_out


@pytest.mark.parametrize("against", ["point", "source"])
def test_an_unfinished_rebuild_is_said_and_is_no_proof(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path, against: str
) -> None:
    progress = Progress(client_of(server), point.kit_id)
    progress.begin()
    progress.write("small", "data", mark=1)
    try:
        found = compare(client_of(server), point, tmp_path, source=client_of(twin) if against == "source" else None)
        other_kit = compare(client_of(server), replace(point, file_prefix="later"), tmp_path)
        progress.write("small", "done", mark=1)
        progress.write("later", "made", mark=2)
        chosen = compared(server, point, tmp_path, Options(databases=("small",)))
        whole = compared(server, point, tmp_path)
    finally:
        progress.end()
    assert lines_of(found) == [
        (
            "rebuild of the target: not proven, unfinished: small has a part of its data; run the same restore command "
            "again: it goes on"
        )
    ]
    assert not found.is_equal
    assert "the kit " in lines_of(other_kit)[0]
    assert chosen.is_equal
    assert (
        "a rebuild of other databases of the target is unfinished: later has no data yet; done: small;"
        in (chosen.notes[-1])
    )
    assert not whole.is_equal


def test_texts_of_values_do_not_run_into_each_other(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    twin.execute("COMMENT ON ROLE clerk IS 'reads every row'")
    try:
        found = compare(client_of(twin), point, tmp_path, source=client_of(server))
    finally:
        twin.execute("COMMENT ON ROLE clerk IS NULL")
    [difference] = found.differences
    assert difference.target.endswith("valid until infinity comment 'reads every row'")
    assert difference.source.endswith("valid until infinity comment none")
    versions = {f.reason for f in found.not_compared if f.named.kind == "collation version"}
    assert versions == {"version none in the source, none in the target"}


def test_an_error_of_a_server_in_the_middle_names_it(server: Server, point: KitFacts, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"the target server 127\.0\.0\.1: "):
        compare(client_of(server, "unknown-role"), point, tmp_path)
