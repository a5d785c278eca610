"""The source roles of the control identity, checked and granted by itself."""

from collections.abc import Sequence
from typing import Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from flexvault.adapters.azure.arm import Arm, ServerId
from flexvault.adapters.azure.arm_errors import arm_code_of, classify
from flexvault.domain import names, source_roles
from flexvault.domain.errors import TransientError
from flexvault.domain.source_roles import Permission

_PROVIDER = "Microsoft.DBforPostgreSQL"


class AzureRoles:
    """Roles on source servers.

    Args:
        arm: The control identity's way into ARM.
    """

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def find_missing(self, server_id: str) -> Sequence[str]:
        """Ask what the identity may do: a role may come from a group or from another tenant, and still count."""
        return source_roles.find_missing_actions(self._permissions(server_id))

    def can_grant(self, server_id: str) -> bool:
        """Ask whether the identity may assign roles there."""
        return source_roles.allow(self._permissions(server_id), source_roles.GRANT_ACTION)

    def _permissions(self, server_id: str) -> tuple[Permission, ...]:
        place = ServerId.parse(server_id)
        client: Any = self._arm.authorization(place.subscription_id)
        try:
            return tuple(
                Permission(actions=tuple(found.actions or ()), not_actions=tuple(found.not_actions or ()))
                for found in client.permissions.list_for_resource(
                    resource_group_name=place.resource_group,
                    resource_provider_namespace=_PROVIDER,
                    parent_resource_path="",
                    resource_type="flexibleServers",
                    resource_name=place.name,
                )
            )
        except AzureError as error:
            raise self._classify(error, server_id) from None

    def grant(self, server_id: str) -> Sequence[str]:
        """Assign both roles; a repetition meets its own names and changes nothing.

        Raises:
            TransientError: code PrincipalNotFound: the identity is too new for Entra's replicas.
        """
        assigned = [self._assign(server_id, role_id) for role_id, _ in source_roles.ROLES]
        return tuple(name for name in assigned if name)

    def planned_assignments(self, server_id: str) -> Sequence[str]:
        """Derive the names of both assignments."""
        return tuple(self._name(server_id, role_id) for role_id, _ in source_roles.ROLES)

    def remove(self, server_id: str, assignments: Sequence[str]) -> None:
        """Delete assignments by name; who may not delete may still see that there is nothing to delete."""
        for name in assignments:
            self._remove(server_id, name)

    def grant_commands(self, server_id: str) -> str:
        """Answer the commands that grant both roles."""
        return source_roles.grant_commands(server_id, self._arm.find_principal_id(server_id))

    def _remove(self, server_id: str, name: str) -> None:
        client: Any = self._arm.authorization(ServerId.parse(server_id).subscription_id)
        try:
            client.role_assignments.get(scope=server_id, role_assignment_name=name)
            client.role_assignments.delete(scope=server_id, role_assignment_name=name)
        except ResourceNotFoundError:
            return  # or the whole server is gone, with the assignments on it
        except AzureError as error:
            subject = f"role assignment '{name}' on server '{server_id}'"
            hint = source_roles.removal_commands(server_id, [name])
            raise classify(error, subject, hint=hint, target=server_id) from None

    def _name(self, server_id: str, role_id: str) -> str:
        return names.role_assignment_name(server_id, role_id, self._arm.control_principal_id(server_id))

    def _assign(self, server_id: str, role_id: str) -> str:
        """Assign a role; answers the name, or nothing where another assignment gives the same."""
        place = ServerId.parse(server_id)
        principal_id = self._arm.control_principal_id(server_id)
        assignment = self._name(server_id, role_id)
        # Here, not above: the first answer of a starting app would wait for it.
        from azure.mgmt.authorization.v2022_04_01.models import RoleAssignmentCreateParameters  # noqa: PLC0415

        parameters: Any = RoleAssignmentCreateParameters(
            role_definition_id=source_roles.role_definition_id(server_id, role_id),
            principal_id=principal_id,
            principal_type="ServicePrincipal",
        )
        client: Any = self._arm.authorization(place.subscription_id)
        try:
            client.role_assignments.create(scope=server_id, role_assignment_name=assignment, parameters=parameters)
        except AzureError as error:
            if arm_code_of(error) != "RoleAssignmentExists":
                raise self._classify(error, server_id) from None
            # The same role for the same principal under another name serves as well, and stays when protection ends.
            return assignment if self._exists(client, server_id, assignment) else ""
        return assignment

    def _exists(self, client: Any, server_id: str, assignment: str) -> bool:
        try:
            client.role_assignments.get(scope=server_id, role_assignment_name=assignment)
        except ResourceNotFoundError:
            return False
        except AzureError as error:
            raise self._classify(error, server_id) from None
        return True

    def _classify(self, error: AzureError, server_id: str) -> Exception:
        subject = f"roles on server '{server_id}'"
        if arm_code_of(error) == "PrincipalNotFound":
            message = f"{subject}: the control identity is not known everywhere yet"
            return TransientError(message, code="PrincipalNotFound", target=server_id)
        return classify(error, subject, hint=self.grant_commands(server_id), target=server_id)
