"""The composition root: the only place that chooses adapters."""

import logging
import os
from functools import cache

from azure.durable_functions import SyncDurableFunctionsClient

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.clock import AzureClock
from flexvault.adapters.azure.identity import credential
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.ltr import AzureLtr
from flexvault.adapters.azure.orchestrations import DurableOrchestrations
from flexvault.adapters.azure.restore_target import AzureRestoreTarget
from flexvault.adapters.azure.roles import AzureRoles
from flexvault.adapters.azure.servers import AzureServers
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.adapters.azure.tables import AzureRows
from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.azure.vault import AzureVaultCleaner, AzureVaultReader, AzureVaultWriter
from flexvault.api.app import Api
from flexvault.api.signing_keys import SigningKeys
from flexvault.api.tokens import TokenValidator
from flexvault.ports import Clock, Orchestrations, Ports
from flexvault.services.starting import start_by_key
from flexvault.services.vault import Vault
from flexvault.settings import Settings


def build_vault(settings: Settings, clock: Clock | None = None) -> Vault:
    """Build a vault on Azure; nothing is asked of a service yet."""
    # The SDKs log every request's URL and headers at INFO; nobody needs them, and Application Insights bills them.
    logging.getLogger("azure").setLevel(logging.WARNING)
    control, writer = credential(settings.control_client_id), credential(settings.writer_client_id)
    retention = credential(settings.retention_client_id)
    arm = Arm(settings.arm_endpoint, control)
    landing = AzureLanding(settings.landing_blob_endpoint, writer)
    vault_writer = AzureVaultWriter(settings.vault_blob_endpoint, writer, landing.delegation)
    ports = Ports(
        clock=clock or AzureClock(settings.vault_blob_endpoint, control),
        rows=AzureRows(settings.table_endpoint, credential(settings.host_client_id)),
        servers=AzureServers(arm),
        ltr=AzureLtr(arm),
        roles=AzureRoles(arm),
        landing=landing,
        vault_reader=AzureVaultReader(settings.vault_blob_endpoint, control),
        vault_writer=vault_writer,
        vault_cleaner=AzureVaultCleaner(settings.vault_blob_endpoint, retention),
        restore_target=AzureRestoreTarget(
            writer, vault_writer.delegation, StorageAccounts(arm), settings.writer_client_id
        ),
        telemetry=AzureTelemetry(),
    )
    return Vault(ports=ports, settings=settings)


@cache
def get_vault() -> Vault:
    """Build this process's vault at its first use, never at import: the host imports the app to index it."""
    return build_vault(Settings.from_environ(os.environ))


@cache
def get_tokens() -> TokenValidator:
    """Build this process's token check at its first use: it keeps the issuer's keys."""
    settings = get_vault().settings
    return TokenValidator(
        SigningKeys(settings.openid_configuration_url),
        issuers=settings.token_issuers,
        audiences=settings.token_audiences,
        authority=settings.token_issuers[0],
    )


def get_api(orchestrations: Orchestrations) -> Api:
    """Build the API around one request's task hub."""
    vault = get_vault()

    def begin(open_key: str) -> None:
        start_by_key(vault, orchestrations, open_key, vault.ports.clock.storage_now())

    return Api(vault=vault, tokens=get_tokens(), begin=begin)


def orchestrations_of(client: SyncDurableFunctionsClient) -> Orchestrations:
    """Answer the task hub behind the client that the host bound."""
    return DurableOrchestrations(client)
