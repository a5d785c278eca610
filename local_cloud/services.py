"""How emulator, storage gateway and functions host are started: command lines and configurations."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local_cloud import postgres
from local_cloud.app_settings import Surroundings, clean_environment
from local_cloud.certificates import Certificates
from local_cloud.files import write_atomically
from local_cloud.identity import KEY_SET_PATH
from local_cloud.landscape import (
    DATA_GROUP,
    LOCATION,
    OWNER,
    SERVER_NAMES,
    TENANT_ID,
    Landscape,
    first_role_assignments,
    object_id_of,
)
from local_cloud.processes import Command
from local_cloud.storage_gateway.rights import GRANTS, Kind

ROOT = Path(__file__).parent.parent
"""The folder of the app and of this package."""

_SERVERS_CREATED_AT = "2025-03-03T09:12:44.5678901Z"
_STORAGE_SIZE_GB = 32


def emulator_config(
    places: Sequence[Landscape],
    around: Surroundings,
    *,
    port: int,
    state: Path,
    certificates: Certificates,
    postgres_urls: Mapping[str, str],
    minimum_backup_seconds: float,
    revoked_keys: Path,
) -> dict[str, Any]:
    """Answer the configuration of the ARM emulator.

    Args:
        places: Every landscape whose resources exist.
        around: Where the other services are.
        port: Where it listens.
        state: Folder of what it keeps.
        certificates: Of its server, and the authority that its uploads trust.
        postgres_urls: Superuser's URL by server name; every landscape's servers share them.
        minimum_backup_seconds: A backup takes at least this long, so that it can be watched and interrupted.
        revoked_keys: The file in which storage reads whose keys are revoked.
    """
    return {
        **_server_config(port, state, around, certificates),
        "baseUrl": around.arm_url,
        "pgBin": str(postgres.binaries()),
        "roleDelaySeconds": 3,
        "minimumDurationSeconds": minimum_backup_seconds,
        "subscriptions": [{"id": place.subscription_id, "displayName": place.name} for place in places],
        "resourceGroups": [group for place in places for group in _resource_groups(place)],
        "servers": [server for place in places for server in _servers(place, postgres_urls)],
        "storageAccounts": [account for place in places for account in _storage_accounts(place, around)],
        "revokedKeysFile": str(revoked_keys),
        "owner": object_id_of(OWNER),
        "roleAssignments": first_role_assignments(places),
    }


def _resource_groups(place: Landscape) -> list[dict[str, Any]]:
    names = ("rg-flexvault", DATA_GROUP, place.servers_group, place.restore_group)
    return [{"subscriptionId": place.subscription_id, "name": name, "location": LOCATION} for name in names]


def _servers(place: Landscape, postgres_urls: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "subscriptionId": place.subscription_id,
            "resourceGroup": place.servers_group,
            "name": name,
            "location": LOCATION,
            "createdAt": _SERVERS_CREATED_AT,
            "version": postgres.version(),
            "storageSizeGB": _STORAGE_SIZE_GB,
            "state": "Ready",
            "replicationRole": "Primary",
            "postgres": postgres_urls[name],
        }
        for name in SERVER_NAMES
    ]


def _storage_accounts(place: Landscape, around: Surroundings) -> list[dict[str, Any]]:
    accounts = ((DATA_GROUP, place.landing), (DATA_GROUP, place.vault), (place.restore_group, place.restore))
    return [
        {
            "subscriptionId": place.subscription_id,
            "resourceGroup": group,
            "name": name,
            "location": LOCATION,
            "blobEndpoint": f"{around.blob_url}/{name}",
        }
        for group, name in accounts
    ]


def gateway_config(
    places: Sequence[Landscape],
    around: Surroundings,
    *,
    ports: tuple[int, int],
    state: Path,
    certificates: Certificates,
    keys: Mapping[str, str],
) -> dict[str, Any]:
    """Answer the configuration of the storage gateway.

    Args:
        places: Every landscape whose accounts exist.
        around: Where the identity service is.
        ports: Where the gateway listens, and where Azurite's blob service does.
        state: Folder of what it keeps.
        certificates: Of its server, and the authority that vouches for Azurite.
        keys: Key by account name.
    """
    accounts = [
        {"name": name, "kind": kind, "key": keys[name]}
        for place in places
        for kind, name in zip((Kind.LANDING, Kind.VAULT, Kind.APP, Kind.RESTORE), place.accounts, strict=True)
    ]
    return {
        **_server_config(ports[0], state, around, certificates),
        "azuriteUrl": f"https://127.0.0.1:{ports[1]}",
        "accounts": accounts,
        "principals": {object_id_of(name): name for name in GRANTS},
    }


def _server_config(port: int, state: Path, around: Surroundings, certificates: Certificates) -> dict[str, Any]:
    """Answer what both configurations say."""
    return {
        "port": port,
        "certificate": str(certificates.certificate),
        "privateKey": str(certificates.private_key),
        "caFile": str(certificates.authority),
        "state": str(state),
        "tenantId": TENANT_ID,
        "jwksUrl": f"{around.identity_url}{KEY_SET_PATH}",
    }


def emulator_command(config: Mapping[str, Any], *, log: Path, lock: int) -> Command:
    """Write the configuration into the emulator's state folder and describe its process."""
    return _configured("emulator", "local_cloud.arm_emulator", config, log, lock)


def gateway_command(config: Mapping[str, Any], *, log: Path, lock: int) -> Command:
    """Write the configuration into the gateway's state folder and describe its process."""
    return _configured("storage gateway", "local_cloud.storage_gateway", config, log, lock)


def _configured(name: str, module: str, config: Mapping[str, Any], log: Path, lock: int) -> Command:
    state = Path(config["state"])
    state.mkdir(parents=True, exist_ok=True)
    file = state / "config.json"
    write_atomically(file, json.dumps(config, indent=2))
    return Command(
        name=name,
        argv=(sys.executable, "-m", module, "--config", str(file)),
        log=log,
        environment=_with_this_package(clean_environment()),
        directory=state,
        inherited=(lock,),
    )


def host_command(
    *,
    app: Path,
    state: Path,
    ports: tuple[int, int],
    certificates: Certificates,
    settings: Mapping[str, str],
    log: Path,
    lock: tuple[int, ...] = (),
) -> Command:
    """Describe the functions host that runs an app.

    Args:
        app: Folder with `function_app.py`.
        state: Folder of the task hub and of what the timers remember.
        ports: For http and https; 0 = a free one.
        certificates: Of the https port.
        settings: The app settings; the rest of the environment is this process's, without what would mislead.
        log: Gets all output.
        lock: Descriptors that the host keeps open as long as it lives.
    """
    state.mkdir(parents=True, exist_ok=True)
    options = {
        "--app": app,
        "--state": state,
        "--port": ports[0],
        "--tls-port": ports[1],
        "--certificate": certificates.certificate,
        "--private-key": certificates.private_key,
    }
    words = [str(word) for pair in options.items() for word in pair]
    return Command(
        name="host",
        argv=(sys.executable, "-m", "local_cloud.functions_host", *words),
        log=log,
        environment=_with_this_package(clean_environment()) | dict(settings),
        directory=app,
        inherited=lock,
    )


def _with_this_package(environment: dict[str, str]) -> dict[str, str]:
    earlier = environment.get("PYTHONPATH")
    path = f"{ROOT}{os.pathsep}{earlier}" if earlier else str(ROOT)
    return environment | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
