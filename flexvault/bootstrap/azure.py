"""The ports over Azure's SDKs. Imported at the first use: the SDKs take longer to load than all the rest."""

import logging

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.clock import AzureClock
from flexvault.adapters.azure.identity import credential
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.ltr import AzureLtr
from flexvault.adapters.azure.restore_target import AzureRestoreTarget
from flexvault.adapters.azure.roles import AzureRoles
from flexvault.adapters.azure.servers import AzureServers
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.adapters.azure.tables import AzureRows
from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.azure.vault import AzureVaultCleaner, AzureVaultGuard, AzureVaultReader, AzureVaultWriter
from flexvault.ports import Clock, Ports
from flexvault.settings import Settings


def azure_ports(settings: Settings, clock: Clock | None) -> Ports:
    """Build the ports; nothing is asked of a service yet."""
    # The SDKs log every request's URL and headers at INFO; nobody needs them, and Application Insights bills them.
    logging.getLogger("azure").setLevel(logging.WARNING)
    control, writer = credential(settings.control_client_id), credential(settings.writer_client_id)
    retention = credential(settings.retention_client_id)
    arm = Arm(settings.arm_endpoint, control)
    landing = AzureLanding(settings.landing_blob_endpoint, writer)
    vault_writer = AzureVaultWriter(settings.vault_blob_endpoint, writer, landing.delegation)
    return Ports(
        clock=clock or AzureClock(settings.vault_blob_endpoint, control),
        rows=AzureRows(settings.table_endpoint, credential(settings.host_client_id)),
        servers=AzureServers(arm),
        ltr=AzureLtr(arm),
        roles=AzureRoles(arm),
        landing=landing,
        vault_reader=AzureVaultReader(settings.vault_blob_endpoint, control),
        vault_writer=vault_writer,
        vault_guard=AzureVaultGuard(settings.vault_blob_endpoint, control),
        vault_cleaner=AzureVaultCleaner(settings.vault_blob_endpoint, retention),
        restore_target=AzureRestoreTarget(
            writer, vault_writer.delegation, StorageAccounts(arm), settings.writer_client_id
        ),
        telemetry=AzureTelemetry(),
    )
