"""The emulator as an HTTPS server: in this process's main thread, or in a thread for tests."""

from local_cloud.arm_emulator.app import EmulatorApp
from local_cloud.arm_emulator.clock import Clock, utc_now
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.connections import Connections
from local_cloud.arm_emulator.emulator import Emulator
from local_cloud.https_server import HttpsServer


class EmulatorServer(HttpsServer):
    """One emulator on one loopback port.

    In tests: `with EmulatorServer(config) as server: ...`; the emulator then runs in a thread.
    """

    def __init__(self, config: EmulatorConfig, clock: Clock = utc_now) -> None:
        super().__init__("arm-emulator", config.port)
        self.base_url = (config.base_url or f"https://127.0.0.1:{self.port}").rstrip("/")
        self.emulator = Emulator(config, clock)
        connections = Connections()
        self.serve(
            EmulatorApp(self.emulator, base_url=self.base_url, connections=connections),
            certificate=config.certificate,
            private_key=config.private_key,
            http=connections.protocol,
            lifespan="off",
        )

    def close(self) -> None:
        """End all backups."""
        self.emulator.close()
