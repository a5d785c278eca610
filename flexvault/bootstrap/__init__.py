"""The composition root: the only place that chooses adapters."""

import logging
import os
from functools import cache

from azure.durable_functions import SyncDurableFunctionsClient

from flexvault.adapters.azure.orchestrations import DurableOrchestrations
from flexvault.adapters.log_redaction import install
from flexvault.api.app import Api
from flexvault.api.rates import Throttle
from flexvault.api.signing_keys import SigningKeys
from flexvault.api.tokens import TokenValidator
from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import InvalidInputError
from flexvault.ports import Clock, Orchestrations, Ports
from flexvault.services.refusals import Refusals
from flexvault.services.starting import start_by_key
from flexvault.services.vault import Vault
from flexvault.settings import Settings

logger = logging.getLogger(__name__)


def redact_logs() -> None:
    """Keep secrets out of every log record of this process, the SDKs' too; before anything else is done."""
    install()


def build_vault(settings: Settings, clock: Clock | None = None) -> Vault:
    """Build a vault on Azure."""

    def build_ports() -> Ports:
        # Here, not above: the host indexes the app, and answers that it is alive, before it needs the SDKs.
        from flexvault.bootstrap.azure import azure_ports  # noqa: PLC0415

        return azure_ports(settings, clock)

    return Vault(settings=settings, ports=build_ports)


def start_app() -> AppRole:
    """Check the settings while the host indexes the app, and answer the app's role; each mistake is a line of the log.

    An app whose settings cannot be used is indexed all the same: its door and its timers then say so at every call,
    where an app without functions would only look as if it had not been deployed.
    """
    redact_logs()
    try:
        return Settings.from_environ(os.environ).role
    except InvalidInputError as error:
        for mistake in error.details:
            logger.error("InvalidSettings: %s", mistake.message)  # noqa: TRY400 - the text is the whole story
        return AppRole.ALL


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


@cache
def get_throttle() -> Throttle:
    """Build what counts this process's callers."""
    return Throttle(get_vault().settings.requests_per_minute)


@cache
def get_refusals() -> Refusals:
    """Build what counts the calls that this process refuses."""
    return Refusals()


def get_api(orchestrations: Orchestrations) -> Api:
    """Build the API around one request's task hub."""
    vault = get_vault()

    def begin(open_key: str) -> None:
        start_by_key(vault, orchestrations, open_key, vault.ports.clock.storage_now())

    return Api(vault=vault, tokens=get_tokens(), begin=begin, throttle=get_throttle(), refusals=get_refusals())


def orchestrations_of(client: SyncDurableFunctionsClient) -> Orchestrations:
    """Answer the task hub behind the client that the host bound."""
    return DurableOrchestrations(client)
