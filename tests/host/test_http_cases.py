"""What the real host answered to HTTP requests, asked again here."""

import base64
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest

from local_cloud.functions_host.host import HostOptions
from local_cloud.functions_host.http_app import MAX_BODY_BYTES
from tests.host.running import APPS, RunningHost, read_cases

KEYS = {"_master": "masterkey==", "default": "hostkey=="}
CASES = read_cases("http.json")
RAW_CASES = read_cases("http_raw.json")


class Served:
    """Serves one app at a time: the runtime holds one per process, and the cases come app by app."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._app = ""
        self._running = ExitStack()
        self._port = 0

    def port_of(self, app: str) -> int:
        if app != self._app:
            self.stop()
            options = HostOptions(app_dir=APPS / app, state_dir=self._state, hub="memory")
            self._port = self._running.enter_context(RunningHost(options)).host.port
            self._app = app
        return self._port

    def stop(self) -> None:
        self._running.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    state = tmp_path_factory.mktemp("state")
    (state / "keys.json").write_text(json.dumps(KEYS))
    served = Served(state)
    yield served
    served.stop()


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case['app']}:{case['id']}") for case in CASES])
def test_a_request_is_answered_as_the_real_host_answered_it(served: Served, case: dict[str, Any]) -> None:
    answer, body = ask(served.port_of(case["app"]), case)

    assert answer.status == case["status"]
    assert headers_of(answer, case["method"]) == expected_headers(case)
    if "json" in case:
        assert comparable(json.loads(body), case) == case["json"]
    elif "answer_sha256" in case:
        assert hashlib.sha256(body).hexdigest() == case["answer_sha256"]
    elif "answer_base64" in case:
        assert body == base64.b64decode(case["answer_base64"])
    elif "body" in case:
        assert body.decode() == case["body"]


def ask(port: int, case: dict[str, Any]) -> tuple[http.client.HTTPResponse, bytes]:
    body = (
        b"z" * case["body_size_bytes"] if "body_size_bytes" in case else base64.b64decode(case.get("body_base64", ""))
    )
    headers = {"Host": "HOST"} | case.get("headers", {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest(case["method"], case["path"], skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            for each in cast("list[str]", value) if isinstance(value, list) else [value]:
                connection.putheader(name, each)
        if "body_base64" in case or body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def headers_of(answer: http.client.HTTPResponse, method: str) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    for name, value in answer.getheaders():
        known = headers.get(name)
        headers[name] = value if known is None else [*(known if isinstance(known, list) else [known]), value]
    # h11 announces the body that a GET would have; Kestrel does not. Neither sends it.
    dropped = {"date", "connection"} | ({"transfer-encoding", "content-length"} if method == "HEAD" else set[str]())
    return {name.lower(): value for name, value in headers.items() if name.lower() not in dropped}


def expected_headers(case: dict[str, Any]) -> dict[str, Any]:
    headers = {name.lower(): value for name, value in case["answer_headers"].items()}
    if case["path"] == "/" and headers.get("content-type") == "text/html":
        headers["content-length"] = "74"  # the local home page is a short one
    return headers


def comparable(seen: Any, case: dict[str, Any]) -> Any:
    if "body_size_bytes" in case:
        del seen["sha256"]
    return seen


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in RAW_CASES])
def test_bytes_that_no_client_sends_are_answered_as_the_real_host_did(served: Served, case: dict[str, Any]) -> None:
    # An interim answer to `Expect: 100-continue` is the server's choice.
    answer = exchange(served.port_of("routes"), case["raw"].encode("latin-1")).removeprefix(
        "HTTP/1.1 100 Continue\r\n\r\n"
    )

    assert answer.splitlines()[0] == case["answer"]
    if case["body"]:
        assert json.loads(next(line for line in answer.splitlines() if line.startswith("{"))) == json.loads(
            case["body"]
        )


def exchange(port: int, request: bytes) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        pytest.param(
            f"POST /api/echo/b HTTP/1.1\r\nHost: h\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n",
            500,
            id="over 100 MiB",
        ),
        pytest.param(f"GET /api/echo/{'a' * 9000} HTTP/1.1\r\nHost: h\r\n\r\n", 414, id="path of 9,000 characters"),
    ],
)
def test_what_is_too_large_is_refused_without_a_body_and_the_connection_ends(
    served: Served, request_text: str, status: int
) -> None:
    head, _, body = exchange(served.port_of("routes"), request_text.encode()).partition("\r\n\r\n")

    assert (head.split(" ")[1], body) == (str(status), "")


def test_a_body_that_breaks_off_never_reaches_a_function(served: Served) -> None:
    broken = b"POST /api/echo/b HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", served.port_of("routes")), timeout=10) as connection:
        connection.sendall(broken)
        connection.shutdown(socket.SHUT_WR)

        assert b" 200 " not in b"".join(iter(lambda: connection.recv(65536), b""))
