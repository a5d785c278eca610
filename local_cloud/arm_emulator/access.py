"""Who may do what: role assignments, and the one check that every ARM call passes.

As in Azure an assignment holds at its scope and everything below it, takes effect some time after it was made, and
ends at once when it is deleted. Azure's own delay is minutes; the emulator's is a setting.
"""

import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from local_cloud.arm_emulator import ledger
from local_cloud.arm_emulator.clock import Clock, parse_time
from local_cloud.arm_emulator.conditions import PRINCIPAL, ROLE_DEFINITION, ConditionError, Facts, check, fulfils
from local_cloud.arm_emulator.config import EmulatorConfig
from local_cloud.arm_emulator.ledger import Ledger
from local_cloud.arm_emulator.problems import ArmError, authorization_failed, bad_request, conflict
from local_cloud.arm_emulator.roles import OWNER_ROLE, RoleDefinition, find_role
from local_cloud.arm_emulator.tokens import Principal

_NAMESPACE = uuid.UUID("6f0d2b1c-5c0e-4d0f-9a55-9b1f6c2f7a10")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleAssignment:
    """One principal holds one role at one scope."""

    name: str
    """A GUID, unique in the whole cloud."""
    scope: str
    """A resource id without final slash; the empty text is the root of all scopes."""
    role: RoleDefinition
    role_definition_id: str
    principal_id: str
    created_at: datetime
    effective_at: datetime
    optional: Mapping[str, Any]
    """`principalType`, `description`, `condition`, `conditionVersion` as they were sent."""

    @property
    def resource_id(self) -> str:
        return f"{self.scope}/providers/Microsoft.Authorization/roleAssignments/{self.name}"

    @property
    def condition(self) -> str:
        return str(self.optional.get("condition", ""))

    @property
    def attributes(self) -> dict[str, str]:
        """What conditions may compare of an assignment."""
        return {ROLE_DEFINITION: self.role.role_id, PRINCIPAL: self.principal_id}

    def covers(self, scope: str) -> bool:
        """Tell whether the assignment's scope is the given one or above it."""
        return f"{scope.lower()}/".startswith(f"{self.scope.lower()}/")

    def grants_the_same_as(self, other: "RoleAssignment") -> bool:
        """Tell whether both give the same role to the same principal at the same scope."""
        return (self.scope.lower(), self.role.role_id, self.principal_id.lower()) == (
            other.scope.lower(),
            other.role.role_id,
            other.principal_id.lower(),
        )


class AccessControl:
    """The role assignments of the emulated cloud. Every change is an event first."""

    def __init__(self, config: EmulatorConfig, log: Ledger, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._delay = timedelta(seconds=config.role_delay_seconds)
        self._lock = threading.RLock()
        self._assignments: dict[str, RoleAssignment] = {}
        self._keep_initial("", OWNER_ROLE, config.owner)
        for given in config.role_assignments:
            self._keep_initial(given.scope, given.role_definition_id, given.principal_id, given.condition)
        for event in log.events(ledger.ROLE_ASSIGNMENT_CREATED, ledger.ROLE_ASSIGNMENT_DELETED):
            self._apply(event)

    def require(self, principal: Principal, action: str, scope: str, facts: Facts | None = None) -> None:
        """Let a call pass if a role of the caller, at the scope or above it, allows the action now.

        Args:
            principal: The caller.
            action: What it wants to do.
            scope: Where.
            facts: What conditions are judged by; nothing where only the action is known.

        Raises:
            ArmError: 403 `AuthorizationFailed`, naming the caller, the action and the scope.
        """
        facts = facts or Facts(action=action)
        permitting = [held for held in self.effective(principal, scope) if held.role.permits(action)]
        if any(not held.condition or fulfils(held.condition, facts) for held in permitting):
            return
        raise authorization_failed(
            principal.client_id, principal.object_id, action, scope or "/", by_condition=bool(permitting)
        )

    def effective(self, principal: Principal, scope: str) -> list[RoleAssignment]:
        """Return the assignments that give the caller rights at a scope at this moment."""
        now = self._clock()
        return [
            assignment
            for assignment in self.all()
            if assignment.principal_id.lower() == principal.object_id.lower()
            and assignment.covers(scope)
            and assignment.effective_at <= now
        ]

    def reaches(self, principal: Principal, scope: str) -> bool:
        """Tell whether the caller holds any role at a scope, above it or below it."""
        below = f"{scope.lower()}/"
        return bool(self.effective(principal, scope)) or any(
            assignment.scope.lower().startswith(below)
            for assignment in self.all()
            if assignment.principal_id.lower() == principal.object_id.lower()
            and assignment.effective_at <= self._clock()
        )

    def all(self) -> list[RoleAssignment]:
        """Return every assignment, also those that do not yet take effect."""
        with self._lock:
            return list(self._assignments.values())

    def find(self, scope: str, name: str) -> RoleAssignment | None:
        """Find an assignment by its scope and name."""
        with self._lock:
            found = self._assignments.get(name.lower())
        return found if found is not None and found.scope.lower() == scope.lower() else None

    def put(self, scope: str, name: str, properties: Mapping[str, Any]) -> tuple[RoleAssignment, bool]:
        """Create an assignment, or find that it exists; the second value tells whether it is new.

        Raises:
            ArmError: 400 for a name that is no GUID, a missing member, or a name that stands for another grant;
                404 for an unknown role; 409 when the same grant exists under another name.
        """
        wanted = self._read(scope, name, properties)
        with self._lock:
            present = self._assignments.get(name.lower())
            if present is not None:
                if not present.grants_the_same_as(wanted):
                    raise bad_request(
                        "RoleAssignmentUpdateNotPermitted",
                        "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                    )
                return present, False
            for other in self._assignments.values():
                if other.grants_the_same_as(wanted):
                    raise conflict(
                        "RoleAssignmentExists",
                        f"The role assignment already exists. The ID of the existing role assignment is {other.name}.",
                    )
            self._apply(self._log.append(ledger.ROLE_ASSIGNMENT_CREATED, **_members(wanted)))
            return self._assignments[name.lower()], True

    def delete(self, assignment: RoleAssignment) -> None:
        """Delete an assignment; it ends at once."""
        with self._lock:
            if assignment.name.lower() in self._assignments:
                self._apply(self._log.append(ledger.ROLE_ASSIGNMENT_DELETED, **_members(assignment)))

    def delete_below(self, scope: str) -> None:
        """Delete the assignments at a resource that is gone, and below it."""
        for assignment in self.all():
            if f"{assignment.scope.lower()}/".startswith(f"{scope.lower()}/"):
                self.delete(assignment)

    def _read(self, scope: str, name: str, properties: Mapping[str, Any]) -> RoleAssignment:
        if not _GUID.fullmatch(name):
            raise bad_request(
                "InvalidRoleAssignmentId",
                f"The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.",
            )
        for member in ("roleDefinitionId", "principalId"):
            if not isinstance(properties.get(member), str):
                raise bad_request("InvalidRequestContent", f"properties.{member} is required and must be a text.")
        if properties.get("condition") is not None:
            _require_judgeable(properties["condition"])
        role = find_role(properties["roleDefinitionId"])
        if role is None:
            role_id = properties["roleDefinitionId"].rpartition("/")[2]
            raise ArmError(
                HTTPStatus.NOT_FOUND,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{role_id}' does not exist.",
            )
        now = self._clock()
        return RoleAssignment(
            name=name,
            scope=scope,
            role=role,
            role_definition_id=properties["roleDefinitionId"],
            principal_id=properties["principalId"],
            created_at=now,
            effective_at=now + self._delay,
            optional={
                key: properties[key]
                for key in ("principalType", "description", "condition", "conditionVersion")
                if properties.get(key) is not None
            },
        )

    def _keep_initial(self, scope: str, role_definition_id: str, principal_id: str, condition: str = "") -> None:
        if condition:
            check(condition)
        role = find_role(role_definition_id)
        if role is None:
            raise ValueError(f"the emulator knows no role {role_definition_id!r}; hint: see roles.py")
        scope = scope.rstrip("/")
        name = str(uuid.uuid5(_NAMESPACE, f"{scope.lower()}|{role.role_id}|{principal_id.lower()}"))
        since = self._clock()
        self._assignments[name] = RoleAssignment(
            name=name,
            scope=scope,
            role=role,
            role_definition_id=f"/providers/Microsoft.Authorization/roleDefinitions/{role.role_id}",
            principal_id=principal_id,
            created_at=since,
            effective_at=since,
            optional={"condition": condition, "conditionVersion": "2.0"} if condition else {},
        )

    def _apply(self, event: ledger.Event) -> None:
        name = event["name"].lower()
        if event["event"] == ledger.ROLE_ASSIGNMENT_DELETED:
            self._assignments.pop(name, None)
            return
        role = find_role(event["roleDefinitionId"])
        if role is None:
            return  # a role that this version no longer knows grants nothing
        created_at = parse_time(event["at"])
        self._assignments[name] = RoleAssignment(
            name=event["name"],
            scope=event["scope"],
            role=role,
            role_definition_id=event["roleDefinitionId"],
            principal_id=event["principalId"],
            created_at=created_at,
            effective_at=created_at + self._delay,
            optional=event["optional"],
        )


def _require_judgeable(condition: object) -> None:
    try:
        check(str(condition))
    except ConditionError as error:
        raise bad_request("InvalidCondition", f"The condition of the role assignment is not valid: {error}.") from error


def _members(assignment: RoleAssignment) -> dict[str, Any]:
    return {
        "name": assignment.name,
        "scope": assignment.scope,
        "roleDefinitionId": assignment.role_definition_id,
        "principalId": assignment.principal_id,
        "optional": dict(assignment.optional),
    }
