"""An https server that answers every request with the same bytes: for answers that no emulator should give."""

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local_cloud.certificates import Certificates

SILENCE = b""
"""No answer at all; the connection stays open until the server ends."""


@dataclass(kw_only=True)
class RawServer:
    """What was asked."""

    base_url: str
    requests: list[str] = field(default_factory=list[str])


@contextmanager
def run_raw_server(certificates: Certificates, answer: bytes) -> Generator[RawServer]:
    """Answer with `answer`, status line and headers included, and close the connection."""
    released = threading.Event()
    server = RawServer(base_url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            server.requests.append(f"{self.command} {self.path.partition('?')[0]}")
            if answer == SILENCE:
                released.wait()
            self.wfile.write(answer)
            self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the base class's name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Keep the tests' output clean."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.private_key)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    server.base_url = f"https://127.0.0.1:{listener.server_port}"
    try:
        yield server
    finally:
        released.set()
        listener.shutdown()
        thread.join()
        listener.server_close()
