"""The gateway as an HTTPS server: in this process's main thread, or in a thread for tests."""

from collections.abc import Callable
from datetime import datetime

from local_cloud.https_server import HttpsServer
from local_cloud.storage_gateway.app import GatewayApp
from local_cloud.storage_gateway.clock import utc_now
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.gateway import Gateway


class GatewayServer(HttpsServer):
    """One gateway on one loopback port.

    In tests: `with GatewayServer(config) as server: ...`; the gateway then runs in a thread, and its clock and its
    switch are `server.gateway.clock` and `server.gateway.base_name_delete`.
    """

    def __init__(self, config: GatewayConfig, now: Callable[[], datetime] = utc_now) -> None:
        super().__init__("storage-gateway", config.port)
        self.url = f"https://127.0.0.1:{self.port}"
        self.gateway = Gateway.build(config, self.port, now)
        self.serve(
            GatewayApp(self.gateway),
            certificate=config.certificate,
            private_key=config.private_key,
            lifespan="on",
            date_header=False,  # the gateway's own clock writes it
        )
