"""Which vault, and as whom: from a local cloud's endpoints file, or from the environment."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flexvault_cli.errors import MISUSED, CliError

VARIABLES = ("FLEXVAULT_API_URL", "FLEXVAULT_TOKEN", "FLEXVAULT_VAULT_RESOURCE_ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the vault answers, and the token to show there.

    Attributes:
        api_url: Base URL of the API, without a final slash.
        token: Bearer token.
        vault_id: Resource id of the vault, beginning with a slash.
    """

    api_url: str
    token: str = field(repr=False)
    vault_id: str


def find_connection(endpoints: str | None, person: str, environ: Mapping[str, str]) -> Connection:
    """Read the connection from the endpoints file if one is named, else from the environment.

    Args:
        endpoints: Path of a local cloud's `endpoints.json`, or None.
        person: Whose token to take from that file: reader, operator, contributor or approver.
        environ: The environment variables.

    Raises:
        CliError: The file or a variable is missing or cannot be used.
    """
    if endpoints is not None:
        return _read_endpoints(Path(endpoints), person)
    if missing := [name for name in VARIABLES if not environ.get(name)]:
        raise CliError(
            f"no vault is named: {', '.join(missing)} not set",
            actions=["set the variables, or give --endpoints .local/endpoints.json"],
            exit_code=MISUSED,
        )
    api_url, token, vault_id = (environ[name] for name in VARIABLES)
    return _connection(api_url, token, vault_id)


def _read_endpoints(path: Path, person: str) -> Connection:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return _connection(found["api"], found["people"][person], found["vaultResourceId"])
    except FileNotFoundError:
        raise CliError(
            f"{path} does not exist", actions=["start the local cloud with: make run"], exit_code=MISUSED
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise CliError(f"{path} is not an endpoints file: {error!r}", exit_code=MISUSED) from error


def _connection(api_url: str, token: str, vault_id: str) -> Connection:
    return Connection(api_url=api_url.rstrip("/"), token=token, vault_id="/" + vault_id.strip("/"))
