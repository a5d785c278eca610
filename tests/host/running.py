"""A host in a thread of this process, for tests that are synchronous themselves."""

import asyncio
import json
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from local_cloud.functions_host.host import FunctionsHost, HostOptions

APPS = Path(__file__).parent / "apps"
CASES = Path(__file__).parent / "cases"


def read_cases(name: str) -> list[dict[str, Any]]:
    """Return the recorded cases of one file."""
    document = cast("dict[str, Any]", json.loads((CASES / name).read_text(encoding="utf-8")))
    return document["cases"]


class RunningHost:
    """Starts a host on entry and stops it in order at the end."""

    def __init__(self, options: HostOptions) -> None:
        self._options = options
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="host-under-test")
        self._error: BaseException | None = None
        self.host: FunctionsHost

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            async with FunctionsHost(self._options) as host:
                self.host = host
                self._started.set()
                await self._stop.wait()
        except BaseException as error:
            self._error = error
            self._started.set()
            if not self._stop.is_set():
                return
            raise
