"""Find what a vault would refuse of a folder, before anything is sent; the vault's own rules are asked for, not copied.

Reads only, and by a Reader: policies go through `simulatePolicy`, new servers past the doctor.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from urllib.parse import quote

from flexvault_cli.api import VaultApi
from flexvault_cli.apply.folder import Kind, find_member
from flexvault_cli.apply.items import Action, Item
from flexvault_cli.commands.lookup import policy_path
from flexvault_cli.errors import CliError
from flexvault_cli.wire import Json, dig_list

_SERVER_ID = re.compile(
    r"/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+/providers/Microsoft\.DBforPostgreSQL/flexibleServers/[^/]+/?",
    re.IGNORECASE,
)
_SPAN = {"from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
"""Any day does: only whether the policy is understood is asked."""


def find_mistakes(api: VaultApi, items: Sequence[Item], policies: set[str]) -> list[str]:
    """Answer a line for each thing that the vault would refuse, with its file.

    Args:
        api: The vault.
        items: The folder's, compared with the vault.
        policies: Names in lower case of the policies that there are or will be.

    Raises:
        CliError: The vault refused to be asked, or cannot be reached.
    """
    return [
        *(line for item in items for line in _check(api, item, policies)),
        *_find_doubles(items),
    ]


def _check(api: VaultApi, item: Item, policies: set[str]) -> Iterator[str]:
    if item.wanted.kind is Kind.POLICY:
        if item.is_step:
            yield from _ask(api, item, _refuse_policy)
        return
    wrong = [*_check_policy_id(api, item, policies), *_check_server_id(item)]
    yield from (f"{item.wanted.file}: {text}" for text in wrong)
    if not wrong and item.action is Action.CREATE:
        yield from _ask(api, item, _find_obstacles)


def _check_policy_id(api: VaultApi, item: Item, policies: set[str]) -> Iterator[str]:
    policy_id = str(find_member(item.properties, "policyInfo.policyId")).rstrip("/")
    expected = f"{api.connection.vault_id}/{policy_path('')}".lower()
    if not policy_id.lower().startswith(expected) or "/" in policy_id[len(expected) :]:
        yield f"properties.policyInfo.policyId '{policy_id}' is no id of a policy of this vault, nor a policy's name"
    elif item.policy not in policies:
        yield f"there is no policy '{item.policy}', in the folder or in the vault"


def _check_server_id(item: Item) -> Iterator[str]:
    if not _SERVER_ID.fullmatch(item.server):
        yield f"properties.dataSourceInfo.resourceID '{item.server}' is no resource id of a flexible server"
    elif any(line.lower().startswith("datasourceinfo.resourceid:") for line in item.differences):
        yield (
            f"the server of backup instance '{item.wanted.name}' cannot be changed: "
            "give the other server an instance of its own, under another name"
        )


def _find_doubles(items: Sequence[Item]) -> Iterator[str]:
    seen: dict[str, Item] = {}
    for item in items:
        server = item.server.rstrip("/").lower()
        if server and (other := seen.setdefault(server, item)) is not item:
            yield f"{item.wanted.file}: {other.wanted.file} protects the server '{item.server}', too"


def _ask(api: VaultApi, item: Item, question: Callable[[VaultApi, Item], list[str]]) -> list[str]:
    try:
        found = question(api, item)
    except CliError as error:
        if error.status != HTTPStatus.BAD_REQUEST:
            raise
        found = error.message.splitlines()
    return [f"{item.wanted.file}: {text}" for text in found]


def _refuse_policy(api: VaultApi, item: Item) -> list[str]:
    answer = api.post("/vault/simulatePolicy", {"policy": {"properties": item.properties}, **_SPAN})
    return [str(one.get("message")) for one in dig_list(answer, "warnings") if one.get("code") == "MemberIgnored"]


def _find_obstacles(api: VaultApi, item: Item) -> list[str]:
    """Answer why a server cannot be protected: by the same rules as `validateForBackup`, which needs more rights."""
    [examined] = dig_list(api.get(f"/vault/doctor?server={quote(item.server, safe='')}"), "value")
    found = [_tell(finding) for finding in dig_list(examined, "findings") if finding.get("severity") == "Error"]
    other = examined.get("backupInstance")
    if other and not found:
        found = [f"the server is protected by the vault's backup instance '{other}' already: give the file that name"]
    return found


def _tell(finding: Json) -> str:
    remedy = f"; {finding['remedy']}" if finding.get("remedy") else ""
    return f"{finding.get('code')}: {finding.get('message')}{remedy}"
