"""`python -m local_cloud.arm_emulator --config FILE`: serve until SIGTERM."""

import argparse
import json
import sys
from pathlib import Path

from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.server import EmulatorServer


def main() -> None:
    """Read the configuration, serve, and print one line of JSON once requests are answered."""
    parser = argparse.ArgumentParser(prog="arm_emulator", description="An Azure Resource Manager for one machine.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see local_cloud/arm_emulator/config.py")
    arguments = parser.parse_args()
    server = EmulatorServer(EmulatorConfig.from_file(arguments.config))

    def announce() -> None:
        print(json.dumps({"ready": True, "port": server.port}), flush=True)

    server.run(announce)
    sys.exit(0)


if __name__ == "__main__":
    main()
