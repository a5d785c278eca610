"""The local authority: strict clients accept its certificate, and nobody has to renew it by hand."""

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import requests

from local_cloud.certificates import Certificates, ensure_certificates, now

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the parent's parameter
        """Write nothing."""


@contextmanager
def https_server(certificates: Certificates) -> Generator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.private_key)
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_requests_and_httpx_accept_the_certificate(tmp_path: Path, host: str) -> None:
    certificates = ensure_certificates(tmp_path, now())

    with https_server(certificates) as port:
        url = f"https://{host}:{port}/"
        assert requests.get(url, verify=str(certificates.authority), timeout=5).status_code == 204
        context = ssl.create_default_context(cafile=certificates.authority)
        assert context.verify_flags & ssl.VERIFY_X509_STRICT
        assert httpx.get(url, verify=context).status_code == 204


def test_a_client_that_trusts_another_authority_refuses_it(tmp_path: Path) -> None:
    certificates = ensure_certificates(tmp_path / "one", now())
    other = ensure_certificates(tmp_path / "other", now())

    with https_server(certificates) as port, pytest.raises(requests.exceptions.SSLError):
        requests.get(f"https://127.0.0.1:{port}/", verify=str(other.authority), timeout=5)


@pytest.mark.parametrize(
    ("later", "keeps_authority", "keeps_server"),
    [
        pytest.param(timedelta(days=300), True, True, id="still good: both kept"),
        pytest.param(timedelta(days=370), True, False, id="server's about to end: only that one made anew"),
        pytest.param(timedelta(days=3630), False, False, id="authority about to end: both made anew"),
        pytest.param(timedelta(days=-2), False, False, id="clock set back: both made anew"),
    ],
)
def test_what_is_about_to_end_is_renewed(
    tmp_path: Path, later: timedelta, *, keeps_authority: bool, keeps_server: bool
) -> None:
    files = ensure_certificates(tmp_path, AS_OF)
    authority, server = (tmp_path / "ca.pem").read_bytes(), files.certificate.read_bytes()

    ensure_certificates(tmp_path, AS_OF + later)

    assert ((tmp_path / "ca.pem").read_bytes() == authority) is keeps_authority
    assert (files.certificate.read_bytes() == server) is keeps_server


def test_only_the_owner_reads_the_keys(tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path, AS_OF)

    assert files.private_key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ca-key.pem").stat().st_mode & 0o777 == 0o600
