"""The kit's comparison finds every single difference and names the object, with the recovery point and with a source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexvault.kit.compare import compare
from flexvault.kit.compare_servers import compare_states
from flexvault.kit.comparison import Comparison, Finding
from flexvault.kit.options import Options
from flexvault.kit.server_state import ServerState, server_state
from tests.rebuild.backup import dump_server, kit_facts
from tests.rebuild.changes import CHANGES
from tests.rebuild.changes.change import Change
from tests.rebuild.changes.more import MORE
from tests.rebuild.comparing import client_of, compare_servers
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.seed import SHOP, seed

"""In this order, on one server; each change is compared with the moment before."""


class Moving:
    """One server that the changes are made to, and what was last known of it.

    A change in one database is looked for in that database and in the roles; one of the server everywhere.
    """

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        dump_server(server, folder, "demo")
        self.facts = kit_facts(folder, "demo")
        self.scope = Options()
        self.state = self._read()
        self.lines: set[str] = set()

    def look_at(self, database: str) -> None:
        scope = Options(databases=(SHOP,) if database == SHOP else ())
        if scope != self.scope:
            self.scope = scope
            self.new_in_point()
            self.state = self._read()

    def with_point(self, scope: Options | None = None) -> Comparison:
        return compare(client_of(self.server), self.facts, self.folder, scope or Options())

    def new_in_point(self) -> set[str]:
        found = self.with_point(self.scope)
        known, self.lines = self.lines, {finding.line() for finding in (*found.differences, *found.unproven)}
        new = [finding for finding in (*found.differences, *found.unproven) if finding.line() not in known]
        return {f"{finding.named} {finding.state}" for finding in new}

    def new_in_source(self) -> set[str]:
        before, self.state = self.state, self._read()
        return {f"{finding.named} {finding.state}" for finding in _all(compare_states(before, self.state))}

    def _read(self) -> ServerState:
        return server_state(client_of(self.server), databases=self.scope.databases)


def _all(comparison: Comparison) -> list[Finding]:
    return [*comparison.differences, *comparison.unproven]


@pytest.fixture(scope="module")
def twin(run_server: ServerMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    with run_server() as server:
        seed(server.url())
        server.execute(MORE, SHOP)
        yield Moving(server, tmp_path_factory.mktemp("point"))


def test_a_server_equals_the_recovery_point_that_was_just_taken_of_it(twin: Moving) -> None:
    found = twin.with_point()
    assert _all(found) == []
    assert found.is_equal
    counts = {key: found.counts[key] for key in ("databases", "tables", "rows", "roles", "sequences", "largeObjects")}
    assert counts == {
        "databases": 3, "tables": 14, "rows": 6007, "roles": 8, "sequences": 7, "largeObjects": 2
    }  # fmt: skip
    assert found.verdict().startswith("all equal: 3 databases, 14 tables, 6,007 rows, 2 large objects, 7 sequences")


def test_what_is_derived_or_left_out_is_named_and_never_equal(twin: Moving) -> None:
    found = twin.with_point()
    named = {(str(finding.named), finding.state) for finding in found.not_compared}
    assert {
        ("database shop: rows of materialized view sales.per_customer", "derived"),
        ("database shop: planner statistics", "derived"),
        ("database shop: collation version", "derived"),
        ("database shop: version of extension vector", "derived"),
        ("database shop: subscription far_changes", "leftOut"),
        ("database postgres: database", "leftOut"),
        ("passwords of roles", "leftOut"),
    } <= named
    assert not {kind for kind in found.equal_kinds if "subscription" in kind}
    assert "rows of materialized view" in found.verdict()


def test_two_servers_of_one_seed_are_equal(source: Server, run_server: ServerMaker, tmp_path: Path) -> None:
    with run_server() as other:
        seed(other.url())
        found = compare(client_of(other), kit_facts(tmp_path, "none"), tmp_path, source=client_of(source))
        assert compare_servers(source.url(), other.url()).is_equal
    assert _all(found) == []
    assert found.is_equal
    assert {("database shop: rows of materialized view sales.per_customer", "derived")} <= {
        (str(finding.named), finding.state) for finding in found.not_compared
    }


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_difference_is_found_and_named_and_nothing_else_is(twin: Moving, change: Change) -> None:
    twin.look_at(change.database)
    twin.server.execute(change.sql, change.database)
    assert twin.new_in_point() == set(change.point)
    assert twin.new_in_source() == set(change.living)


def test_no_password_of_a_definition_is_in_a_report(twin: Moving) -> None:
    report = twin.with_point().to_bytes().decode()
    assert "user mapping" in report
    assert "-word" not in report
