"""What lies in a vault's storage accounts, read and changed by nobody that the vault knows.

That is with the account keys, and in the vault account, which accepts none, as its owner.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken, AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from local_cloud.endpoints import BlobAccount
from local_cloud.launch import VaultHost


@dataclass(frozen=True)
class StaticToken:
    """A credential that has one token."""

    token: str

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(self.token, int(time.time()) + 3600)


class Accounts:
    """The landing, vault, restore and app accounts of one vault."""

    def __init__(self, vault: VaultHost) -> None:
        """Connect with the account keys, and to the vault account as its owner."""
        self._open = ExitStack()
        storage = vault.endpoints["storage"]
        trust = self._trust = storage["ca"]
        self._vault, self._cloud_folder = storage["vault"], vault.folder.parent.parent
        app = storage["app"]
        # Any: the SDKs' methods are typed in part only.
        self._tables: Any = self._open.enter_context(
            TableServiceClient(
                app["tableEndpoint"],
                credential=AzureNamedKeyCredential(app["account"], app["key"]),
                connection_verify=trust,
            )
        )
        self._blobs: dict[str, Any] = {
            name: self._open.enter_context(_service(account, trust))
            for name, account in (
                ("landing", storage["landing"]),
                ("restore", storage["restore"]),
            )
        }
        self._blobs["vault"] = self.vault_as(vault.endpoints["owners"]["vault-owner"])

    def vault_as(self, token: str) -> Any:
        """Connect to the vault account with somebody's token."""
        service = BlobServiceClient(self._vault["blobEndpoint"], StaticToken(token), connection_verify=self._trust)
        return self._open.enter_context(service)

    def close(self) -> None:
        """Close the connections."""
        self._open.close()

    def containers(self, account: str) -> list[str]:
        """Name an account's containers."""
        return [str(container.name) for container in self._blobs[account].list_containers()]

    def names(self, account: str, container: str, prefix: str = "") -> list[str]:
        """Name the blobs of a container."""
        client = self._blobs[account].get_container_client(container)
        return list(client.list_blob_names(name_starts_with=prefix))

    def versions(self, container: str, prefix: str) -> list[Any]:
        """Answer every version in the vault account whose name begins so, with what protects it."""
        client = self._blobs["vault"].get_container_client(container)
        return list(client.list_blobs(prefix, include=["versions", "immutabilitypolicy", "legalhold"]))

    def read(self, account: str, container: str, name: str) -> bytes:
        """Read a blob."""
        data: bytes = self._blobs[account].get_blob_client(container, name).download_blob().readall()
        return data

    def write(self, account: str, container: str, name: str, data: bytes) -> None:
        """Write a blob, also over one that is there; its metadata stay."""
        client = self._blobs[account].get_blob_client(container, name)
        metadata = client.get_blob_properties().metadata if client.exists() else None
        client.upload_blob(data, overwrite=True, metadata=metadata)

    def rot(self, container: str, name: str, version_id: str) -> None:
        """Change a byte of a version in the vault account below the gateway, as a failing disk would: no call can."""
        folder, account = self._cloud_folder, self._vault["account"]
        port = json.loads((folder / "ports.json").read_text())["blob"]
        with closing(sqlite3.connect(f"file:{folder / 'gateway/versions.db'}?mode=ro", uri=True)) as ledger:
            sql = "SELECT path FROM versions WHERE (account, container, name, version_id) = (?, ?, ?, ?)"
            (hidden,) = ledger.execute(sql, (account, container, name, version_id)).fetchone()
        azurite: BlobAccount = {**self._vault, "blobEndpoint": f"https://127.0.0.1:{port}/{account}"}
        with _service(azurite, self._trust) as service:
            blob: Any = service.get_blob_client(container, hidden)
            data = bytearray(blob.download_blob().readall())
            data[len(data) // 2] ^= 1
            blob.upload_blob(bytes(data), overwrite=True)

    def properties(self, account: str, container: str, name: str) -> Any:
        """Answer what storage says of a blob."""
        return self._blobs[account].get_blob_client(container, name).get_blob_properties()

    def tables(self) -> list[str]:
        """Name the tables."""
        return [str(table.name) for table in self._tables.list_tables()]

    def rows(self, table: str, query: str = "") -> Iterator[dict[str, Any]]:
        """Answer the rows of a table."""
        yield from self._tables.get_table_client(table).query_entities(query)

    def delete_row(self, table: str, partition: str, key: str) -> None:
        """Delete a row of a table."""
        self._tables.get_table_client(table).delete_entity(partition, key)

    def open_rows(self) -> list[dict[str, Any]]:
        """Answer the open rows: jobs that run."""
        return list(self.rows("jobs", "PartitionKey eq 'jobs' and RowKey ge 'open-' and RowKey lt 'open.'"))

    def open_row(self, job_id: str) -> dict[str, Any] | None:
        """Answer a job's open row while there is one."""
        return next((row for row in self.open_rows() if row["job_id"] == job_id), None)

    def versions_of_point(self, point_name: str) -> list[Any]:
        """Answer every version of a point's manifest and files, with what protects it; one version for each name."""
        path, manifest = self.manifest(point_name)
        prefix = path.removesuffix(".json")
        found = [*self.versions("manifests", path), *self.versions("points", f"{prefix}/")]
        assert sorted(version.name for version in found) == sorted(
            [path, *(file["path"] for file in manifest["files"])]
        )
        return found

    def manifest(self, point_name: str) -> tuple[str, dict[str, Any]]:
        """Answer the path and the content of a point's manifest."""
        path = next(name for name in self.names("vault", "manifests") if name.endswith(f"/{point_name}.json"))
        return path, json.loads(self.read("vault", "manifests", path))


def refusal_of(action: Callable[[], object]) -> str:
    """Do something in storage; answers the code with which it was refused, or nothing."""
    try:
        action()
    except HttpResponseError as error:
        response: Any = error.response
        return str(response.headers["x-ms-error-code"])
    return ""


def _service(account: BlobAccount, trust: str) -> BlobServiceClient:
    credential = {"account_name": account["account"], "account_key": account["key"]}
    return BlobServiceClient(account["blobEndpoint"], credential, connection_verify=trust)
