"""What others have on a target is neither taken over nor obeyed, and their sessions are left alone."""

from pathlib import Path

import psycopg
import pytest

from flexvault.domain.errors import ConflictError
from flexvault.kit.check import check
from flexvault.kit.client import APPLICATION_NAME, Client
from flexvault.kit.compare import compare
from flexvault.kit.options import Options
from flexvault.kit.progress import Progress
from flexvault.kit.restore import check_only
from tests.rebuild.backup import dump_server, kit_facts
from tests.rebuild.conftest import Server
from tests.rebuild.test_kills import environment

NOTES = "flexvault_rebuild"
ALL = Options()
OLD_TABLE = """CREATE TABLE public.progress (kit text NOT NULL, name text PRIMARY KEY, choice text NOT NULL,
state text NOT NULL, mark bigint, outcomes text NOT NULL)"""
EVIL = (
    """CREATE FUNCTION evil() RETURNS {} LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE low SUPERUSER; RETURN NULL; END $$"""
)


@pytest.fixture
def client(target: Server) -> Client:
    return Client(environment=environment(target, "postgres"))


def refuse(client: Client, match: str) -> None:
    """See that every step on the notes is refused."""
    progress = Progress(client, "0" * 32)
    for step in (progress.read, progress.begin, progress.end):
        with pytest.raises(ConflictError, match=match):
            step()


def test_a_database_of_the_same_name_that_no_kit_made_stays(target: Server, client: Client) -> None:
    target.execute(f"CREATE DATABASE {NOTES}")
    target.execute("CREATE TABLE mine AS SELECT 1 AS n", NOTES)
    target.execute(OLD_TABLE, NOTES)
    refuse(client, f"database {NOTES} of role postgres was not made by a rebuild")
    assert target.execute("SELECT n FROM mine", NOTES) == [(1,)]


@pytest.mark.parametrize("is_marked", [False, True])
def test_what_a_lesser_role_lays_in_wait_never_runs(target: Server, client: Client, *, is_marked: bool) -> None:
    target.execute("CREATE ROLE low LOGIN CREATEDB")
    limit = "CONNECTION LIMIT 1738096422" if is_marked else ""  # the mark is no secret
    with psycopg.connect(target.url(user="low"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {NOTES} {limit}".encode())
    with psycopg.connect(target.url(NOTES, user="low"), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {NOTES}".encode())
        connection.execute(EVIL.format("text").encode())
        connection.execute(f"CREATE VIEW {NOTES}.progress AS SELECT evil() AS kit".encode())
    refuse(client, "low owns database" if is_marked else "of role low was not made by a rebuild")
    assert target.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'low'") == [(False,)]


@pytest.mark.parametrize(
    "change",
    [
        f"CREATE TRIGGER t BEFORE INSERT ON {NOTES}.progress FOR EACH ROW EXECUTE FUNCTION evil()",
        f"CREATE RULE r AS ON INSERT TO {NOTES}.progress DO ALSO DELETE FROM {NOTES}.progress",
        f"ALTER TABLE {NOTES}.progress ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {NOTES}.progress OWNER TO low",
        f"DROP TABLE {NOTES}.progress; CREATE VIEW {NOTES}.progress AS SELECT 1",
    ],
)
def test_notes_that_somebody_changed_are_not_used(target: Server, client: Client, change: str) -> None:
    progress = Progress(client, "0" * 32)
    progress.begin()
    target.execute("CREATE ROLE low")
    target.execute(EVIL.format("trigger"), NOTES)
    target.execute(change, NOTES)
    for step in (progress.read, progress.begin):
        with pytest.raises(ConflictError, match="is not as a rebuild made it"):
            step()


def test_nobody_else_enters_the_notes_while_they_are_there(target: Server, client: Client) -> None:
    progress = Progress(client, "0" * 32)
    progress.begin()
    target.execute("CREATE ROLE low LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(target.url(NOTES, user="low"))
    progress.end()
    assert not target.execute(f"SELECT 1 FROM pg_database WHERE datname = '{NOTES}'")


def test_a_check_and_a_comparison_are_not_ended_as_what_a_killed_rebuild_left(target: Server, tmp_path: Path) -> None:
    dump_server(target, tmp_path, "s")
    facts = kit_facts(tmp_path, "s")
    names = tmp_path / "names"
    wrapper = tmp_path / "bin" / "psql"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho "$PGAPPNAME" >> {names}\nexec {target.bin}/psql "$@"\n')
    wrapper.chmod(0o755)
    found = environment(target, "postgres")
    client = Client(environment={**found, "PATH": f"{wrapper.parent}:{found['PATH']}"})
    check_only(client, facts, tmp_path, ALL, lambda _: None)
    assert set(names.read_text().split()) == {"flexvault-check"}
    names.unlink()
    compare(client, facts, tmp_path)
    assert set(names.read_text().split()) == {"flexvault-compare"}
    names.unlink()
    check(client, facts, tmp_path, ALL, lambda _: None)
    assert set(names.read_text().split()) == {APPLICATION_NAME}


def test_a_backup_with_a_database_of_the_notes_name_is_told_so(target: Server, client: Client, tmp_path: Path) -> None:
    target.execute(f"CREATE DATABASE {NOTES}")
    dump_server(target, tmp_path, "s")
    target.execute(f"DROP DATABASE {NOTES}")
    findings = check(client, kit_facts(tmp_path, "s"), tmp_path, ALL, lambda _: None).findings
    assert f"the kit needs a database of the name {NOTES} for itself" in "".join(map(str, findings))
