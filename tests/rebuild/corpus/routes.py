"""From which server to which server the corpus is rebuilt, and what such a run leaves to be asked."""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from tests.rebuild.conftest import BIN, OLD_BIN, Server, ServerMaker
from tests.rebuild.corpus import SOURCES
from tests.rebuild.corpus.extensions import EXTENSIONS, MISSING
from tests.rebuild.corpus.model import ADMINISTRATOR, Check, Source
from tests.rebuild.corpus.names import DATABASE_NAMES
from tests.rebuild.corpus.run import SERVICE, connect, dump_as_the_emulator, make_platform, make_source
from tests.rebuild.corpus.ways import Outcome, as_documented, by_the_kit

PROGRAMS = {16: OLD_BIN, 18: BIN}
VERSIONS = {16: "16.14", 18: "18.4"}
PREFIX = "corpus"
_PLATFORM_ROLES = {SERVICE, "azure_pg_admin", "replication", ADMINISTRATOR, "postgres"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way from a major version to one.

    Attributes:
        is_administrator: The target is as a flexible server, rebuilt by an administrator without superuser.
        is_short: Leaves out the many databases that differ only in their names.
        seekable: The archives were written into files, with offsets; else through pipes.
    """

    source: int
    target: int
    is_administrator: bool
    seekable: bool
    is_short: bool = False

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that fit: on 16 no setting lets an administrator create the wheel's extension."""
        left_out = [EXTENSIONS] if self.is_administrator and self.target == 16 else []
        left_out += [DATABASE_NAMES] if self.is_short else []
        return tuple(source for source in SOURCES if self.source in source.majors and source not in left_out)

    def checks(self) -> list[tuple[Source, Check]]:
        return [(source, check) for source in self.sources for check in source.checks if self.source in check.majors]

    def loss(self, check: Check) -> str:
        """How the kit must name what it cannot restore on this route; empty when the check must hold."""
        loss = check.lost_always or (check.lost if self.is_administrator else "")
        return loss or (check.lost_since_17 if self.target >= 17 else "")

    def __str__(self) -> str:
        who = "administrator" if self.is_administrator else "superuser"
        return f"{self.source}-to-{self.target}-{who}-{'file' if self.seekable else 'pipe'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Files of a source, and how much is in it.

    Attributes:
        files: Exact name of a database -> its file.
        rows: Database, schema and table -> rows.
        roles: Names of the customer's roles.
    """

    folder: Path
    files: Mapping[str, Path]
    rows: Mapping[tuple[str, str, str], int]
    roles: frozenset[str]


@dataclass(kw_only=True)
class Workshop:
    """Makes what the routes need, each thing once; ends its servers with the stack."""

    run_server: ServerMaker
    scratch: Path
    open_folder: Path
    stack: ExitStack
    backups: dict[tuple[tuple[Source, ...], int, bool], Backup] = field(default_factory=dict)
    living: dict[tuple[tuple[Source, ...], int], Server] = field(default_factory=dict)

    def source(self, route: Route) -> Server:
        """Run the source of a route."""
        key = (route.sources, route.source)
        if key not in self.living:
            maker = self.run_server(PROGRAMS[route.source], SERVICE)
            server = self.stack.enter_context(maker)
            make_platform(server)
            make_source(server, route.sources)
            self.living[key] = server
        return self.living[key]

    def backup(self, route: Route) -> Backup:
        """Write the files of a route's source."""
        key = (route.sources, route.source, route.seekable)
        if key not in self.backups:
            server = self.source(route)
            folder = self.scratch / f"backup-{len(self.backups)}"
            folder.mkdir()
            files = dump_as_the_emulator(server, folder, PREFIX, seekable=route.seekable)
            self.backups[key] = Backup(folder=folder, files=files, rows=rows_of(server), roles=roles_of(server))
        return self.backups[key]

    def rebuild(
        self, route: Route, stack: ExitStack | None = None, *, documented: bool = False
    ) -> tuple[Server, Outcome]:
        """Rebuild a fresh server from the route's files; it ends with the stack, else with this workshop."""
        backup = self.backup(route)
        server = self.target(route, stack or self.stack)
        folder = self.scratch / f"restore-{server.port}"
        shutil.copytree(backup.folder, folder)
        if documented:
            scratch = self.scratch / f"documented-{server.port}"
            scratch.mkdir()
            return server, as_documented(folder, PREFIX, server, backup.files, scratch)
        user = ADMINISTRATOR if route.is_administrator else None
        return server, by_the_kit(folder, PREFIX, server, version=VERSIONS[route.source], user=user)

    def target(self, route: Route, stack: ExitStack) -> Server:
        """Run a fresh server: with superuser, or as a flexible server is to its customer."""
        programs = PROGRAMS[route.target]
        if not route.is_administrator:
            return stack.enter_context(self.run_server(programs))
        # azure_pg_admin may create each extension that azure.extensions names; here they are trusted instead.
        settings = {"extension_control_path": f"{self._trusted()}:$system"} if route.target >= 18 else {}
        server = stack.enter_context(self.run_server(programs, SERVICE, settings))
        make_platform(server)
        return server

    def with_missing_extension(self, source: Source) -> Server:
        """Run a source that has an extension which no other server offers."""
        folder = self.open_folder / "at-home" / "extension"
        folder.mkdir(parents=True)
        (folder / f"{MISSING}.control").write_text("default_version = '1'\nrelocatable = true\n")
        (folder / f"{MISSING}--1.sql").write_text("CREATE DOMAIN at_home AS text;\n")
        settings = {"extension_control_path": f"{folder.parent}:$system"}
        server = self.flexible_server(settings)
        make_source(server, [source])
        return server

    def flexible_server(self, settings: Mapping[str, str]) -> Server:
        """Run a fresh server with these server parameters, as a flexible server is to its customer."""
        server = self.stack.enter_context(self.run_server(BIN, SERVICE, settings))
        make_platform(server)
        return server

    def _trusted(self) -> Path:
        folder = self.open_folder / "trusted" / "extension"
        if not folder.exists():
            folder.mkdir(parents=True)
            for path in (BIN.parent / "share" / "postgresql" / "extension").glob("vector*"):
                shutil.copy(path, folder)
            control = folder / "vector.control"
            control.write_text(control.read_text() + "trusted = true\n")
        return folder.parent


def rows_of(server: Server) -> dict[tuple[str, str, str], int]:
    """Count the rows of every table of every database that a backup holds.

    Partitions are counted with their table: where a row of a hash partition lies depends on the server.
    """
    databases = server.execute("SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'")
    found: dict[tuple[str, str, str], int] = {}
    for (database,) in databases:
        with connect(server, str(database)) as connection:
            for schema, table in connection.execute(_TABLES).fetchall():
                count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, table))
                found[str(database), schema, table] = connection.execute(count).fetchall()[0][0]
    return found


_TABLES = """SELECT nspname::text, relname::text FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND nspname !~ '^pg_|^information_schema$'"""


def roles_of(server: Server) -> frozenset[str]:
    """Name the customer's roles."""
    found = server.execute("SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_'")
    return frozenset(str(name) for (name,) in found) - _PLATFORM_ROLES
