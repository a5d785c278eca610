"""The official SDK against the door: everything is real but the wire and the waiting."""

from io import BytesIO
from typing import Any

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from azure.mgmt.dataprotection import DataProtectionMgmtClient
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from flexvault.api.app import handle
from flexvault.api.wire import Request
from tests import builders
from tests.api.doors import ORIGIN, Door


class DoorAdapter(HTTPAdapter):
    """Hands what `requests` would send to the API."""

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        body = request.body or b""
        assert isinstance(body, str | bytes)
        answer = handle(
            self._door.api,
            Request(
                method=str(request.method),
                url=str(request.url),
                headers={str(name): str(value) for name, value in request.headers.items()},
                body=body.encode() if isinstance(body, str) else body,
            ),
        )
        raw = HTTPResponse(
            body=BytesIO(answer.body), status=answer.status, headers=dict(answer.headers), preload_content=False
        )
        return self.build_response(request, raw)


class DoorTransport(RequestsTransport):
    """While the SDK waits, the vault's jobs run."""

    def __init__(self, door: Door) -> None:
        session = requests.Session()
        session.mount("https://", DoorAdapter(door))
        super().__init__(session=session, session_owner=False)
        self._door = door
        self.waits: list[float] = []

    def sleep(self, duration: float) -> None:
        self.waits.append(duration)
        self._door.run_jobs()


class PlainCredential:
    """A token credential as any program would write it."""

    def __init__(self, door: Door, person: str = "contributor", **claims: Any) -> None:
        self._door = door
        self._person = person
        self._claims = claims

    def get_token(self, *_scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._door.token(self._person, **self._claims), 0)


def sdk_client(
    door: Door, transport: DoorTransport, person: str = "contributor", **claims: Any
) -> DataProtectionMgmtClient:
    return DataProtectionMgmtClient(
        PlainCredential(door, person, **claims),
        builders.SUBSCRIPTION,
        base_url=ORIGIN,
        credential_scopes=["api://flexvault/.default"],
        transport=transport,
    )
