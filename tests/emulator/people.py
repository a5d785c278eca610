"""Who calls in the tests, and an identity service that serves its keys and signs their tokens."""

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from azure.core.credentials import AccessToken

from local_cloud.tokens import SigningKey


@dataclass(frozen=True, kw_only=True)
class Person:
    """A principal."""

    object_id: str
    client_id: str


OWNER = Person(object_id="00000000-0000-0000-0000-00000000000a", client_id="owner")
CONTROL = Person(object_id="00000000-0000-0000-0000-0000000000c1", client_id="control")
STRANGER = Person(object_id="00000000-0000-0000-0000-0000000000ff", client_id="stranger")


class IdentityService:
    """Signs tokens and serves the matching JWKS over http."""

    def __init__(self, tenant_id: str) -> None:
        self.key = SigningKey.generate()
        self.fetches = 0
        self._issuer = f"https://sts.windows.net/{tenant_id}/"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.fetches += 1
                body = json.dumps({"keys": [service.key.public()]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Keep the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.jwks_url = f"http://127.0.0.1:{self._server.server_port}/jwks"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def token(self, person: Person, *, key: SigningKey | None = None, **changed: Any) -> str:
        """Sign a person's token; `changed` replaces claims, None leaves one out."""
        signed_at = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": "https://management.azure.com/",
            "iat": signed_at,
            "nbf": signed_at - 300,
            "exp": signed_at + 3600,
            "oid": person.object_id,
            "appid": person.client_id,
            **changed,
        }
        return (key or self.key).sign({name: value for name, value in claims.items() if value is not None})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A plain token credential, as azure-core asks for one."""

    identity: IdentityService
    person: Person

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://management.azure.com/.default",)
        return AccessToken(self.identity.token(self.person), int(time.time()) + 3600)
