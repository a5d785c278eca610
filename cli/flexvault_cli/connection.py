"""Which vault, and as whom: from a local cloud's endpoints file, or from the environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from flexvault_cli.errors import MISUSED, REFUSED, CliError
from flexvault_cli.wire import Json, dig

VARIABLES = ("FLEXVAULT_API_URL", "FLEXVAULT_TOKEN", "FLEXVAULT_VAULT_RESOURCE_ID")
FILE_HINT = "give the file that make run writes: --endpoints .local/endpoints.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the vault answers, and the token to show there.

    Attributes:
        api_url: Base URL of the API, without a final slash.
        token: Bearer token.
        vault_id: Resource id of the vault, beginning with a slash.
        servers: Resource id by name of the servers that a local cloud names; empty in Azure.
    """

    api_url: str
    token: str = field(repr=False)
    vault_id: str
    servers: Mapping[str, str] = field(default_factory=dict[str, str])


def find_connection(endpoints: str | None, person: str, environ: Mapping[str, str]) -> Connection:
    """Read the connection from the endpoints file if one is named, else from the environment.

    Args:
        endpoints: Path of a local cloud's `endpoints.json`, or None.
        person: Whose token to take from that file: reader, operator, contributor or approver.
        environ: The environment variables.

    Raises:
        CliError: The file or a variable is missing or cannot be used, or the local cloud is not running.
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
    return _connect(api_url, token, vault_id)


def _read_endpoints(path: Path, person: str) -> Connection:
    found = _load(path)
    api_url, token, vault_id = (
        _require_text(path, found, member) for member in ("api", f"people.{person}", "vaultResourceId")
    )
    pid = dig(found, "pids.cloud")
    if isinstance(pid, int) and not _is_alive(pid):
        raise CliError(
            f"the local cloud of {path} (process {pid}) is not running any more",
            actions=["start it again with: make run"],
            exit_code=REFUSED,
        )
    servers: Json = found.get("servers") or {}
    ids = {name: str(dig(server, "resourceId")) for name, server in servers.items()}
    return _connect(api_url, token, vault_id, ids)


def _load(path: Path) -> Json:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CliError(
            f"{path} does not exist", actions=["start the local cloud with: make run"], exit_code=MISUSED
        ) from None
    except OSError as error:
        raise CliError(f"cannot read {path}: {error.strerror}", actions=[FILE_HINT], exit_code=MISUSED) from error
    except ValueError as error:
        raise _no_endpoints(path, "it is no JSON") from error
    if not isinstance(found, dict):
        raise _no_endpoints(path, "it is no JSON object")
    return cast("Json", found)


def _require_text(path: Path, found: Json, member: str) -> str:
    value = dig(found, member)
    if not isinstance(value, str):
        raise _no_endpoints(path, f"it has no text '{member}'")
    return value


def _no_endpoints(path: Path, reason: str) -> CliError:
    return CliError(f"{path} is not an endpoints file: {reason}", actions=[FILE_HINT], exit_code=MISUSED)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's, so it lives
        return True
    return True


def _connect(api_url: str, token: str, vault_id: str, servers: Mapping[str, str] | None = None) -> Connection:
    return Connection(
        api_url=api_url.rstrip("/"), token=token, vault_id="/" + vault_id.strip("/"), servers=servers or {}
    )
