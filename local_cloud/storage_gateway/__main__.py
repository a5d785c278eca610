"""`python -m local_cloud.storage_gateway --config FILE`: serve until SIGTERM."""

import argparse
import json
from pathlib import Path

from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.server import GatewayServer


def main() -> None:
    """Read the configuration, serve, and print one line of JSON once requests are answered."""
    parser = argparse.ArgumentParser(prog="storage_gateway", description="The blob endpoint of the local cloud.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see storage_gateway/config.py")
    arguments = parser.parse_args()
    server = GatewayServer(GatewayConfig.from_file(arguments.config))

    def announce() -> None:
        print(json.dumps({"ready": True, "port": server.port}), flush=True)

    server.run(announce)


if __name__ == "__main__":
    main()
