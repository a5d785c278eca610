"""The app's settings, read once from the environment; all mistakes are reported together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from flexvault.domain.errors import InvalidInputError

REQUIRED = (
    "FLEXVAULT_VAULT_RESOURCE_ID",
    "FLEXVAULT_LOCATION",
    "FLEXVAULT_VAULT_BLOB_ENDPOINT",
    "FLEXVAULT_LANDING_BLOB_ENDPOINT",
    "FLEXVAULT_TABLE_ENDPOINT",
    "FLEXVAULT_ARM_ENDPOINT",
    "FLEXVAULT_CONTROL_CLIENT_ID",
    "FLEXVAULT_WRITER_CLIENT_ID",
    "FLEXVAULT_RETENTION_CLIENT_ID",
    "FLEXVAULT_TOKEN_AUDIENCES",
    "FLEXVAULT_TOKEN_ISSUERS",
    "FLEXVAULT_OPENID_CONFIGURATION_URL",
)
_DEFAULTS = {
    "AZURE_CLIENT_ID": "",
    "FLEXVAULT_RESTORE_TARGETS": "",
    "FLEXVAULT_ROLE": "all",
    "FLEXVAULT_LANDING_SAS_PERMISSIONS": "racwl",
    "FLEXVAULT_STALE_GRACE_SECONDS": "600",
    "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": "180",
    "FLEXVAULT_POLL_FLOORS_SECONDS": "180,600,1200,1800",
    "FLEXVAULT_LOOK_AHEAD_SECONDS": "300",
    "FLEXVAULT_SPREAD_SECONDS": "0",
    "FLEXVAULT_LANDING_KEEP_DAYS": "14",
    "FLEXVAULT_UNSEALED_KEEP_DAYS": "14",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the vault is, what it may use, and its patience."""

    vault_resource_id: str
    location: str
    vault_blob_endpoint: str
    landing_blob_endpoint: str
    table_endpoint: str
    arm_endpoint: str
    control_client_id: str
    writer_client_id: str
    retention_client_id: str
    token_audiences: tuple[str, ...]
    token_issuers: tuple[str, ...]
    openid_configuration_url: str
    host_client_id: str = ""
    """The host's own identity, which reaches the tables; empty where the app has only one."""
    restore_targets: tuple[str, ...] = ()
    """Container or account URLs that count as inside although ARM does not show them."""
    role: str = "all"
    landing_sas_permissions: str = "racwl"
    stale_grace: timedelta = timedelta(seconds=600)
    """How long after its next check a job counts as stale."""
    not_started_after: timedelta = timedelta(seconds=180)
    """How long a start without an answer stays in doubt."""
    poll_floors_seconds: tuple[float, ...] = (180, 600, 1200, 1800)
    look_ahead: timedelta = timedelta(seconds=300)
    spread: timedelta = timedelta()
    """Over how long the instances that are due at one moment begin, each always at its own."""
    landing_keep_for: timedelta = timedelta(days=14)
    unsealed_keep_for: timedelta = timedelta(days=14)

    @property
    def vault_name(self) -> str:
        """Answer the last segment of the vault's resource id."""
        return self.vault_resource_id.rpartition("/")[2]

    @property
    def subscription_id(self) -> str:
        """Answer the vault's own subscription."""
        return self.vault_resource_id.split("/")[2]

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read every setting.

        Raises:
            InvalidInputError: Settings are missing or wrong; each is a detail.
        """
        mistakes = [
            InvalidInputError(f"the app setting {name} is missing", target=name)
            for name in REQUIRED
            if not environ.get(name)
        ]
        values = _DEFAULTS | {name: value for name, value in environ.items() if value}
        numbers: dict[str, tuple[float, ...]] = {}
        for name in (name for name in _DEFAULTS if name.endswith(("_SECONDS", "_DAYS"))):
            try:
                numbers[name] = tuple(float(part) for part in values[name].split(","))
            except ValueError:
                text = f"the app setting {name} is '{values[name]}'; expected a number of seconds or days"
                mistakes.append(InvalidInputError(text, target=name))
        resource_id = environ.get("FLEXVAULT_VAULT_RESOURCE_ID", "")
        if resource_id and (len(resource_id.split("/")) != 9 or "/backupvaults/" not in resource_id.lower()):  # noqa: PLR2004 - ARM's form
            text = f"FLEXVAULT_VAULT_RESOURCE_ID is '{resource_id}'; expected .../backupVaults/NAME"
            mistakes.append(InvalidInputError(text, target="FLEXVAULT_VAULT_RESOURCE_ID"))
        if values["FLEXVAULT_ROLE"] != "all":
            text = f"FLEXVAULT_ROLE is '{values['FLEXVAULT_ROLE']}'; this version knows 'all' only"
            mistakes.append(InvalidInputError(text, target="FLEXVAULT_ROLE"))
        if mistakes:
            message = "; ".join(mistake.message for mistake in mistakes)
            raise InvalidInputError(message, code="InvalidSettings", details=tuple(mistakes))
        return cls._build(values, numbers)

    @classmethod
    def _build(cls, values: Mapping[str, str], numbers: Mapping[str, tuple[float, ...]]) -> "Settings":
        def duration(name: str) -> timedelta:
            unit = "days" if name.endswith("_DAYS") else "seconds"
            return timedelta(**{unit: numbers[name][0]})

        return cls(
            vault_resource_id=values["FLEXVAULT_VAULT_RESOURCE_ID"].rstrip("/"),
            location=values["FLEXVAULT_LOCATION"],
            vault_blob_endpoint=values["FLEXVAULT_VAULT_BLOB_ENDPOINT"].rstrip("/"),
            landing_blob_endpoint=values["FLEXVAULT_LANDING_BLOB_ENDPOINT"].rstrip("/"),
            table_endpoint=values["FLEXVAULT_TABLE_ENDPOINT"].rstrip("/"),
            arm_endpoint=values["FLEXVAULT_ARM_ENDPOINT"].rstrip("/"),
            control_client_id=values["FLEXVAULT_CONTROL_CLIENT_ID"],
            writer_client_id=values["FLEXVAULT_WRITER_CLIENT_ID"],
            retention_client_id=values["FLEXVAULT_RETENTION_CLIENT_ID"],
            token_audiences=_words(values["FLEXVAULT_TOKEN_AUDIENCES"]),
            token_issuers=_words(values["FLEXVAULT_TOKEN_ISSUERS"]),
            openid_configuration_url=values["FLEXVAULT_OPENID_CONFIGURATION_URL"],
            host_client_id=values["AZURE_CLIENT_ID"],
            restore_targets=_words(values["FLEXVAULT_RESTORE_TARGETS"]),
            role=values["FLEXVAULT_ROLE"],
            landing_sas_permissions=values["FLEXVAULT_LANDING_SAS_PERMISSIONS"],
            stale_grace=duration("FLEXVAULT_STALE_GRACE_SECONDS"),
            not_started_after=duration("FLEXVAULT_NOT_STARTED_AFTER_SECONDS"),
            poll_floors_seconds=numbers["FLEXVAULT_POLL_FLOORS_SECONDS"],
            look_ahead=duration("FLEXVAULT_LOOK_AHEAD_SECONDS"),
            spread=duration("FLEXVAULT_SPREAD_SECONDS"),
            landing_keep_for=duration("FLEXVAULT_LANDING_KEEP_DAYS"),
            unsealed_keep_for=duration("FLEXVAULT_UNSEALED_KEEP_DAYS"),
        )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
