"""One local cloud: starts everything side by side, keeps it alive, ends it.

It belongs into the main thread of a process of its own (`processes.py` says why): `python -m local_cloud` is that
process, and `launch.py` starts it for the demo and the tests.
"""

import os
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from local_cloud.app_settings import Surroundings, build_settings
from local_cloud.apps import ALL, JANITOR, IdentityHeaders, app_settings, apps_of, folder_of
from local_cloud.certificates import Certificates, ensure_certificates, now
from local_cloud.endpoints import (
    NO_API,
    Endpoints,
    api_at,
    build_endpoints,
    remove_endpoints,
    write_endpoints,
)
from local_cloud.identity import IdentityService
from local_cloud.landscape import MAIN, SERVER_NAMES, landscapes
from local_cloud.ports import Ports
from local_cloud.postgres import START_WITHIN_SECONDS, PostgresServer
from local_cloud.processes import Child, ChildEndedError, ChildNotReadyError, Command, stop_all
from local_cloud.services import (
    ROOT,
    emulator_command,
    emulator_config,
    gateway_command,
    gateway_config,
    host_command,
)
from local_cloud.state_folder import StateFolder
from local_cloud.storage import (
    StoragePorts,
    azurite_command,
    create_content,
    is_listening,
    load_account_keys,
)
from local_cloud.storage_gateway.config import revoked_keys_file
from local_cloud.storage_gateway.rights import DEPLOYMENT
from local_cloud.tokens import STORAGE_AUDIENCE, TokenIssuer

HOST_STARTS_TRIED = 5
"""A host that ends this often in a row before it is ready ends the cloud."""

# Tokens age by the wall clock, also while the machine sleeps; so look at it this often.
_LOOK_AT_CLOCK_EVERY_SECONDS = 60


class AppNotStartedError(Exception):
    """The functions host could not start the app."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudOptions:
    """What a local cloud runs."""

    folder: Path
    """Everything kept is here, and is taken up again by the next start."""
    app: Path | None = ROOT
    """Folder with `function_app.py`; None = no host, only what surrounds one."""
    first_api_port: int | None = None
    """The app listens on the first free port from this one on; None = any free port."""
    is_split: bool = False
    """Two apps side by side, `front` and `janitor`, instead of one that does everything."""
    test_vaults: int = 0
    """How many further landscapes exist, for vaults that tests start themselves."""
    minimum_backup_seconds: float = 2.0
    """A backup of the emulator takes at least this long."""
    tokens_rewritten_after_seconds: float = 12 * 3600
    """The endpoints file gets new tokens this often, long before the old ones expire."""


class Cloud:
    """A running local cloud, from its creation on. Use it as a context manager, in the main thread."""

    def __init__(self, options: CloudOptions) -> None:
        """Claim the folder and read or make what it keeps; `start` starts the processes.

        Raises:
            FolderInUseError: another live cloud owns the folder.
        """
        self._options = options
        self._folder = StateFolder(options.folder)
        self._children: list[Child] = []
        self._logs: set[str] = set()
        self._ended: queue.SimpleQueue[Child] = queue.SimpleQueue()
        self._hosts: dict[str, Child] = {}
        self._apps = apps_of(is_split=options.is_split)
        self._identity: IdentityService | None = None
        self._ports = Ports(self._folder.path / "ports.json")
        remove_endpoints(self._folder.path)
        keys = self._folder.subfolder("keys")
        self._places = landscapes(options.test_vaults)
        accounts = [account for place in self._places for account in place.accounts]
        self._account_keys = load_account_keys(keys / "accounts.json", accounts)
        self._certificates = ensure_certificates(self._folder.subfolder("tls"), now())
        self._storage_ports = StoragePorts(
            blob=self._ports.take("blob"), table=self._ports.take("table"), queue=self._ports.take("queue")
        )
        self._headers = IdentityHeaders.load(keys)
        self._around = self._surroundings(self._certificates)
        self._issuer = TokenIssuer.load(keys, self._around.identity_url)
        self._servers = [self._server(name) for name in SERVER_NAMES]
        self._api_ports = (self._ports.take("api", first=options.first_api_port), self._ports.take("apiTls"))

    def __enter__(self) -> Self:
        """Answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self.close()

    def start(self) -> Endpoints:
        """Start everything, wait until all of it is ready, and describe it in the endpoints file.

        Raises:
            ChildEndedError, ChildNotReadyError, PostgresSetupError, StorageNotCreatedError: a service failed.
            AppNotStartedError: the app failed.
        """
        app = self._options.app
        if app and not (app / "function_app.py").exists():
            raise AppNotStartedError(f"there is no function_app.py in {app}")
        self._identity = IdentityService(
            port=self._ports.take("identity"), issuer=self._issuer, callers=self._headers.callers()
        )
        azurite = self._spawn(self._azurite_command())
        emulator = self._spawn(self._emulator_command())
        gateway = self._spawn(self._gateway_command())
        work: list[Callable[[], object]] = [
            lambda: self._prepare_storage(azurite, gateway),
            lambda: emulator.wait_ready(START_WITHIN_SECONDS),
        ]
        for server in self._servers:
            server.initialise()
            child = self._spawn(server.command())
            work.append(lambda server=server, child=child: _prepare_server(server, child))
        self._run_together(work)
        if app:
            for name in self._apps:
                self._start_host(app, name)
        return self._publish(azurite, emulator, gateway)

    def supervise(self) -> None:
        """Restart the host whenever it dies, until this thread is interrupted or another child dies.

        Raises:
            ChildEndedError: a child ended that cannot be replaced.
            AppNotStartedError: the host dies again and again before it is ready.
        """
        azurite, emulator, gateway = self._children[:3]
        rewritten_at = time.time()
        while True:
            ended = self._wait_for_end()
            if ended in self._children:
                ended.raise_if_ended()
            name = next((name for name, host in self._hosts.items() if host is ended), "")
            if name and self._options.app:
                self._start_host(self._options.app, name)
            elif time.time() < rewritten_at + self._options.tokens_rewritten_after_seconds:
                continue
            self._publish(azurite, emulator, gateway)
            rewritten_at = time.time()

    def close(self) -> None:
        """End every child, the app before what it needs; remove the endpoints file."""
        remove_endpoints(self._folder.path)
        self._stop_children()
        if self._identity:
            self._identity.close()
        self._ports.close()
        self._folder.release()

    def _wait_for_end(self) -> Child | None:
        """Wait for a child's end, but no longer than until the clock must be looked at."""
        timeout = min(_LOOK_AT_CLOCK_EVERY_SECONDS, self._options.tokens_rewritten_after_seconds)
        try:
            return self._ended.get(timeout=timeout)
        except queue.Empty:
            return None

    def _stop_children(self) -> None:
        stop_all(self._hosts.values())
        stop_all(self._children)

    def _spawn(self, command: Command) -> Child:
        child = Child(command, on_end=self._ended.put)
        self._children.append(child)
        return child

    def _start_host(self, app: Path, name: str) -> None:
        folder = folder_of(name)
        command = host_command(
            app=app,
            state=self._folder.subfolder(folder),
            ports=self._api_ports if name == self._apps[0] else (0, 0),
            certificates=self._certificates,
            settings=app_settings(name, build_settings(MAIN, self._around), self._headers),
            log=self._log(folder),
            lock=(self._folder.children_lock,),
        )
        failure: Exception | None = None
        for attempt in range(HOST_STARTS_TRIED if name in self._hosts else 1):
            time.sleep(attempt * 0.5)
            host = self._hosts[name] = Child(command, on_end=self._ended.put)
            try:
                host.wait_ready(START_WITHIN_SECONDS)
            except (ChildEndedError, ChildNotReadyError) as error:
                failure = error
                host.kill()
            else:
                return
        raise AppNotStartedError(f"the app did not start: {failure}")

    def _publish(self, azurite: Child, emulator: Child, gateway: Child) -> Endpoints:
        door = self._hosts.get(self._apps[0])
        endpoints = build_endpoints(
            MAIN,
            self._around,
            api=api_at(door.wait_ready(0)) if door else NO_API,
            issuer=self._issuer,
            keys=self._account_keys,
            postgres={server.name: server.url for server in self._servers},
            pids={
                "cloud": os.getpid(),
                "host": door.pid if door else None,
                "azurite": azurite.pid,
                "gateway": gateway.pid,
                "emulator": emulator.pid,
            },
        )
        if JANITOR in self._hosts:
            endpoints["pids"]["janitor"] = self._hosts[JANITOR].pid
        write_endpoints(self._folder.path, endpoints)
        return endpoints

    def _run_together(self, work: Sequence[Callable[[], object]]) -> None:
        """Do all of it side by side; at the first failure end the children, so that the others fail at once."""
        with ThreadPoolExecutor(max_workers=len(work)) as pool:
            futures = [pool.submit(job) for job in work]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                self._stop_children()
                raise

    def _prepare_storage(self, azurite: Child, gateway: Child) -> None:
        ports = self._storage_ports
        azurite.wait_until(lambda: is_listening(ports.blob, ports.table), START_WITHIN_SECONDS)
        gateway.wait_ready(START_WITHIN_SECONDS)
        token = self._issuer.for_identity(DEPLOYMENT, STORAGE_AUDIENCE)
        create_content(MAIN, self._around, token)

    def _surroundings(self, certificates: Certificates) -> Surroundings:
        return Surroundings(
            identity_url=f"http://127.0.0.1:{self._ports.take('identity')}",
            identity_header=self._headers.by_app[ALL],
            arm_url=f"https://127.0.0.1:{self._ports.take('arm')}",
            blob_url=f"https://127.0.0.1:{self._ports.take('gateway')}",
            table_url=f"https://127.0.0.1:{self._storage_ports.table}",
            authority=certificates.authority,
        )

    def _server(self, name: str) -> PostgresServer:
        return PostgresServer(
            name=name,
            folder=self._folder.subfolder("postgres", 0o711) / name,
            port=self._ports.take(name),
            log=self._log(name),
            lock=(self._folder.children_lock,),
        )

    def _azurite_command(self) -> Command:
        return azurite_command(
            folder=self._folder.subfolder("azurite"),
            ports=self._storage_ports,
            certificates=self._certificates,
            keys=self._account_keys,
            log=self._log("azurite"),
            lock=self._folder.children_lock,
        )

    def _gateway_command(self) -> Command:
        config = gateway_config(
            self._places,
            self._around,
            ports=(self._ports.take("gateway"), self._storage_ports.blob),
            state=self._folder.subfolder("gateway"),
            certificates=self._certificates,
            keys=self._account_keys,
        )
        return gateway_command(config, log=self._log("gateway"), lock=self._folder.children_lock)

    def _emulator_command(self) -> Command:
        config = emulator_config(
            self._places,
            self._around,
            port=self._ports.take("arm"),
            state=self._folder.subfolder("emulator"),
            certificates=self._certificates,
            postgres_urls={server.name: server.url for server in self._servers},
            minimum_backup_seconds=self._options.minimum_backup_seconds,
            revoked_keys=revoked_keys_file(self._folder.subfolder("gateway")),
        )
        return emulator_command(config, log=self._log("emulator"), lock=self._folder.children_lock)

    def _log(self, name: str) -> Path:
        """Answer a child's log, emptied when this cloud asks for it first; a restarted host adds to its own."""
        log = self._folder.subfolder("logs") / f"{name}.log"
        if name not in self._logs:
            self._logs.add(name)
            log.unlink(missing_ok=True)
        return log


def _prepare_server(server: PostgresServer, child: Child) -> None:
    child.wait_until(server.is_ready, START_WITHIN_SECONDS)
    server.seed()
