"""Read the environment against the table of settings, and find every mistake in one go."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.redaction import REDACTED, redact
from flexvault.domain.texts import shorten
from flexvault.settings.table import OTHERS, PREFIX, SETTINGS

SHOWN_CHARACTERS = 200
_KEY_LIKE = re.compile(r"[A-Za-z0-9+/_=-]{43,}")
"""An account key has 88 such characters, an Entra secret 40 and more; a GUID has 36."""
_USER_INFO = re.compile(r"//[^/@\s]*@")


def read_values(environ: Mapping[str, str]) -> dict[str, object]:
    """Answer the value of every setting that is set or has a default, by its name.

    Raises:
        InvalidInputError: code InvalidSettings; each mistake is a detail.
    """
    values: dict[str, object] = {}
    mistakes: list[InvalidInputError] = []
    for name, setting in SETTINGS.items():
        text = environ.get(name, "").strip() or setting.default
        if not text:
            continue
        try:
            values[name] = setting.parse(text)
        except ValueError as error:
            mistakes.append(_wrong(name, f"the app setting {name} is '{shown(text)}'; expected {error}"))
    role = values.get("FLEXVAULT_ROLE")
    mistakes += _find_missing(environ, role if isinstance(role, AppRole) else None)
    mistakes += [*_find_unknown(environ), *_find_contradictions(values)]
    if mistakes:
        message = "; ".join(mistake.message for mistake in mistakes)
        hint = "correct these app settings, then restart the app"
        raise InvalidInputError(message, code="InvalidSettings", hint=hint, details=tuple(mistakes))
    return values


def shown(text: str) -> str:
    """Answer the text of a setting as it may be shown: whoever pastes a key or a SAS must not find it in a log."""
    text = _USER_INFO.sub(f"//{REDACTED}@", redact(text))
    return shorten(" ".join(REDACTED if _is_key(word) else word for word in text.split(" ")), SHOWN_CHARACTERS)


def _is_key(word: str) -> bool:
    """Say whether a word looks like a key, and not like the id of a resource."""
    return bool(_KEY_LIKE.fullmatch(word)) and (word.endswith("=") or not word.startswith("/"))


def _wrong(name: str, message: str) -> InvalidInputError:
    return InvalidInputError(message, target=name)


def _find_missing(environ: Mapping[str, str], role: AppRole | None) -> Iterator[InvalidInputError]:
    """Of an app whose role cannot be read, find what an app of any role would miss."""
    roles = frozenset(AppRole) if role is None else {role}
    why = f"; an app of role '{role}' needs it" if role in (AppRole.FRONT, AppRole.JANITOR) else ""
    for name, setting in SETTINGS.items():
        if roles <= setting.needed_by and not environ.get(name, "").strip():
            yield _wrong(name, f"the app setting {name} is missing{why}")


def _find_unknown(environ: Mapping[str, str]) -> Iterator[InvalidInputError]:
    """A misspelt name would leave its setting at a default that nobody chose."""
    for name in sorted(environ):
        # Environments of other systems are of one case; a setting's name is not.
        is_ours = name.upper().startswith(PREFIX)
        if not is_ours or name in SETTINGS or name.upper().removeprefix(PREFIX) in OTHERS:
            continue
        close = get_close_matches(name.upper(), SETTINGS, n=1, cutoff=0.8)
        meant = f"; did you mean {close[0]}?" if close else ""
        yield _wrong(name, f"the app setting {name} is unknown{meant}")


def _find_contradictions(values: Mapping[str, Any]) -> Iterator[InvalidInputError]:
    vault, landing = "FLEXVAULT_VAULT_BLOB_ENDPOINT", "FLEXVAULT_LANDING_BLOB_ENDPOINT"
    tables = "FLEXVAULT_TABLE_ENDPOINT"
    for name, other in ((landing, vault), (tables, vault), (tables, landing)):
        if name in values and other in values and _account_of(values[name]) == _account_of(values[other]):
            text = f"the app setting {name} is '{shown(values[name])}'; expected another storage account than {other}'s"
            yield _wrong(name, text)
    if "FLEXVAULT_SOURCE_TENANTS" in values and "FLEXVAULT_FEDERATED_CLIENT_ID" not in values:
        name = "FLEXVAULT_FEDERATED_CLIENT_ID"
        yield _wrong(name, f"the app setting {name} is missing; FLEXVAULT_SOURCE_TENANTS needs it")
    if values.get("FLEXVAULT_ROLE") is AppRole.FRONT and "FLEXVAULT_RETENTION_CLIENT_ID" in values:
        name = "FLEXVAULT_RETENTION_CLIENT_ID"
        text = (
            f"the app setting {name} is '{shown(values[name])}'; expected none: an app of role 'front' may not delete"
        )
        yield _wrong(name, text)


def _account_of(endpoint: str) -> str:
    """Answer the account behind an endpoint: the first label of its host, or the path where there is one."""
    parts = urlsplit(endpoint)
    return (parts.path.strip("/") or str(parts.hostname).partition(".")[0]).lower()
