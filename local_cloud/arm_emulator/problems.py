"""Errors as ARM writes them: `{"error": {"code", "message"}}` and the header `x-ms-error-code`.

The shape is the common error response of Azure Resource Manager:
https://github.com/microsoft/api-guidelines/blob/vNext/azure/Guidelines.md#handling-errors
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType


class ArmError(Exception):
    """A refusal that the caller sees: an HTTP status, a stable code, a message for people."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = {"x-ms-error-code": code, **headers}

    def body(self) -> dict[str, object]:
        """Return the JSON body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}


def bad_request(code: str, message: str) -> ArmError:
    """The request itself is wrong; repeating it cannot help."""
    return ArmError(HTTPStatus.BAD_REQUEST, code, message)


def conflict(code: str, message: str) -> ArmError:
    """The state of the resource forbids the request now."""
    return ArmError(HTTPStatus.CONFLICT, code, message)


def resource_not_found(resource_type: str, name: str, resource_group: str) -> ArmError:
    """No such resource, in Azure's words."""
    return ArmError(
        HTTPStatus.NOT_FOUND,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{resource_group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def resource_group_not_found(name: str) -> ArmError:
    """No such resource group, in Azure's words."""
    return ArmError(HTTPStatus.NOT_FOUND, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def subscription_not_found(subscription_id: str) -> ArmError:
    """No such subscription, in Azure's words."""
    return ArmError(
        HTTPStatus.NOT_FOUND, "SubscriptionNotFound", f"The subscription '{subscription_id}' could not be found."
    )


def authorization_failed(
    client_id: str, object_id: str, action: str, scope: str, *, by_condition: bool = False
) -> ArmError:
    """The caller holds no role for the action, or only ones whose condition is not fulfilled; in Azure's words."""
    reason = "authorization or an ABAC condition not fulfilled" if by_condition else "authorization"
    return ArmError(
        HTTPStatus.FORBIDDEN,
        "AuthorizationFailed",
        f"The client '{client_id}' with object id '{object_id}' does not have {reason} to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials.",
    )
