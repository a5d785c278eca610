"""An https server that answers every request with the same bytes: for answers that no emulator should give."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local_cloud.certificates import Certificates
from tests.contract.https_thread import QuietHandler, serve

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

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - what the base class calls
            self.read_body()
            server.requests.append(f"{self.command} {self.path.partition('?')[0]}")
            if answer == SILENCE:
                released.wait()
            self.wfile.write(answer)
            self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the base class's name

    with serve(certificates, Handler) as server.base_url:
        try:
            yield server
        finally:
            released.set()
