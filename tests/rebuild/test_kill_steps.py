"""A kit that is killed between any two of its commands loads no row twice, opens nothing early, drops only its own."""

import os
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flexvault.domain.errors import ConflictError
from flexvault.kit.check import Checked, check
from flexvault.kit.client import Client, RestoreError
from flexvault.kit.database import DatabaseRebuild
from flexvault.kit.facts import KitFacts
from flexvault.kit.load import _archive, _begin_run, split
from flexvault.kit.options import Options
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.progress import Progress
from tests.rebuild.backup import dump_server, kit_facts
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.test_kills import environment

APP = "app"
SEED = """
CREATE TABLE keyless (n int, t text);
INSERT INTO keyless SELECT n, md5(n::text) FROM generate_series(1, 1000) AS n;
CREATE TABLE hidden (t text);
INSERT INTO hidden VALUES ('a secret');
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON hidden TO PUBLIC;
SELECT lo_from_bytea(0, '\\xdead');
"""
FACTS = """SELECT (SELECT count(*) FROM keyless), (SELECT count(*) FROM hidden),
(SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'flexvault%'),
(SELECT datconnlimit FROM pg_database WHERE datname = 'app'), has_database_privilege('low', 'app', 'CONNECT')"""
WHOLE = [(1000, 1, 1, 0, -1, True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mortal(Client):
    """Kills its process before a command that changes something, once so many of them were run."""

    left: list[int] = field(default_factory=lambda: [-1])

    def execute_in_turn(self, statements: Sequence[str], database: str = "postgres") -> None:
        self._live()
        Client.execute_in_turn(self, statements, database)

    def run_all(self, statements: Sequence[str], database: str = "postgres") -> None:
        self._live()
        Client.run_all(self, statements, database)

    def try_all(self, statements: Sequence[str], database: str = "postgres") -> list[str]:
        self._live()
        return Client.try_all(self, statements, database)

    def restore(self, database: str, archive: str | Iterable[bytes], *options: str) -> None:
        self._live()
        Client.restore(self, database, archive, *options)

    def _live(self) -> None:
        if self.left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left[0] -= 1


@dataclass(frozen=True, kw_only=True)
class Case:
    """A target on which a rebuild has begun, and what its database is to be made of."""

    target: Server
    client: Mortal
    facts: KitFacts
    folder: Path
    checked: Checked

    @property
    def progress(self) -> Progress:
        return Progress(self.client, self.facts.kit_id)

    @property
    def plan(self) -> DatabasePlan:
        return self.checked.plans[0]

    def rebuild(self) -> None:
        assert self.checked.target is not None
        one = DatabaseRebuild(self.client, self.checked.target, self.plan, self.progress, jobs=1, say=lambda _: None)
        one.run(self.progress.read().get(APP))

    def die_after(self, commands: int) -> bool:
        """Rebuild in a process of its own that is killed; say whether it was, before it came to its end."""
        child = os.fork()
        if not child:
            status = 1
            try:
                self.client.left[0] = commands
                self.rebuild()
                status = 0
            finally:
                os._exit(status)
        status = os.waitpid(child, 0)[1]
        assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL
        return status != 0

    def die_in(self, state: str) -> None:
        """Kill a rebuild as soon as its row has this state."""
        for commands in range(100):
            self.die_after(commands)
            row = self.progress.read().get(APP)
            if row and row.state == state:
                return
            self.target.execute(f"DROP DATABASE IF EXISTS {APP}")
        raise AssertionError(state)

    def is_there(self) -> bool:
        found = "SELECT 1 FROM pg_database WHERE datname = 'app' AND datallowconn"
        return bool(self.target.execute(found))

    def is_open_too_early(self) -> bool:
        """Say whether others may come in and read what row security hides from them."""
        if not self.target.execute(f"SELECT 1 WHERE has_database_privilege('low', '{APP}', 'CONNECT')"):
            return False
        hidden = "SELECT 1 FROM pg_class WHERE relname = 'hidden' AND relrowsecurity"
        return not self.target.execute(hidden, APP)


@pytest.fixture(scope="module")
def backup(run_server: ServerMaker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("steps")
    with run_server() as source:
        source.execute("CREATE ROLE low LOGIN")
        source.execute(f"CREATE DATABASE {APP}")
        source.execute(SEED, APP)
        dump_server(source, folder, "s")
    return folder


@pytest.fixture
def case(backup: Path, target: Server) -> Case:
    target.execute("CREATE ROLE low LOGIN")
    client = Mortal(environment=environment(target, "postgres"))
    facts = kit_facts(backup, "s")
    checked = check(client, facts, backup, Options(databases=(APP,)), lambda _: None)
    assert checked.is_ready, checked.findings
    found = Case(target=target, client=client, facts=facts, folder=backup, checked=checked)
    found.progress.begin()
    return found


def test_wherever_it_is_killed_no_row_is_doubled_and_nothing_is_open_early(case: Case) -> None:
    commands = 0
    while case.die_after(commands):
        assert not (case.is_there() and case.is_open_too_early()), commands
        case.rebuild()
        assert case.target.execute(FACTS, APP) == WHOLE, commands
        case.target.execute(f"DROP DATABASE {APP}")
        case.progress.end()
        case.progress.begin()
        commands += 1
    assert case.target.execute(FACTS, APP) == WHOLE
    assert commands > 10


def test_a_database_is_made_anew_when_it_cannot_be_said_what_is_in(case: Case) -> None:
    case.die_in("data")
    case.target.execute("DROP SCHEMA flexvault_rebuild CASCADE", APP)
    case.rebuild()
    assert case.target.execute(FACTS, APP) == WHOLE


def test_a_stream_of_a_killed_run_that_comes_late_loads_nothing(case: Case) -> None:
    case.die_in("data")
    rows = [entry for entry in case.plan.data if entry.desc == "TABLE DATA"]
    part = split(case.plan, rows)[0]
    old, new = (_begin_run(case.client, APP) for _ in range(2))
    with pytest.raises(RestoreError, match="null value in column"):
        case.client.restore(APP, _archive(case.plan, part, old), "--single-transaction")
    assert case.target.execute("SELECT count(*) FROM keyless", APP) == [(0,)]
    case.client.restore(APP, _archive(case.plan, part, new), "--single-transaction")
    with pytest.raises(RestoreError, match="duplicate key value"):
        case.client.restore(APP, _archive(case.plan, part, new), "--single-transaction")
    case.rebuild()
    assert case.target.execute(FACTS, APP) == WHOLE


def test_a_database_that_somebody_makes_behind_an_intent_is_not_touched(case: Case) -> None:
    case.die_in("intent")
    case.target.execute(f"CREATE DATABASE {APP}")
    case.target.execute("CREATE FUNCTION precious() RETURNS int LANGUAGE sql AS 'SELECT 42'", APP)
    with pytest.raises(ConflictError, match="database app exists already and is not this kit's"):
        case.rebuild()
    checked = check(case.client, case.facts, case.folder, Options(databases=(APP,)), lambda _: None)
    assert "database exists already: app" in "".join(map(str, checked.findings))
    assert case.target.execute("SELECT precious()", APP) == [(42,)]
