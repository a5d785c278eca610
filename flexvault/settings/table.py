"""Every app setting: how its text is read, its default, and which apps cannot do without it."""

from collections.abc import Mapping
from dataclasses import dataclass

from flexvault.domain.app_role import AppRole
from flexvault.settings import parsers
from flexvault.settings.parsers import Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting."""

    parse: Parser
    default: str = ""
    """Its text where it is not set; empty = the member of `Settings` keeps its own default."""
    needed_by: frozenset[AppRole] = frozenset()


_ALL, _FRONT, _JANITOR = AppRole.ALL, AppRole.FRONT, AppRole.JANITOR
_EVERY, _DOOR, _CLEANER = frozenset(AppRole), frozenset({_ALL, _FRONT}), frozenset({_ALL, _JANITOR})

SETTINGS: Mapping[str, Setting] = {
    "FLEXVAULT_ROLE": Setting(parse=parsers.app_role, default="all"),
    "FLEXVAULT_VAULT_RESOURCE_ID": Setting(parse=parsers.vault_id, needed_by=_EVERY),
    "FLEXVAULT_LOCATION": Setting(parse=parsers.text, needed_by=_EVERY),
    "FLEXVAULT_VAULT_BLOB_ENDPOINT": Setting(parse=parsers.endpoint, needed_by=_EVERY),
    "FLEXVAULT_LANDING_BLOB_ENDPOINT": Setting(parse=parsers.endpoint, needed_by=_DOOR),
    "FLEXVAULT_TABLE_ENDPOINT": Setting(parse=parsers.endpoint, needed_by=_EVERY),
    "FLEXVAULT_ARM_ENDPOINT": Setting(parse=parsers.endpoint, needed_by=_DOOR),
    "FLEXVAULT_CONTROL_CLIENT_ID": Setting(parse=parsers.client_id, needed_by=_DOOR),
    "FLEXVAULT_WRITER_CLIENT_ID": Setting(parse=parsers.client_id, needed_by=_DOOR),
    "FLEXVAULT_RETENTION_CLIENT_ID": Setting(parse=parsers.client_id, needed_by=_CLEANER),
    "AZURE_CLIENT_ID": Setting(parse=parsers.client_id),
    "FLEXVAULT_TOKEN_AUDIENCES": Setting(parse=parsers.words, needed_by=_DOOR),
    "FLEXVAULT_TOKEN_ISSUERS": Setting(parse=parsers.issuer_urls, needed_by=_DOOR),
    "FLEXVAULT_OPENID_CONFIGURATION_URL": Setting(parse=parsers.issuer_url, needed_by=_DOOR),
    "FLEXVAULT_RESTORE_TARGETS": Setting(parse=parsers.endpoints),
    "FLEXVAULT_TENANT_ID": Setting(parse=parsers.guid),
    "FLEXVAULT_SOURCE_TENANTS": Setting(parse=parsers.source_tenants),
    "FLEXVAULT_FEDERATED_CLIENT_ID": Setting(parse=parsers.guid),
    "FLEXVAULT_LANDING_SAS_PERMISSIONS": Setting(parse=parsers.sas_permissions),
    "FLEXVAULT_STALE_GRACE_SECONDS": Setting(parse=parsers.seconds),
    "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": Setting(parse=parsers.seconds),
    "FLEXVAULT_POLL_FLOORS_SECONDS": Setting(parse=parsers.many_seconds),
    "FLEXVAULT_LOOK_AHEAD_SECONDS": Setting(parse=parsers.seconds),
    "FLEXVAULT_SPREAD_SECONDS": Setting(parse=parsers.seconds_or_none),
    "FLEXVAULT_LANDING_KEEP_DAYS": Setting(parse=parsers.days),
    "FLEXVAULT_UNSEALED_KEEP_DAYS": Setting(parse=parsers.days),
    "FLEXVAULT_REQUESTS_PER_MINUTE": Setting(parse=parsers.count),
}
OTHERS = frozenset({"API_URL", "TOKEN", "ENVIRONMENT", "GRANT_MODE"})
"""Ends of names with our prefix that the command line and the deployment read, not the app."""
PREFIX = "FLEXVAULT_"
