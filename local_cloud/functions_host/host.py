"""The host: one app, its HTTP front, its timers and its task hub, in this process."""

import asyncio
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from durabletask.testing.in_memory_backend import InMemoryOrchestrationBackend

from local_cloud.functions_host.durable.hub import TaskHub
from local_cloud.functions_host.durable.pump import WorkItemPump
from local_cloud.functions_host.durable.store import MemoryHubStore, SqliteHubStore
from local_cloud.functions_host.errors import MissingSettingError
from local_cloud.functions_host.http_app import HttpApp
from local_cloud.functions_host.indexing import HTTP, TIMER, Function, index_functions
from local_cloud.functions_host.listener import Listener, Tls
from local_cloud.functions_host.protos import Message
from local_cloud.functions_host.routes import ReservedRouteError, Route, RouteTable, make_route
from local_cloud.functions_host.runtime import FunctionsRuntime
from local_cloud.functions_host.schedule import Schedule, ScheduleError
from local_cloud.functions_host.settings import HostJson, read_host_json, resolve_settings
from local_cloud.functions_host.timers import Timer, TimerRunner, TimerStatusFile, WallClock

_LOG = logging.getLogger(__name__)
# As the extension tells its clients; a start with a larger input is refused by the client itself.
_CLIENT_MESSAGE_BYTES = 4194304

HubKind = Literal["sqlite", "memory", "stock"]


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """How a host is started.

    Attributes:
        app_dir: Holds function_app.py and host.json.
        state_dir: Where keys, timer statuses and the task hub are kept.
        port: For HTTP; 0 takes a free one.
        tls_port: For HTTPS; None for no such listener.
        tls: Its certificate.
        hub: `sqlite` survives a kill, `memory` does not, `stock` is durabletask's own backend, for comparison.
        redelivery_delay: See `TaskHub`; 300 s on Azure Storage.
        drain: How long a stop waits for what runs; the real host was seen to take about as long.
        keep_finished: How long finished instances stay in the hub.
        environment: App settings; the process environment by default.
    """

    app_dir: Path
    state_dir: Path
    port: int = 0
    tls_port: int | None = None
    tls: Tls | None = None
    hub: HubKind = "sqlite"
    redelivery_delay: timedelta = timedelta(seconds=2)
    drain: timedelta = timedelta(seconds=10)
    keep_finished: timedelta = timedelta(hours=1)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class FunctionsHost:
    """A running host; use it as an async context manager, one at a time per process.

    Attributes:
        port: Of HTTP.
        tls_port: Of HTTPS, or None.
        functions: What was loaded.
        disabled: Functions that do not run, each with its reason.
        client_config: Text of the durable client binding: `DurableFunctionsClient(host.client_config)`.
        keys: `default` and `_master`.
        start_seconds: From the call to `start` until everything served.
    """

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._runtime = FunctionsRuntime(options.app_dir)
        self._failure: asyncio.Future[None]
        self._running = AsyncExitStack()  # what is to be stopped, last first
        self.port = 0
        self.tls_port: int | None = None
        self.functions: list[Function] = []
        self.disabled: dict[str, str] = {}
        self.client_config = ""
        self.keys: dict[str, str] = {}
        self.start_seconds = 0.0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Load the app and serve it.

        Raises:
            HostError: The app cannot run here; the text names the function or the setting. Nothing is left running.
        """
        began = time.monotonic()
        self._failure = asyncio.get_running_loop().create_future()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        self.start_seconds = time.monotonic() - began

    async def stop(self) -> None:
        """Stop in order: no new work, some time for what runs, then the hub is closed as clean."""
        await self._running.aclose()

    async def wait_for_failure_or(self, stop: asyncio.Event) -> None:
        """Return when `stop` is set; raise what ends the host before: a full disk under the hub, for example."""
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([self._failure, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if self._failure.done():
            self._failure.result()

    async def _start(self) -> None:
        options = self._options
        drain_seconds = options.drain.total_seconds()
        host_json = read_host_json(options.app_dir, options.environment)
        self._running.callback(self._runtime.close)
        self.functions = index_functions(await self._runtime.load())
        timers = self._schedules()
        routes = self._routes(host_json.route_prefix)
        options.state_dir.mkdir(parents=True, exist_ok=True)
        self.keys = _keys(options.state_dir / "keys.json")
        hub = self._make_hub()
        self._running.push_async_callback(asyncio.to_thread, hub.stop, 1)
        self.client_config = _client_config(host_json.hub_name, hub.start())
        await self._start_pump(hub, host_json, drain_seconds)
        await self._start_listeners(RouteTable(routes))
        runner = TimerRunner(self._call_timer, TimerStatusFile(options.state_dir / "timers.json"), WallClock())
        runner.start(timers, self._fail)
        self._running.push_async_callback(runner.stop, drain_seconds)

    async def _start_pump(self, hub: InMemoryOrchestrationBackend, host_json: HostJson, drain_seconds: float) -> None:
        pump = WorkItemPump(
            hub,
            self._runtime,
            self.functions,
            client=self.client_config,
            max_activities=host_json.max_activities,
            max_orchestrators=host_json.max_orchestrators,
            on_failure=self._fail,
        )
        pump.start()
        self._running.push_async_callback(pump.stop, drain_seconds)

    async def _start_listeners(self, routes: RouteTable) -> None:
        options = self._options
        app = HttpApp(self._runtime, routes, client=self.client_config, keys=self.keys)
        self.port = await self._listen(app, options.port, None)
        if options.tls_port is not None:
            self.tls_port = await self._listen(app, options.tls_port, options.tls)

    async def _listen(self, app: HttpApp, port: int, tls: Tls | None) -> int:
        listener = Listener(app, port, tls)
        self._running.push_async_callback(listener.stop)
        await listener.start()
        return listener.port

    def _fail(self, error: BaseException) -> None:
        def set_failure() -> None:
            if not self._failure.done():
                self._failure.set_exception(error)

        self._failure.get_loop().call_soon_threadsafe(set_failure)

    def _schedules(self) -> list[Timer]:
        timers: list[Timer] = []
        for function in self.functions:
            if function.kind != TIMER:
                continue
            try:
                text = resolve_settings(str(function.trigger["schedule"]), self._options.environment)
                timers.append(Timer(function=function, schedule=Schedule.parse(text)))
            except (MissingSettingError, ScheduleError) as error:
                self._disable(function, str(error))
        return timers

    def _routes(self, prefix: str) -> list[Route]:
        routes: list[Route] = []
        for function in self.functions:
            if function.kind != HTTP:
                continue
            try:
                routes.append(make_route(function, prefix))
            except ReservedRouteError as error:
                self._disable(function, str(error))
        return routes

    def _disable(self, function: Function, reason: str) -> None:
        self.disabled[function.name] = reason
        _LOG.error("function %s is disabled: %s", function.name, reason)

    def _make_hub(self) -> InMemoryOrchestrationBackend:
        options = self._options
        if options.hub == "stock":
            return InMemoryOrchestrationBackend(port=_free_port())
        return TaskHub(
            MemoryHubStore() if options.hub == "memory" else SqliteHubStore(options.state_dir / "taskhub.db"),
            redelivery_delay=options.redelivery_delay,
            keep_finished=options.keep_finished,
            on_failure=self._fail,
        )

    async def _call_timer(self, function: Function, request: dict[str, Any]) -> None:
        await self._runtime.invoke(function, Message(json=json.dumps(request)), client=self.client_config)


def _client_config(hub_name: str, address: str) -> str:
    """Return what the Durable extension tells a client in gRPC mode; the URL must have no slash at its end."""
    return json.dumps(
        {
            "taskHubName": hub_name,
            "connectionName": None,
            "rpcBaseUrl": f"http://{address}",
            "requiredQueryStringParameters": "",
            "maxGrpcMessageSizeInBytes": _CLIENT_MESSAGE_BYTES,
        }
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _keys(path: Path) -> dict[str, str]:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({name: secrets.token_urlsafe(32) for name in ("_master", "default")}))
    return json.loads(path.read_text())
