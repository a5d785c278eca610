"""The command over the API itself, in memory."""

from collections.abc import Callable

import httpx
from flexvault_cli.main import run

from flexvault.api.app import handle
from flexvault.api.wire import Request
from tests.api.doors import ORIGIN, VAULT_ID, Door

type Flexvault = Callable[..., int]


def run_against(door: Door) -> Flexvault:
    """Answer what runs the command as a person; while it waits, the vault's jobs run."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent = Request(method=request.method, url=str(request.url), headers=dict(request.headers), body=request.content)
        answered = handle(door.api, sent)
        return httpx.Response(answered.status, headers=dict(answered.headers), content=answered.body)

    def call(*words: str, person: str = "contributor") -> int:
        environ = {
            "FLEXVAULT_API_URL": ORIGIN,
            "FLEXVAULT_TOKEN": door.token(person),
            "FLEXVAULT_VAULT_RESOURCE_ID": VAULT_ID,
        }
        transport = httpx.MockTransport(answer)
        return run(words, environ=environ, transport=transport, sleep=lambda _seconds: door.run_jobs())

    return call
