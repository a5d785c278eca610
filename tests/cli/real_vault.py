"""The command against the API itself, in memory."""

from collections.abc import Callable

import httpx
from flexvault_cli.main import run

from flexvault.api.app import handle
from flexvault.api.wire import Request
from tests.api.doors import ORIGIN, VAULT_ID, Door

type Flexvault = Callable[..., int]


class RealVault:
    """Runs the command as a person; while it waits, the vault's jobs run.

    Attributes:
        sent: Method and path of every request.
        before: Called with each request before it is answered.
    """

    def __init__(self, door: Door) -> None:
        self.door = door
        self.sent: list[tuple[str, str]] = []
        self.before: Callable[[httpx.Request], None] = lambda _request: None

    def run(self, *words: str, person: str = "contributor") -> int:
        environ = {
            "FLEXVAULT_API_URL": ORIGIN,
            "FLEXVAULT_TOKEN": self.door.token(person),
            "FLEXVAULT_VAULT_RESOURCE_ID": VAULT_ID,
        }
        transport = httpx.MockTransport(self._answer)
        return run(words, environ=environ, transport=transport, sleep=lambda _seconds: self.door.run_jobs())

    def changes(self) -> list[str]:
        """Answer the paths of what was sent to be changed, below the vault."""
        return [path.rpartition(f"{VAULT_ID}/")[2] for method, path in self.sent if method == "PUT"]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.before(request)
        self.sent.append((request.method, request.url.path))
        sent = Request(method=request.method, url=str(request.url), headers=dict(request.headers), body=request.content)
        answered = handle(self.door.api, sent)
        return httpx.Response(answered.status, headers=dict(answered.headers), content=answered.body)
