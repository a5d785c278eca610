"""`python -m local_cloud.storage_gateway --config FILE`: serve until SIGTERM."""

from local_cloud.https_server import serve_configured
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.server import GatewayServer


def main() -> None:
    """Read the configuration, serve, and print one line of JSON once requests are answered."""
    serve_configured(
        "storage_gateway",
        "The blob endpoint of the local cloud.",
        lambda data: GatewayServer(GatewayConfig.from_json(data)),
    )


if __name__ == "__main__":
    main()
