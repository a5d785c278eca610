"""The operations of the provider, as role definitions name them: they are the operation table's."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from flexvault.api.call import Answer, ApiOperation, Call
from flexvault.api.pages import answer_page, read_page
from flexvault.api.resource_ids import PROVIDER
from flexvault.api.roles import Role

_VERBS = {"read": "Read", "write": "Create or change", "delete": "Delete"}
_PLACE = re.compile(r"[A-Za-z.]+(/[A-Za-z]+)+")


def operations_lister(table: Callable[[], Sequence[ApiOperation]]) -> Callable[[Call], Answer]:
    """Make the handler that lists a table, which the handler's own row is part of."""

    def list_operations(call: Call) -> Answer:
        """List what the provider can do, each operation once, by name."""
        page = read_page(call, _PLACE)
        roles = {operation.name: operation.role for operation in table()}
        names = (name for name in sorted(roles) if name > page.after)
        return answer_page(call, page, names, str, lambda name: _show(name, roles[name]))

    return list_operations


def _show(name: str, role: Role | None) -> dict[str, Any]:
    *path, verb = name.removeprefix(f"{PROVIDER}/").split("/")
    action = path.pop() if verb == "action" else ""
    resource = _words(path[-1]) if path else "provider"
    text = _words(action).capitalize() if action else f"{_VERBS[verb]} {resource}"
    needs = f"needs the role {role}" if role else "is open to everybody"
    return {
        "name": name,
        "isDataAction": False,
        "display": {
            "provider": "flexvault",
            "resource": resource.capitalize(),
            "operation": text,
            "description": f"{text} ({resource}); {needs}",
        },
        "origin": "user",
        "actionType": None,
    }


def _words(name: str) -> str:
    """Write `backupInstances` as `backup instances`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
