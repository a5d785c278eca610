"""The environment of the app on this machine: the application settings that it would have in Azure.

Only what differs from the app's own defaults is set. `docs/` and the deployment know the same names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cloud.identity import CONFIGURATION_PATH, TOKEN_PATH
from local_cloud.landscape import LOCATION, Landscape
from local_cloud.tokens import AUDIENCE

TASK_HUB = "flexvaultlocal"

# Left over in a developer's shell, each of these would send the app somewhere else, or give it another identity.
_UNWANTED_PREFIXES = ("AZURE_", "ARM_", "IDENTITY_", "MSI_", "IMDS_", "FLEXVAULT_", "FUNCTIONS_", "AzureWebJobs", "PG")
_UNWANTED_NAMES = {"CURL_CA_BUNDLE", "SSL_CERT_DIR", "PYTHONHOME", "PYTHONSTARTUP", "SCHEDULE_TICK", "RECONCILE_TICK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the services of one local cloud are."""

    identity_url: str
    """URL of the identity service, without a final slash."""
    identity_header: str
    """The secret that its token endpoint asks for."""
    arm_url: str
    blob_url: str
    """URL of the storage gateway, under which every account's blobs are, by account name."""
    table_url: str
    authority: Path
    """PEM file of the local certificate authority."""


def build_settings(place: Landscape, around: Surroundings, changed: Mapping[str, str] | None = None) -> dict[str, str]:
    """Answer the app settings of one vault.

    Args:
        place: The vault, its accounts and servers.
        around: The services.
        changed: Settings to put in place of these, for one test.
    """
    settings = {
        "FLEXVAULT_VAULT_RESOURCE_ID": place.vault_resource_id,
        "FLEXVAULT_LOCATION": LOCATION,
        "FLEXVAULT_VAULT_BLOB_ENDPOINT": f"{around.blob_url}/{place.vault}",
        "FLEXVAULT_LANDING_BLOB_ENDPOINT": f"{around.blob_url}/{place.landing}",
        "FLEXVAULT_TABLE_ENDPOINT": f"{around.table_url}/{place.app}",
        "FLEXVAULT_ARM_ENDPOINT": around.arm_url,
        "FLEXVAULT_CONTROL_CLIENT_ID": "control",
        "FLEXVAULT_WRITER_CLIENT_ID": "writer",
        "FLEXVAULT_RETENTION_CLIENT_ID": "retention",
        "FLEXVAULT_TOKEN_AUDIENCES": AUDIENCE,
        "FLEXVAULT_TOKEN_ISSUERS": around.identity_url,
        "FLEXVAULT_OPENID_CONFIGURATION_URL": f"{around.identity_url}{CONFIGURATION_PATH}",
        "FLEXVAULT_RESTORE_TARGETS": "",
        "FLEXVAULT_ROLE": "all",
        "FLEXVAULT_STALE_GRACE_SECONDS": "6",
        "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": "3",
        "FLEXVAULT_POLL_FLOORS_SECONDS": "1,1,2,2",
        "FLEXVAULT_LOOK_AHEAD_SECONDS": "5",
        "SCHEDULE_TICK": "*/2 * * * * *",
        "RECONCILE_TICK": "*/2 * * * * *",
        "RETENTION_TICK": "0 10 3 * * *",
        "TASK_HUB_NAME": TASK_HUB,
        "PYTHON_THREADPOOL_THREAD_COUNT": "32",
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "IDENTITY_ENDPOINT": f"{around.identity_url}{TOKEN_PATH}",
        "IDENTITY_HEADER": around.identity_header,
        # The first for the synchronous clients (requests), the second for httpx, aiohttp and urllib.
        "REQUESTS_CA_BUNDLE": str(around.authority),
        "SSL_CERT_FILE": str(around.authority),
    }
    return settings | dict(changed or {})


def clean_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Answer the environment without what would lead a child elsewhere: proxies, identities, settings, authorities."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_UNWANTED_PREFIXES)
        and not name.upper().endswith("_PROXY")
        and name not in _UNWANTED_NAMES
    }
