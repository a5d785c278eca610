"""An https server of the standard library in a thread, for answers that no emulator should give."""

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local_cloud.certificates import Certificates


class QuietHandler(BaseHTTPRequestHandler):
    """Base of what answers: keeps the tests' output clean."""

    def read_body(self) -> bytes:
        """Read what the request sent."""
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def serve(certificates: Certificates, handler: type[QuietHandler]) -> Generator[str]:
    """Answer requests until the block ends, and give the base URL; what still answers then is waited for."""
    listener = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.private_key)
    listener.socket = context.wrap_socket(listener.socket, server_side=True)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.server_port}"
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
