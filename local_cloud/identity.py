"""The identity service: App Service's managed identity endpoint, and the pages by which others check its tokens.

The contract of the endpoint is App Service's, version 2019-08-01
(https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference), so the app's own
`ManagedIdentityCredential` works with it unchanged.
"""

import hmac
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_OID, uuid5

from local_cloud.tokens import HOST, IDENTITIES, TOKEN_LIFE_SECONDS, TokenIssuer

TOKEN_PATH = "/msi/token"
KEY_SET_PATH = "/jwks"
CONFIGURATION_PATH = "/.well-known/openid-configuration"


class IdentityService:
    """Serves tokens and keys on 127.0.0.1 from a thread of its own."""

    def __init__(self, *, port: int, issuer: TokenIssuer, header: str) -> None:
        """Listen at once.

        Args:
            port: Where to listen.
            issuer: Signs; its `people_issuer` is this service's URL.
            header: The secret that callers of the token endpoint must send.
        """
        pages = _Pages(issuer, header)
        handler = type("BoundHandler", (_Handler,), {"pages": pages})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="identity"
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _RefusedError(Exception):
    """The endpoint answers with this status and message."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        self.status = status
        super().__init__(message)


class _Pages:
    """The answers, apart from HTTP's own mechanics."""

    def __init__(self, issuer: TokenIssuer, header: str) -> None:
        self._issuer = issuer
        self._header = header

    def answer(self, target: str, given_header: str | None) -> dict[str, Any]:
        """Answer a GET with a JSON object, or raise _RefusedError."""
        url = urlsplit(target)
        if url.path == TOKEN_PATH:
            return self._token({name: values[-1] for name, values in parse_qs(url.query).items()}, given_header)
        if url.path == KEY_SET_PATH:
            return self._issuer.key_set()
        if url.path == CONFIGURATION_PATH:
            base = self._issuer.people_issuer
            return {
                "issuer": base,
                "jwks_uri": f"{base}{KEY_SET_PATH}",
                "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["token"],
                "subject_types_supported": ["pairwise"],
            }
        raise _RefusedError(HTTPStatus.NOT_FOUND, f"there is nothing at {url.path}")

    def _token(self, query: dict[str, str], given_header: str | None) -> dict[str, Any]:
        if given_header is None:
            raise _RefusedError(HTTPStatus.UNAUTHORIZED, "the header X-IDENTITY-HEADER is missing")
        if not hmac.compare_digest(given_header.encode(), self._header.encode()):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "the header X-IDENTITY-HEADER has the wrong value")
        for name in ("api-version", "resource"):
            if name not in query:
                raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the query parameter {name} is missing")
        client_id = query.get("client_id", HOST)
        if client_id not in IDENTITIES:
            message = (
                "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
            )
            raise _RefusedError(HTTPStatus.BAD_REQUEST, message)
        return {
            "access_token": self._issuer.for_identity(client_id, query["resource"]),
            "expires_on": str(int(time.time()) + TOKEN_LIFE_SECONDS),
            "resource": query["resource"],
            "token_type": "Bearer",
            "client_id": client_id,
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer: header and body apart would wait for a delayed acknowledgement
    pages: ClassVar[_Pages]

    def do_GET(self) -> None:
        """Answer one request."""
        try:
            status, answer = HTTPStatus.OK, self.pages.answer(self.path, self.headers["X-IDENTITY-HEADER"])
        except _RefusedError as refused:
            status = refused.status
            correlation = str(uuid5(NAMESPACE_OID, f"{time.time_ns()}"))
            answer = {"statusCode": int(status), "message": str(refused), "correlationId": correlation}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the parent's parameter
        """Write nothing: the query would name resources, and nobody reads it."""
