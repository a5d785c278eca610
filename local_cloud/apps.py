"""The app as one, or as two that hold different identities: which identities each was given, and its settings.

App Service hands an app a token only of an identity that was assigned to it. Here every app has a header of its own,
and the identity service knows by the header whom it may speak for.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_cloud.files import write_atomically
from local_cloud.tokens import IDENTITIES

ALL, FRONT, JANITOR = "all", "front", "janitor"

APP_IDENTITIES: Mapping[str, tuple[str, ...]] = {
    ALL: IDENTITIES,
    FRONT: ("control", "writer", "host-front"),
    JANITOR: ("retention", "host-janitor"),
}
"""Client ids by app; the last one, its host's own, answers when no client id is given."""
_HEADER_FILES = {ALL: "identity-header", FRONT: "identity-header-front", JANITOR: "identity-header-janitor"}
_NOT_THE_JANITORS = (
    "FLEXVAULT_LANDING_BLOB_ENDPOINT",
    "FLEXVAULT_ARM_ENDPOINT",
    "FLEXVAULT_CONTROL_CLIENT_ID",
    "FLEXVAULT_WRITER_CLIENT_ID",
    "FLEXVAULT_TOKEN_AUDIENCES",
    "FLEXVAULT_TOKEN_ISSUERS",
    "FLEXVAULT_OPENID_CONFIGURATION_URL",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityHeaders:
    """The secret that each app sends to the identity service, by app."""

    by_app: Mapping[str, str]

    @classmethod
    def load(cls, keys: Path) -> "IdentityHeaders":
        """Take up the headers kept in a folder, or make them."""
        for file in _HEADER_FILES.values():
            if not (keys / file).exists():
                write_atomically(keys / file, secrets.token_hex(32))
        return cls(by_app={app: (keys / file).read_text() for app, file in _HEADER_FILES.items()})

    def callers(self) -> dict[str, tuple[str, ...]]:
        """Answer for each header whom its app may speak for."""
        return {header: APP_IDENTITIES[app] for app, header in self.by_app.items()}


def apps_of(*, is_split: bool) -> tuple[str, ...]:
    """Answer the apps of a vault, the one with the HTTP door first."""
    return (FRONT, JANITOR) if is_split else (ALL,)


def folder_of(app: str) -> str:
    """Name an app's folder and its log: those of the one with the HTTP door are its host's."""
    return JANITOR if app == JANITOR else "host"


def app_settings(app: str, settings: Mapping[str, str], headers: IdentityHeaders) -> dict[str, str]:
    """Answer the settings of one app, from those of an app that does everything.

    Args:
        app: Which one.
        settings: As `build_settings` answers them.
        headers: Of the cloud.
    """
    if app == ALL:
        return dict(settings)
    unwanted = ("FLEXVAULT_RETENTION_CLIENT_ID",) if app == FRONT else _NOT_THE_JANITORS
    return {
        **settings,
        **dict.fromkeys(unwanted, ""),
        "FLEXVAULT_ROLE": app,
        "AZURE_CLIENT_ID": APP_IDENTITIES[app][-1],
        "IDENTITY_HEADER": headers.by_app[app],
        "TASK_HUB_NAME": f"{settings['TASK_HUB_NAME']}{app}",
    }
