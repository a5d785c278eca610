"""Microsoft.Authorization: role definitions, role assignments, and what a caller may do.

Every scope is a resource id. A resource that the emulator does not know does not exist, except for what lies inside
a known one (a container of a storage account, say).
"""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from local_cloud.arm_emulator.access import RoleAssignment
from local_cloud.arm_emulator.clock import wire_time
from local_cloud.arm_emulator.conditions import PRINCIPAL, ROLE_DEFINITION, Facts
from local_cloud.arm_emulator.problems import ArmError, bad_request, resource_not_found
from local_cloud.arm_emulator.resources import SERVER_TYPE, STORAGE_TYPE
from local_cloud.arm_emulator.roles import BUILT_IN_ROLES, RoleDefinition, find_role
from local_cloud.arm_emulator.routing import AUTHORIZATION, Answer, Call, Operation

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator

_ASSIGNMENTS = f"{AUTHORIZATION}/roleAssignments"
_WRITE, _DELETE = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"
_DEFINITIONS = f"{AUTHORIZATION}/roleDefinitions"
_SCOPE = re.compile(
    r"/subscriptions/(?P<subscription>[^/]+)"
    r"(?:/resourceGroups/(?P<group>[^/]+)"
    r"(?:/providers/(?P<provider>[^/]+)/(?P<type>[^/]+)/(?P<name>[^/]+)(?:/.*)?)?)?",
    re.IGNORECASE,
)
_FILTER_BY_PRINCIPAL = re.compile(r"principalId\s+eq\s+'([^']+)'|assignedTo\('([^']+)'\)", re.IGNORECASE)
_FILTER_BY_ROLE_NAME = re.compile(r"roleName\s+eq\s+'([^']+)'", re.IGNORECASE)


def _list_definitions(emulator: "Emulator", call: Call) -> Answer:
    _require_scope_exists(emulator, call)
    wanted = _FILTER_BY_ROLE_NAME.search(call.query.get("$filter", ""))
    names = None if wanted is None else wanted.group(1).lower()
    shown = [_definition_view(role) for role in BUILT_IN_ROLES if names is None or role.name.lower() == names]
    return Answer(body={"value": shown})


def _get_definition(emulator: "Emulator", call: Call) -> Answer:
    _require_scope_exists(emulator, call)
    role = find_role(call.params["name"])
    if role is None:
        raise ArmError(
            HTTPStatus.NOT_FOUND,
            "RoleDefinitionDoesNotExist",
            f"The specified role definition with ID '{call.params['name']}' does not exist.",
        )
    return Answer(body=_definition_view(role))


def _list_assignments(emulator: "Emulator", call: Call) -> Answer:
    _require_scope_exists(emulator, call)
    scope, wanted = call.params["scope"], call.query.get("$filter", "")
    by_principal = _FILTER_BY_PRINCIPAL.search(wanted)
    principal = None if by_principal is None else (by_principal.group(1) or by_principal.group(2)).lower()
    includes_below = "atscope()" not in wanted.lower()
    found = [
        _assignment_view(assignment)
        for assignment in emulator.access.all()
        if (assignment.covers(scope) or (includes_below and _lies_below(assignment, scope)))
        and (principal is None or assignment.principal_id.lower() == principal)
    ]
    return Answer(body={"value": found})


def _put_assignment(emulator: "Emulator", call: Call) -> Answer:
    _require_scope_exists(emulator, call)
    properties: Any = call.body.get("properties")
    if not isinstance(properties, dict):
        raise bad_request("InvalidRequestContent", "The request content was invalid: properties is required.")
    assignment, is_new = emulator.access.put(call.params["scope"], call.params["name"], call.member("properties"))
    return Answer(status=HTTPStatus.CREATED if is_new else HTTPStatus.OK, body=_assignment_view(assignment))


def _get_assignment(emulator: "Emulator", call: Call) -> Answer:
    _require_scope_exists(emulator, call)
    assignment = emulator.access.find(call.params["scope"], call.params["name"])
    if assignment is None:
        raise ArmError(
            HTTPStatus.NOT_FOUND,
            "RoleAssignmentNotFound",
            f"The role assignment '{call.params['name']}' is not found.",
        )
    return Answer(body=_assignment_view(assignment))


def _delete_assignment(emulator: "Emulator", call: Call) -> Answer:
    assignment = emulator.access.find(call.params["scope"], call.params["name"])
    if assignment is None:
        return Answer(status=HTTPStatus.NO_CONTENT)
    emulator.access.delete(assignment)
    return Answer(body=_assignment_view(assignment))


def _facts_of_put(_emulator: "Emulator", call: Call) -> Facts:
    role_id = str(call.member("properties", "roleDefinitionId") or "").rstrip("/").rpartition("/")[2]
    request = {ROLE_DEFINITION: role_id, PRINCIPAL: str(call.member("properties", "principalId") or "")}
    return Facts(action=_WRITE, request=request)


def _facts_of_delete(emulator: "Emulator", call: Call) -> Facts:
    assignment = emulator.access.find(call.params["scope"], call.params["name"])
    return Facts(action=_DELETE, resource={} if assignment is None else assignment.attributes)


def _list_permissions(emulator: "Emulator", call: Call) -> Answer:
    # Nobody needs a right to ask for the own ones; without any the list is empty.
    _require_scope_exists(emulator, call)
    mine = emulator.access.effective(call.principal, call.params["scope"])
    return Answer(body={"value": [{**assignment.role.permissions(), **_condition(assignment)} for assignment in mine]})


def _require_scope_exists(emulator: "Emulator", call: Call) -> None:
    scope = call.params["scope"]
    if not scope:
        return
    match = _SCOPE.fullmatch(scope)
    if match is None:
        raise bad_request("InvalidScope", f"The scope '{scope}' is not a resource id.")
    subscription, group, name = match["subscription"], match["group"], match["name"]
    kind = f"{match['provider']}/{match['type']}"
    if group is None:
        emulator.inventory.get_subscription(subscription)
    elif name is None:
        emulator.inventory.get_resource_group(subscription, group)
    elif kind.lower() == SERVER_TYPE.lower():
        emulator.inventory.get_server(subscription, group, name)
    elif kind.lower() == STORAGE_TYPE.lower():
        emulator.inventory.get_storage_account(subscription, group, name)
    else:
        emulator.inventory.get_resource_group(subscription, group)
        raise resource_not_found(kind, name, group)


def _lies_below(assignment: RoleAssignment, scope: str) -> bool:
    return assignment.scope.lower().startswith(f"{scope.lower()}/")


def _condition(assignment: RoleAssignment) -> dict[str, Any]:
    return {key: assignment.optional[key] for key in ("condition", "conditionVersion") if key in assignment.optional}


def _definition_view(role: RoleDefinition) -> dict[str, Any]:
    return {
        "id": f"/providers/Microsoft.Authorization/roleDefinitions/{role.role_id}",
        "name": role.role_id,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [role.permissions()],
        },
    }


def _assignment_view(assignment: RoleAssignment) -> dict[str, Any]:
    created_on = wire_time(assignment.created_at)
    return {
        "id": assignment.resource_id,
        "name": assignment.name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": assignment.role_definition_id,
            "principalId": assignment.principal_id,
            "scope": assignment.scope or "/",
            "createdOn": created_on,
            "updatedOn": created_on,
            **assignment.optional,
        },
    }


OPERATIONS = (
    Operation(
        name="RoleDefinitions_List",
        method="GET",
        path=_DEFINITIONS,
        handler=_list_definitions,
        action="Microsoft.Authorization/roleDefinitions/read",
        scope="{scope}",
    ),
    Operation(
        name="RoleDefinitions_Get",
        method="GET",
        path=f"{_DEFINITIONS}/{{name}}",
        handler=_get_definition,
        action="Microsoft.Authorization/roleDefinitions/read",
        scope="{scope}",
    ),
    Operation(
        name="RoleAssignments_ListForScope",
        method="GET",
        path=_ASSIGNMENTS,
        handler=_list_assignments,
        action="Microsoft.Authorization/roleAssignments/read",
        scope="{scope}",
    ),
    Operation(
        name="RoleAssignments_Create",
        method="PUT",
        path=f"{_ASSIGNMENTS}/{{name}}",
        handler=_put_assignment,
        action=_WRITE,
        scope="{scope}",
        facts=_facts_of_put,
    ),
    Operation(
        name="RoleAssignments_Get",
        method="GET",
        path=f"{_ASSIGNMENTS}/{{name}}",
        handler=_get_assignment,
        action="Microsoft.Authorization/roleAssignments/read",
        scope="{scope}",
    ),
    Operation(
        name="RoleAssignments_Delete",
        method="DELETE",
        path=f"{_ASSIGNMENTS}/{{name}}",
        handler=_delete_assignment,
        action=_DELETE,
        scope="{scope}",
        facts=_facts_of_delete,
    ),
    Operation(
        name="Permissions_List",
        method="GET",
        path=f"{AUTHORIZATION}/permissions",
        handler=_list_permissions,
        action=None,
    ),
)
