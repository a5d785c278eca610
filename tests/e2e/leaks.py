"""What a leaked SAS opens, and what the vault says before its keys are revoked."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
from azure.storage.blob import BlobServiceClient, generate_container_sas

from local_cloud.certificates import now
from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.tokens import STORAGE_AUDIENCE
from tests.e2e.accounts import StaticToken
from tests.e2e.user import User


def leak(cloud: LaunchedCloud, vault: VaultHost, account: str, container: str) -> Callable[[], int]:
    """Sign a SAS as the writer does; answers what asks storage with it, and tells the status."""
    storage: Any = vault.endpoints["storage"]
    endpoint, expiry = storage[account]["blobEndpoint"], now() + timedelta(hours=1)
    writer = StaticToken(cloud.issuer.for_identity("writer", STORAGE_AUDIENCE))
    # Any: the SDK's types here are known in part only.
    service: Any = BlobServiceClient(endpoint, writer, connection_verify=storage["ca"])
    with service:
        key = service.get_user_delegation_key(now() - timedelta(minutes=15), expiry)
    options: Any = {"user_delegation_key": key, "permission": "rl", "expiry": expiry}
    token = generate_container_sas(storage[account]["account"], container, **options)
    url = f"{endpoint}/{container}?restype=container&comp=list&{token}"
    context = ssl.create_default_context(cafile=storage["ca"])
    return lambda: httpx.get(url, verify=context, trust_env=False).status_code


def ask_first(user: User, account: str) -> list[tuple[str, str]]:
    """Ask the vault what a revocation would kill: (job, step)."""
    answer = user.send("POST", "/vault/emergency/revokeKeys", {"account": account, "reason": "a SAS leaked"})
    assert answer.status_code == 200, answer.text
    assert f'--name "{user.vault.endpoints["storage"][account]["account"]}"' in answer.json()["command"]
    return [(job["jobId"], job["step"]) for job in answer.json()["jobs"]]


def warnings_of(job: dict[str, Any]) -> list[str]:
    """Answer the codes of a job's warnings."""
    return [entry["warning"]["code"] for entry in job["extendedInfo"]["warningDetails"]]
