"""`python -m local_cloud.arm_emulator --config FILE`: serve until SIGTERM."""

from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.server import EmulatorServer
from local_cloud.https_server import serve_configured


def main() -> None:
    """Read the configuration, serve, and print one line of JSON once requests are answered."""
    serve_configured(
        "arm_emulator",
        "An Azure Resource Manager for one machine.",
        lambda data: EmulatorServer(EmulatorConfig.from_json(data)),
    )


if __name__ == "__main__":
    main()
