"""Call any method of the SDK by its name, with the sync or the aio client, and keep what it answered and asked for."""

import asyncio
import inspect
import ssl
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import aiohttp
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from azure.mgmt.dataprotection.aio import DataProtectionMgmtClient as AioClient

from local_cloud.launch import VaultHost

POLLING_SECONDS = 0.2


class Driver(Protocol):
    """One flavour of the SDK."""

    flavour: str
    client: Any
    asked: set[tuple[str, str]]
    """Method and path below `/api` of every request that was sent."""
    called: set[str]
    """Every method of the SDK that was called, such as `backup_instances.get`."""

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method; a poller is followed to its end, of a list every page is read."""
        ...

    def close(self) -> None:
        """Close the client."""
        ...


def methods(client: object) -> dict[str, list[str]]:
    """Answer every operation that a client has, with the names of its arguments."""
    return {
        f"{group}.{name}": [argument for argument in inspect.signature(method).parameters if argument != "kwargs"]
        for group, operations in vars(client).items()
        if type(operations).__module__.endswith("._operations")
        for name, method in inspect.getmembers(operations, inspect.ismethod)
        if not name.startswith("_")
    }


class SyncDriver:
    """`azure.mgmt.dataprotection`."""

    flavour = "sync"

    def __init__(self, vault: VaultHost, person: str = "contributor") -> None:
        self.asked: set[tuple[str, str]] = set()
        self.called: set[str] = set()
        self.client = DataProtectionMgmtClient(
            _Token(vault.endpoints["people"][person]),
            _subscription(vault),
            base_url=str(vault.endpoints["apiTls"]),
            connection_verify=vault.endpoints["storage"]["ca"],
            polling_interval=POLLING_SECONDS,
            raw_request_hook=_recorder(vault, self.asked),
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.called.add(method)
        group, _, name = method.partition(".")
        answer = getattr(getattr(self.client, group), name)(*args, **kwargs)
        if name.startswith("begin_"):
            return answer.result()
        return list(answer) if hasattr(answer, "by_page") else answer

    def close(self) -> None:
        self.client.close()


class AioDriver:
    """`azure.mgmt.dataprotection.aio` over aiohttp."""

    flavour = "aio"

    def __init__(self, vault: VaultHost, person: str = "contributor") -> None:
        self.asked: set[tuple[str, str]] = set()
        self.called: set[str] = set()
        self._runner = asyncio.Runner()
        self.client = self._run(self._connect(vault, person))

    async def _connect(self, vault: VaultHost, person: str) -> AioClient:
        trusted = ssl.create_default_context(cafile=vault.endpoints["storage"]["ca"])
        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
        return AioClient(
            _AioToken(vault.endpoints["people"][person]),
            _subscription(vault),
            base_url=str(vault.endpoints["apiTls"]),
            transport=AioHttpTransport(session=session),
            polling_interval=POLLING_SECONDS,
            raw_request_hook=_recorder(vault, self.asked),
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        self.called.add(method)
        group, _, name = method.partition(".")

        async def run() -> Any:
            answer: Any = getattr(getattr(self.client, group), name)(*args, **kwargs)
            if hasattr(answer, "by_page"):
                return [item async for item in answer]
            answer = await answer
            return await answer.result() if name.startswith("begin_") else answer

        return self._run(run())

    def close(self) -> None:
        self._run(self.client.close())
        self._runner.close()

    def _run[Answer](self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self._runner.run(work)


class _Token:
    """The credential of somebody who has a token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)


class _AioToken:
    def __init__(self, token: str) -> None:
        self._token = token

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        return AccessToken(self._token, int(time.time()) + 3600)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Nothing is open."""


def _subscription(vault: VaultHost) -> str:
    return str(vault.endpoints["vaultResourceId"]).split("/")[2]


def _recorder(vault: VaultHost, asked: set[tuple[str, str]]) -> Callable[[Any], None]:
    prefix = urlsplit(str(vault.endpoints["apiTls"])).path

    def record(request: Any) -> None:
        path = urlsplit(request.http_request.url).path
        assert path.startswith(prefix)
        asked.add((request.http_request.method, path.removeprefix(prefix)))

    return record
