"""What several commands need: paths, policies from files, instances by name."""

import json
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from flexvault_cli.api import VaultApi
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.wire import Json, dig

POLICY_HINT = "cli/README.md shows a whole policy"


def read_policy(file: str) -> tuple[object, Any]:
    """Answer the name in a policy's file, if it has one, and the properties: the file's member, or all of it."""
    document = _read_object(file)
    properties = document.get("properties") or {key: value for key, value in document.items() if key != "name"}
    return document.get("name"), properties


def find_policy(api: VaultApi, wanted: str) -> Json:
    """Answer a policy for the body of a request: of a file when there is one, else the vault's of that name."""
    is_file = Path(wanted).is_file() or "/" in wanted or wanted.endswith(".json")
    properties = read_policy(wanted)[1] if is_file else api.get(policy_path(wanted))["properties"]
    return {"properties": properties}


def policy_path(name: str) -> str:
    """Answer a policy's path below the vault."""
    return resource_path("backupPolicies", name)


def resource_path(collection: str, name: str) -> str:
    """Answer the path below the vault of a resource of a collection."""
    return f"{collection}/{quote(name, safe='')}"


def instance_path(instance: Json) -> str:
    """Answer an instance's path below the vault."""
    return resource_path("backupInstances", instance["name"])


def own_path(instance: Json) -> str:
    """Answer an instance's path in the part of the API that Azure Backup does not have."""
    return f"/vault/{instance_path(instance)}"


def find_instance(api: VaultApi, wanted: str) -> Json:
    """Find an instance by its own name, or by its server's name while only one instance has it.

    The soft-deleted ones, which Azure Backup lists apart, are looked at when there is no other.
    """
    found = _find_by_name(api.list_all("backupInstances"), wanted)
    found = found or _find_by_name(api.list_all("deletedBackupInstances"), wanted)
    if found:
        return found
    raise CliError(f"no backup instance is called {wanted}", actions=["see: flexvault instance list"])


def find_any_name(api: VaultApi, wanted: str) -> str:
    """Answer the name of an instance by its own or its server's name; the word itself when no such instance is left."""
    found = _find_by_name(api.list_all("backupInstances"), wanted)
    found = found or _find_by_name(api.list_all("deletedBackupInstances"), wanted)
    return str(found["name"]) if found else wanted


def find_undeletable(api: VaultApi, wanted: str) -> Json:
    """Find an instance to be undeleted by its own name, or by its server's: the soft-deleted ones come first.

    One that is not soft-deleted may just have been undeleted: the vault knows that.
    """
    found = _find_by_name(api.list_all("deletedBackupInstances"), wanted)
    found = found or _find_by_name(api.list_all("backupInstances"), wanted)
    if found:
        return found
    raise CliError(f"no soft-deleted backup instance is called {wanted}", actions=["see: flexvault instance deleted"])


def _find_by_name(instances: list[Json], wanted: str) -> Json | None:
    by_name = [one for one in instances if str(one["name"]).lower() == wanted.lower()]
    by_server = [one for one in instances if str(dig(one, "properties.friendlyName")).lower() == wanted.lower()]
    matches = by_name or by_server
    if len(matches) == 1:
        return matches[0]
    if not matches:
        return None
    names = ", ".join(str(found["name"]) for found in matches)
    raise CliError(f"several backup instances protect {wanted}", actions=[f"give the name of one: {names}"])


def _read_object(file: str) -> Json:
    try:
        document: Any = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"cannot read {file}: {error.strerror}", exit_code=MISUSED) from error
    except ValueError as error:
        raise CliError(f"{file} is no JSON: {error}", actions=[POLICY_HINT], exit_code=MISUSED) from error
    if not isinstance(document, dict):
        raise CliError(f"{file} holds no JSON object", actions=[POLICY_HINT], exit_code=MISUSED)
    return cast("Json", document)
