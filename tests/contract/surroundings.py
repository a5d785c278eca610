"""Real parts for the contract suite: the storage gateway over Azurite, and credentials that the local cloud signed."""

import os
import socket
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from flexvault.domain import blob_names, row_keys
from local_cloud.app_settings import Surroundings
from local_cloud.certificates import Certificates, ensure_certificates, now
from local_cloud.identity import IdentityService
from local_cloud.landscape import MAIN
from local_cloud.processes import Child
from local_cloud.services import gateway_config
from local_cloud.storage import StoragePorts, azurite_command, is_listening, load_account_keys
from local_cloud.storage_gateway.config import GatewayConfig
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.rights import DEPLOYMENT
from local_cloud.storage_gateway.server import GatewayServer
from local_cloud.tokens import TokenIssuer

START_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A token credential of one identity."""

    issuer: TokenIssuer
    client_id: str

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        resource = scopes[0].removesuffix(".default")
        return AccessToken(self.issuer.for_identity(self.client_id, resource), int(time.time()) + 3600)


@dataclass(frozen=True, kw_only=True)
class Azurite:
    """A running Azurite with the accounts of the main landscape, and the storage gateway before it."""

    ports: StoragePorts
    certificates: Certificates
    issuer: TokenIssuer
    gateway_url: str
    gateway: Gateway

    def blob_endpoint(self, account: str) -> str:
        return f"{self.gateway_url}/{account}"

    @property
    def table_endpoint(self) -> str:
        return f"https://127.0.0.1:{self.ports.table}/{MAIN.app}"

    def identity(self, client_id: str) -> Identity:
        return Identity(issuer=self.issuer, client_id=client_id)


@contextmanager
def run_azurite(folder: Path, *, again: bool = False) -> Generator[Azurite]:
    """Run an Azurite with the vault's containers and tables, and the gateway before it; or those that ran before."""
    certificates = ensure_certificates(folder / "tls", now())
    issuer = TokenIssuer.load(folder / "keys", f"http://127.0.0.1:{free_port()}")
    keys = load_account_keys(folder / "accounts.json", MAIN.accounts)
    ports = StoragePorts(blob=free_port(), table=free_port(), queue=free_port())
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
    child = Child(
        azurite_command(
            folder=folder / "state",
            ports=ports,
            certificates=certificates,
            keys=keys,
            log=folder / "azurite.log",
            lock=lock,
        )
    )
    try:
        child.wait_until(lambda: is_listening(ports.blob, ports.table), START_SECONDS)
        with run_gateway(folder, ports, certificates, issuer, keys) as server:
            azurite = Azurite(
                ports=ports, certificates=certificates, issuer=issuer, gateway_url=server.url, gateway=server.gateway
            )
            if not again:
                create_content(azurite)
            yield azurite
    finally:
        child.stop()
        os.close(lock)


@contextmanager
def run_gateway(
    folder: Path, ports: StoragePorts, certificates: Certificates, issuer: TokenIssuer, keys: Mapping[str, str]
) -> Generator[GatewayServer]:
    """Run the gateway in a thread, and the identity service whose keys it asks for."""
    around = Surroundings(
        identity_url=issuer.people_issuer,
        identity_header="",
        arm_url="",
        blob_url="",
        table_url="",
        authority=certificates.authority,
    )
    config = gateway_config(
        [MAIN], around, ports=(0, ports.blob), state=folder / "gateway", certificates=certificates, keys=keys
    )
    identity = IdentityService(port=int(issuer.people_issuer.rpartition(":")[2]), issuer=issuer, callers={})
    with closing(identity), GatewayServer(GatewayConfig.from_json(config)) as server:
        yield server


def create_content(azurite: Azurite) -> None:
    """Create the containers and tables that the deployment creates in Azure."""
    owner, trust = azurite.identity(DEPLOYMENT), str(azurite.certificates.authority)
    containers = [(MAIN.vault, name) for name in blob_names.CONTAINERS] + [(MAIN.restore, "restores")]
    # Any: the SDK's methods that create are typed in part only.
    service: Any
    for account, container in containers:
        with BlobServiceClient(azurite.blob_endpoint(account), owner, connection_verify=trust) as service:
            service.create_container(container)
    with TableServiceClient(azurite.table_endpoint, credential=owner, connection_verify=trust) as service:
        for table in row_keys.TABLES:
            service.create_table(table)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
