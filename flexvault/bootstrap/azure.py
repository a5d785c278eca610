"""The ports over Azure's SDKs. Imported at the first use: the SDKs take longer to load than all the rest."""

import logging
from typing import Any

from azure.core.credentials import TokenCredential

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.clock import AzureClock
from flexvault.adapters.azure.identity import credential, federated_credentials
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.ltr import AzureLtr
from flexvault.adapters.azure.restore_target import AzureRestoreTarget
from flexvault.adapters.azure.roles import AzureRoles
from flexvault.adapters.azure.servers import AzureServers
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.adapters.azure.surroundings import AzureSurroundings
from flexvault.adapters.azure.tables import AzureRows
from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.azure.tenancy import AzureTenancy
from flexvault.adapters.azure.vault import AzureVaultCleaner, AzureVaultGuard, AzureVaultReader, AzureVaultWriter
from flexvault.adapters.refusing import RefusingPort
from flexvault.domain.app_role import AppRole
from flexvault.ports import Clock, Ports
from flexvault.settings import Settings


def azure_ports(settings: Settings, clock: Clock | None) -> Ports:
    """Build the ports of this app's role; nothing is asked of a service yet.

    A credential is built only for what the role may use: a front has none that deletes, a janitor none that reaches
    servers, landing or restore targets.
    """
    # The SDKs log every request's URL and headers at INFO; nobody needs them, and Application Insights bills them.
    logging.getLogger("azure").setLevel(logging.WARNING)
    if settings.role is AppRole.JANITOR:
        retention = credential(settings.retention_client_id)
        return Ports(
            **_common(settings, clock, retention),
            **{port: _refuse(settings, port, needs) for port, needs in _NOT_THE_JANITORS.items()},
            vault_cleaner=AzureVaultCleaner(settings.vault_blob_endpoint, retention),
        )
    control, writer = credential(settings.control_client_id), credential(settings.writer_client_id)
    elsewhere = federated_credentials(control, settings.federated_client_id, settings.source_tenants)
    arm = Arm(settings.arm_endpoint, control, elsewhere=elsewhere)
    landing = AzureLanding(settings.landing_blob_endpoint, writer)
    vault_writer = AzureVaultWriter(settings.vault_blob_endpoint, writer, landing.delegation)
    return Ports(
        **_common(settings, clock, control),
        servers=AzureServers(arm),
        ltr=AzureLtr(arm),
        roles=AzureRoles(arm),
        tenancy=AzureTenancy(arm, _identities(settings)),
        surroundings=AzureSurroundings(arm, control, settings.subscription_id, settings.vault_blob_endpoint),
        landing=landing,
        vault_writer=vault_writer,
        vault_guard=AzureVaultGuard(settings.vault_blob_endpoint, control),
        vault_cleaner=_cleaner(settings),
        restore_target=AzureRestoreTarget(
            writer, vault_writer.delegation, StorageAccounts(arm), settings.writer_client_id
        ),
    )


_NOT_THE_JANITORS = {
    "servers": "control",
    "ltr": "control",
    "roles": "control",
    "tenancy": "control",
    "surroundings": "control",
    "landing": "writer",
    "vault_writer": "writer",
    "vault_guard": "control",
    "restore_target": "writer",
}


def _common(settings: Settings, clock: Clock | None, reader: TokenCredential) -> dict[str, Any]:
    """Answer what every app has; the vault account is read as the one identity that each may use for it."""
    return {
        "clock": clock or AzureClock(settings.vault_blob_endpoint, reader),
        "rows": AzureRows(settings.table_endpoint, credential(settings.host_client_id)),
        "vault_reader": AzureVaultReader(settings.vault_blob_endpoint, reader),
        "telemetry": AzureTelemetry(),
    }


def _identities(settings: Settings) -> dict[str, tuple[str, TokenCredential]]:
    client_ids = {
        "control": settings.control_client_id,
        "writer": settings.writer_client_id,
        "retention": settings.retention_client_id,
    }
    return {name: (client_id, credential(client_id)) for name, client_id in client_ids.items() if client_id}


def _cleaner(settings: Settings) -> Any:
    if settings.role is AppRole.FRONT:
        return _refuse(settings, "vault_cleaner", "retention")
    return AzureVaultCleaner(settings.vault_blob_endpoint, credential(settings.retention_client_id))


def _refuse(settings: Settings, port: str, needs: str) -> Any:
    return RefusingPort(port, role=settings.role, needs=needs)
