"""What a comparison cannot see, or must not believe, is named and never counted as equal."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flexvault.kit.compare import compare
from flexvault.kit.compare_servers import compare_states
from flexvault.kit.comparison import Comparison, Named
from flexvault.kit.facts import KitFacts, KitVerification
from flexvault.kit.server_state import ServerState, server_state
from tests.rebuild.backup import dump_server, kit_facts
from tests.rebuild.comparing import client_of, lines_of
from tests.rebuild.conftest import OLD_BIN, Server, ServerMaker

SMALL = """
CREATE TABLE public.item (n int);
INSERT INTO public.item VALUES (1), (2);
CREATE FOREIGN DATA WRAPPER far;
CREATE SERVER far_server FOREIGN DATA WRAPPER far;
CREATE USER MAPPING FOR reader SERVER far_server OPTIONS (password 'hidden-word');
CREATE USER MAPPING FOR clerk SERVER far_server OPTIONS (password 'hidden-word');
GRANT USAGE ON FOREIGN SERVER far_server TO clerk;
GRANT SELECT ON public.item TO clerk;
CREATE PUBLICATION chosen FOR TABLE public.item WHERE (n > 1) WITH (publish = 'insert');
"""


def fill(server: Server) -> None:
    server.execute("CREATE ROLE reader; CREATE ROLE clerk LOGIN")
    server.execute("CREATE DATABASE small")
    server.execute(SMALL, "small")


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


def broken(facts: KitFacts, verdict: str) -> KitFacts:
    found = KitVerification(number=7, completed_at="2026-11-25T18:00:00Z", verdict=verdict, files={})
    return replace(facts, verification=found)


def left_out(found: Comparison) -> dict[str, str]:
    return {str(finding.named): finding.reason for finding in found.not_compared}


def state_of(server: Server, user: str | None = None) -> ServerState:
    return server_state(client_of(server, user))


def test_a_recovery_point_that_was_found_broken_proves_nothing(server: Server, point: KitFacts, tmp_path: Path) -> None:
    found = compare(client_of(server), broken(point, "Broken"), tmp_path)
    assert lines_of(found) == [
        (
            "recovery point: not proven, broken: verification 7 of 2026-11-25T18:00:00Z found errors in it; what it lost "
            "cannot be seen here, restore from an intact recovery point"
        )
    ]
    assert not found.is_equal
    assert found.verdict().startswith("1 not proven; equal: 1 of 1 database")
    assert found.to_json()["verification"] == {"number": 7, "completedAt": "2026-11-25T18:00:00Z", "verdict": "Broken"}
    assert compare(client_of(server), broken(point, "Intact"), tmp_path).is_equal


def test_a_broken_recovery_point_says_nothing_of_a_living_source_and_is_told(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    found = compare(client_of(server), broken(point, "Broken"), tmp_path, source=client_of(twin))
    assert found.is_equal
    assert found.notes[-1] == (
        "the recovery point is broken: verification 7 of 2026-11-25T18:00:00Z found errors in it"
    )


def test_what_lies_in_a_database_of_the_service_is_not_compared_and_that_is_said(
    server: Server, twin: Server, point: KitFacts, tmp_path: Path
) -> None:
    server.execute("CREATE TABLE public.lost (n int)")
    try:
        living = compare(client_of(twin), point, tmp_path, source=client_of(server))
        of_point = compare(client_of(twin), point, tmp_path)
    finally:
        server.execute("DROP TABLE public.lost")
    for found in (living, of_point):
        assert left_out(found)["database postgres: database"].startswith("every server has its own")
        assert "not compared: " in found.verdict()


@pytest.mark.parametrize("closed_in", ["source", "target"])
def test_a_database_that_nobody_may_connect_to_is_never_equal(server: Server, twin: Server, closed_in: str) -> None:
    for one in (server, twin):
        one.execute("CREATE DATABASE shut")
    (server if closed_in == "source" else twin).execute("ALTER DATABASE shut ALLOW_CONNECTIONS false")
    try:
        found = compare_states(state_of(server), state_of(twin))
        chosen = compare_states(state_of(server), state_of(twin), chosen=["shut"])
    finally:
        for one in (server, twin):
            one.execute("DROP DATABASE shut")
    line = (
        f"database shut: database: not proven, it lets nobody connect in the {closed_in}: ALTER DATABASE ... "
        "ALLOW_CONNECTIONS true, and compare again"
    )
    assert lines_of(found) == [line]
    assert lines_of(chosen) == [line]


def test_a_database_that_nobody_may_connect_to_and_the_target_lacks_is_missing(server: Server, twin: Server) -> None:
    server.execute("CREATE DATABASE shut ALLOW_CONNECTIONS false")
    try:
        states = state_of(server), state_of(twin)
    finally:
        server.execute("DROP DATABASE shut")
    assert lines_of(compare_states(*states)) == [
        "database shut: database: missing in the target, in the source: a database"
    ]
    assert [finding.state for finding in compare_states(*states[::-1]).differences] == ["onlyInTarget"]


def test_options_of_a_user_mapping_that_are_not_shown_are_not_proven(server: Server) -> None:
    state = state_of(server, "clerk")
    found = compare_states(state, state)
    [finding] = [finding for finding in found.unproven if finding.named.kind == "user mapping"]
    assert finding.named.name == "far_server for reader"
    assert "shown to a superuser" in finding.reason
    assert "hidden-word" not in found.to_bytes().decode()
    assert compare_states(state_of(server), state_of(server)).equal_kinds["user mapping"] == 2


def test_two_objects_of_one_name_are_not_proven(server: Server) -> None:
    for name in ("twice", "again"):
        server.execute(f"CREATE COLLATION public.{name} (provider = libc, locale = 'C')", "small")
    # As one for every encoding may stand beside one for the encoding of the database.
    server.execute("UPDATE pg_collation SET collname = 'twice', collencoding = -1 WHERE collname = 'again'", "small")
    try:
        state = state_of(server)
    finally:
        for _ in range(2):
            server.execute("DROP COLLATION public.twice", "small")
    [finding] = compare_states(state, state).unproven
    assert finding.named == Named("small", "collation", "public.twice")


def test_a_server_of_an_older_major_is_read_too(run_server: ServerMaker) -> None:
    with run_server(OLD_BIN) as old:
        fill(old)
        before = state_of(old)
        old.execute("ALTER PUBLICATION chosen SET TABLE public.item", "small")
        old.execute("GRANT SELECT ON information_schema.tables TO clerk", "small")
        old.execute("GRANT INSERT ON information_schema.tables TO clerk", "small")
        found = compare_states(before, state_of(old))
    assert {str(finding.named) for finding in (*found.differences, *found.unproven)} == {
        "database small: publication table chosen public.item",
        "database small: system object rights relation information_schema.tables",
    }
