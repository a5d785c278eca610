"""`.local/endpoints.json`: where everything of a running local cloud is, for the demo, tests and people.

It is written whole when all is ready and after each restart of the host, and removed at the end. It holds keys and
tokens, so only its owner may read it. It is stale when the process `pids.cloud` is dead.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NotRequired, TypedDict

from local_cloud.app_settings import Surroundings
from local_cloud.files import write_atomically
from local_cloud.identity import TOKEN_PATH
from local_cloud.landscape import OWNER, Landscape
from local_cloud.tokens import ARM_AUDIENCE, OWNERS, PEOPLE, STORAGE_AUDIENCE, TokenIssuer

FILE_NAME = "endpoints.json"


class Arm(TypedDict):
    """The ARM emulator and a token of the one who may do everything there."""

    endpoint: str
    token: str


class Identity(TypedDict):
    """The managed identity endpoint and the header's value."""

    endpoint: str
    header: str


class Server(TypedDict):
    """A source server: its ARM id, and the superuser's URL of the PostgreSQL behind it."""

    resourceId: str
    postgres: str


class BlobAccount(TypedDict):
    """A storage account, its ARM id and its key."""

    blobEndpoint: str
    account: str
    key: str
    resourceId: str


class TableAccount(TypedDict):
    """The app's own account."""

    tableEndpoint: str
    account: str
    key: str


class Storage(TypedDict):
    """The four accounts; `ca` is the absolute path of the authority's PEM file. The vault account accepts no key."""

    landing: BlobAccount
    vault: BlobAccount
    restore: BlobAccount
    app: TableAccount
    ca: str


class Pids(TypedDict):
    """Process ids; `host` is None in a cloud that runs no app of its own, `janitor` only in one that runs two."""

    cloud: int
    host: int | None
    azurite: int
    gateway: int
    emulator: int
    janitor: NotRequired[int]


class Endpoints(TypedDict):
    """The whole file. `api` and `apiTls` are None in a cloud that runs no app of its own.

    `owners` has tokens for storage: of the vault account's owner, and of the source subscription's, who may do nothing
    there.
    """

    api: str | None
    apiTls: str | None
    people: dict[str, str]
    vaultResourceId: str
    arm: Arm
    identity: Identity
    servers: dict[str, Server]
    storage: Storage
    owners: dict[str, str]
    pids: Pids


class Api(TypedDict):
    """The app's two addresses."""

    api: str | None
    apiTls: str | None


NO_API: Api = {"api": None, "apiTls": None}


def api_at(ready_line: Mapping[str, object]) -> Api:
    """Answer the app's addresses from the host's ready line."""
    return {
        "api": f"http://127.0.0.1:{ready_line['port']}/api",
        "apiTls": f"https://127.0.0.1:{ready_line['tlsPort']}/api",
    }


def build_endpoints(
    place: Landscape,
    around: Surroundings,
    *,
    api: Api,
    issuer: TokenIssuer,
    keys: Mapping[str, str],
    postgres: Mapping[str, str],
    pids: Pids,
) -> Endpoints:
    """Describe one vault and its surroundings, with tokens signed now.

    Args:
        place: The vault.
        around: The services.
        api: Where its app listens.
        issuer: Signs the tokens.
        keys: Key by account name.
        postgres: Superuser's URL by server name.
        pids: The processes.
    """
    return {
        **api,
        "people": {person: issuer.for_person(person) for person in PEOPLE},
        "vaultResourceId": place.vault_resource_id,
        "arm": {"endpoint": around.arm_url, "token": issuer.for_identity(OWNER, ARM_AUDIENCE)},
        "identity": {"endpoint": f"{around.identity_url}{TOKEN_PATH}", "header": around.identity_header},
        "servers": {
            name: {"resourceId": place.server_resource_id(name), "postgres": url} for name, url in postgres.items()
        },
        "storage": _describe_storage(place, around, keys),
        "owners": {owner: issuer.for_identity(owner, STORAGE_AUDIENCE) for owner in OWNERS},
        "pids": pids,
    }


def _describe_storage(place: Landscape, around: Surroundings, keys: Mapping[str, str]) -> Storage:
    def blob(account: str, resource_id: str) -> BlobAccount:
        endpoint = f"{around.blob_url}/{account}"
        return {"blobEndpoint": endpoint, "account": account, "key": keys[account], "resourceId": resource_id}

    return {
        "landing": blob(place.landing, place.landing_resource_id),
        "vault": blob(place.vault, place.vault_account_resource_id),
        "restore": blob(place.restore, place.restore_resource_id),
        "app": {"tableEndpoint": f"{around.table_url}/{place.app}", "account": place.app, "key": keys[place.app]},
        "ca": str(around.authority),
    }


def write_endpoints(folder: Path, endpoints: Endpoints) -> None:
    """Write the file of a state folder in one step."""
    write_atomically(folder / FILE_NAME, json.dumps(endpoints, indent=2))


def read_endpoints(folder: Path) -> Endpoints:
    """Read the file of a state folder.

    Raises:
        FileNotFoundError: no cloud is running there.
    """
    return json.loads((folder / FILE_NAME).read_text())


def remove_endpoints(folder: Path) -> None:
    """Remove the file, if it is there."""
    (folder / FILE_NAME).unlink(missing_ok=True)
