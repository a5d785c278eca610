"""The whole corpus is rebuilt by the kit: each check holds, or the kit's own list names what is not there."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.corpus.extensions import MISSING, MISSING_EXTENSION
from tests.rebuild.corpus.model import ADMINISTRATOR, Check, Source
from tests.rebuild.corpus.names import DATABASE_NAMES, TRAPS
from tests.rebuild.corpus.replication import SECRET
from tests.rebuild.corpus.roles import HOSTILE
from tests.rebuild.corpus.routes import PREFIX, Route, Workshop
from tests.rebuild.corpus.run import ask, can_have, connect, dump_as_the_emulator
from tests.rebuild.corpus.table import BEGIN, COMPARED, END, compare_ways
from tests.rebuild.corpus.ways import Outcome, as_documented, by_the_kit

RESTORE_PAGE = Path(__file__).parents[2] / "docs" / "restore.md"

ROUTES = (
    Route(source=16, target=16, is_administrator=False, seekable=True, is_short=True),
    Route(source=16, target=18, is_administrator=True, seekable=True, is_short=True),
    Route(source=18, target=18, is_administrator=True, seekable=False),
)
RARER_ROUTES = (
    Route(source=18, target=18, is_administrator=False, seekable=False),
    Route(source=16, target=18, is_administrator=False, seekable=False),
    Route(source=16, target=16, is_administrator=True, seekable=False),
    Route(source=18, target=18, is_administrator=False, seekable=True),
)


def _cases(routes: tuple[Route, ...], *marks: pytest.MarkDecorator) -> Iterator[object]:
    """Yield all of a route, and then of the next: a rebuilt server lives as long as its own cases."""
    for route in routes:
        yield pytest.param(route, None, None, marks=marks, id=f"{route}-comes to its end")
        for source, check in route.checks():
            name = f"{route}-{source.name}-{check.what}".replace("\n", " ")
            yield pytest.param(route, source, check, marks=marks, id=name)


@pytest.fixture(scope="module")
def workshop(
    run_server: ServerMaker, open_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    with ExitStack() as stack:
        yield Workshop(
            run_server=run_server, scratch=tmp_path_factory.mktemp("corpus"), open_folder=open_folder, stack=stack
        )


class Latest:
    """The server that was rebuilt last. Another one takes its place: each is some hundred megabytes on the disk."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop, self._stack = workshop, ExitStack()
        self._found: tuple[Route, Server, Outcome] | None = None

    def of(self, route: Route) -> tuple[Server, Outcome]:
        if self._found is None or self._found[0] != route:
            self.close()
            self._found = (route, *self._workshop.rebuild(route, self._stack))
        return self._found[1:]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="module")
def latest(workshop: Workshop) -> Iterator[Latest]:
    found = Latest(workshop)
    yield found
    found.close()


@pytest.mark.parametrize(("route", "source", "check"), [*_cases(ROUTES), *_cases(RARER_ROUTES, pytest.mark.long)])
def test_it_is_true_of_the_rebuilt_server(
    workshop: Workshop, latest: Latest, route: Route, source: Source | None, check: Check | None
) -> None:
    if source is not None and not can_have(workshop.source(route), source):
        pytest.skip(source.lacking)
    server, outcome = latest.of(route)
    if check is None:
        assert outcome.end == ""
        assert not [*Path.cwd().glob("pwned*"), *workshop.scratch.rglob("pwned*")]
        assert not [line for line in outcome.lines if SECRET in line or "not-a-real-secret" in line]
        return
    # The author's answer is the source's own.
    assert ask(workshop.source(route), check) == check.expected
    loss = route.loss(check)
    if loss:
        assert ask(server, check) != check.expected, f"{check.what}: is kept; it is no loss any more"
        assert outcome.names(loss), f"{check.what}: is lost, and no line of the kit names {loss}"
    else:
        assert ask(server, check) == check.expected


def test_an_extension_that_the_target_does_not_offer_is_named_before_anything_is_written(
    workshop: Workshop, tmp_path: Path
) -> None:
    source = workshop.with_missing_extension(MISSING_EXTENSION)
    dump_as_the_emulator(source, tmp_path, "lacking", seekable=False)
    target = workshop.flexible_server({})
    before = everything_of(target)
    outcome = by_the_kit(tmp_path, "lacking", target, version="18.4", user=ADMINISTRATOR)
    assert outcome.stopped
    assert [line for line in outcome.lines if MISSING in line]
    assert everything_of(target) == before


def test_an_extension_that_is_not_allowed_yet_is_named_with_the_command_that_allows_it(
    workshop: Workshop, tmp_path: Path
) -> None:
    shutil.copytree(workshop.backup(COMPARED).folder, tmp_path / "restore")
    target = workshop.flexible_server({"azure.extensions": "pg_trgm,postgis"})
    before = everything_of(target)
    outcome = by_the_kit(tmp_path / "restore", PREFIX, target, version="18.4", user=ADMINISTRATOR)
    assert outcome.stopped
    told = "\n".join(outcome.lines)
    assert "az postgres flexible-server parameter set" in told
    assert "pg_trgm,postgis,vector" in told.lower().replace(", ", ",")
    assert everything_of(target) == before


def choose(workshop: Workshop, folder: Path, server: Server, *options: str) -> Outcome:
    """Restore what the options choose, from files of its own, as the administrator."""
    shutil.copytree(workshop.backup(COMPARED).folder, folder)
    return by_the_kit(folder, PREFIX, server, version="18.4", user=ADMINISTRATOR, options=options)


def test_chosen_databases_and_objects_come_alone_whatever_their_names_are(workshop: Workshop, tmp_path: Path) -> None:
    target = workshop.flexible_server({})
    databases = ("dbname=postgres", "-h elsewhere", "\\! touch pwned")
    words = [word for name in databases for word in ("--database", name)]
    assert choose(workshop, tmp_path / "databases", target, *words).end == ""
    mine = [check for check in DATABASE_NAMES.checks if check.database in databases]
    assert [ask(target, check) for check in mine] == [check.expected for check in mine]
    made = target.execute("SELECT datname::text FROM pg_database WHERE NOT datistemplate")
    assert {str(name) for (name,) in made} == {"postgres", *databases}

    table = ("--table", TRAPS, "line\nbreak s", "line\nbreak", "--table", TRAPS, "--help s", "--help")
    # The roles of the first run are as this one would make them: nothing has to be said of them.
    assert choose(workshop, tmp_path / "tables", target, *table, "--into", "of tables").end == ""
    with connect(target, "of tables") as connection:
        tables = connection.execute(
            "SELECT relname::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
            "WHERE relkind = 'r' AND nspname !~ '^pg_|^information_schema' ORDER BY 1"
        ).fetchall()
        rows = connection.execute('SELECT * FROM "line\nbreak s"."line\nbreak"').fetchall()
    assert tables == [("--help",), ("line\nbreak",)]
    assert rows == [("line\nbreak", len("line\nbreak"))]

    schema = ("--schema", TRAPS, "100%s %% %(x)s {0} s", "--into", "of a schema")
    assert choose(workshop, tmp_path / "schema", target, *schema).end == ""
    with connect(target, "of a schema") as connection:
        found = connection.execute(
            "SELECT relkind::text, count(*) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
            "WHERE nspname !~ '^pg_|^information_schema' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [("S", 1), ("i", 1), ("r", 1), ("v", 1)]
    assert not list(tmp_path.rglob("pwned*"))


def everything_of(server: Server) -> list[tuple[object, ...]]:
    return server.execute("SELECT datname::text FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1")


def test_a_role_s_name_is_a_command_to_the_documented_way_and_only_a_name_to_the_kit(
    workshop: Workshop, tmp_path: Path
) -> None:
    folder, scratch = tmp_path / "files", tmp_path / "documented"
    folder.mkdir()
    scratch.mkdir()
    name = f"{PREFIX}_roles.sql"
    # As pg_dumpall wrote it before August 2025: since then it tells psql to take no commands, and a newer psql obeys.
    lines = (workshop.backup(COMPARED).folder / name).read_text().splitlines(keepends=True)
    (folder / name).write_text("".join(x for x in lines if not x.startswith(("\\restrict", "\\unrestrict"))))
    target = workshop.flexible_server({})
    outcome = by_the_kit(folder, PREFIX, target, version="18.4", user=ADMINISTRATOR)
    assert outcome.end == ""
    assert target.execute("SELECT rolname::text FROM pg_roles WHERE rolname ~ 'azuresu.*pwned'") == [(HOSTILE,)]
    assert not list(tmp_path.rglob("pwned*"))
    documented = as_documented(folder, PREFIX, workshop.flexible_server({}), {}, scratch)
    assert [path.name for path in scratch.iterdir() if path.name != "roles.sql"] == ["pwned"]
    assert set(documented.exit_codes.values()) == {0}


def test_the_page_shows_what_the_documented_way_and_the_kit_lose(workshop: Workshop, latest: Latest) -> None:
    kit = latest.of(COMPARED)
    assert kit[1].end == ""
    table = compare_ways(workshop, kit)
    shown = RESTORE_PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    # To write it anew: python -m bench rebuild_compared
    assert shown == table.strip()
