"""A running emulator with the clients that tests use, and the account that backups land in."""

import ssl
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from azure.core.exceptions import HttpResponseError
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

from local_cloud.arm_emulator.server import EmulatorServer
from local_cloud.certificates import now
from tests.emulator.people import OWNER, Credential, IdentityService, Person
from tests.emulator.places import GROUP, SERVER_ID, SUBSCRIPTION

API_VERSION = "2025-08-01"
SAS_THAT_LEADS_NOWHERE = "https://127.0.0.1:1/landing/c0?sr=c&sp=rcw&se=2999-01-01T00%3A00Z&sig=c2VjcmV0"


class MovableClock:
    """The machine's time plus what a test has moved it by."""

    def __init__(self) -> None:
        self._moved = timedelta()

    def __call__(self) -> datetime:
        return now() + self._moved

    def move(self, **by: float) -> None:
        self._moved += timedelta(**by)


class World:
    """One emulator and its clients."""

    def __init__(self, server: EmulatorServer, identity: IdentityService) -> None:
        self.server = server
        self.identity = identity
        self.ca = str(server.emulator.config.ca_file)
        server.start()
        self.http = httpx.Client(
            base_url=server.base_url, verify=ssl.create_default_context(cafile=self.ca), trust_env=False
        )
        self._clients: list[Any] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        self.server.stop()

    def leave(self) -> None:
        """Close the clients and let the server end soon; leaving the block waits for it."""
        for client in self._clients:
            client.close()
        self.http.close()
        self.server.ask_to_stop()

    def postgres(self, person: Person = OWNER) -> Any:
        # Any: the SDK takes plain dicts, its annotations do not.
        return self._keep(
            PostgreSQLManagementClient(
                Credential(identity=self.identity, person=person),
                SUBSCRIPTION,
                self.server.base_url,
                connection_verify=self.ca,
                polling_interval=0,
                retry_total=0,
            )
        )

    def authorization(self, person: Person = OWNER) -> Any:
        # Any: the SDK's operations are unions over all its API versions.
        return self._keep(
            AuthorizationManagementClient(
                credential=Credential(identity=self.identity, person=person),
                subscription_id=SUBSCRIPTION,
                base_url=self.server.base_url,
                connection_verify=self.ca,
                retry_total=0,
            )
        )

    def arm(self, method: str, path: str, *, person: Person = OWNER, json: Any = None, **query: str) -> httpx.Response:
        """Send a bare request; the path is everything after the host."""
        headers = {"Authorization": f"Bearer {self.identity.token(person)}"}
        params = {"api-version": API_VERSION, **query}
        return self.http.request(method, path, params=params, headers=headers, json=json)

    def start_backup(self, name: str, *sas_urls: str, person: Person = OWNER) -> httpx.Response:
        return self.arm("POST", f"{SERVER_ID}/startLtrBackup", person=person, json=start_body(name, *sas_urls))

    def operation(self, name: str) -> dict[str, Any]:
        return self.arm("GET", f"{SERVER_ID}/ltrBackupOperations/{name}").raise_for_status().json()["properties"]

    def order(self, fault: str, *, times: int | None = 1, match: Mapping[str, str] | None = None, **more: Any) -> int:
        """Order a fault and return its id."""
        body = {"fault": fault, "match": match or {}, "times": times, **more}
        return self.http.post("/_emulator/faults", json=body).raise_for_status().json()["id"]

    def clear_faults(self) -> None:
        self.http.delete("/_emulator/faults").raise_for_status()

    def change_server(self, name: str, **changes: Any) -> httpx.Response:
        return self.http.post(f"/_emulator/servers/{name}", json=changes)

    def log(self) -> dict[str, Any]:
        return self.http.get("/_emulator/log").raise_for_status().json()

    def wait_for_backups(self) -> None:
        self.server.emulator.runner.wait(20)

    def _keep[Client](self, client: Client) -> Client:
        self._clients.append(client)
        return client


def start_body(name: str, *sas_urls: str) -> dict[str, Any]:
    urls = list(sas_urls) or [SAS_THAT_LEADS_NOWHERE]
    return {"backupSettings": {"backupName": name}, "targetDetails": {"sasUriList": urls}}


def server_path(name: str = "pg-orders") -> tuple[str, str]:
    """Return what the SDK calls a server by: its group and name."""
    return GROUP, name


class Landing:
    """The storage account that backups land in."""

    def __init__(self, url: str, key: str, ca: Path) -> None:
        self._url = url
        self._key = key
        self._service: Any = BlobServiceClient(url, credential=key, connection_verify=str(ca), retry_total=0)

    def sas(self, container: str, *, permissions: str = "racwl", expires_in: timedelta = timedelta(hours=1)) -> str:
        """Create a container, unless it exists, and return its SAS URL."""
        try:
            self._service.create_container(container)
        except HttpResponseError as error:
            assert error.status_code == 409  # noqa: PT017 - anything else is the test's failure
        account = self._url.rpartition("/")[2]
        token = generate_container_sas(
            account,
            container,
            account_key=self._key,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=now() + expires_in,
        )
        return f"{self._url}/{container}?{token}"

    def files(self, container: str) -> dict[str, bytes]:
        """Return what lies in a container."""
        client = self._service.get_container_client(container)
        return {name: client.download_blob(name).readall() for name in client.list_blob_names()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.close()
