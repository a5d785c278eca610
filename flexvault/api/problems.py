"""Every failure as an ARM error: one mapping from the vault's errors to statuses, one shape for all."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flexvault.domain.errors import (
    AlreadyExistsError,
    ApprovalRequiredError,
    ConflictError,
    IntegrityError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    PermanentError,
    PreconditionFailedError,
    ThrottledError,
    TransientError,
    VaultError,
)
from flexvault.services.operations import describe_error

TRY_AGAIN = "try again in a moment; if it lasts, look at the health of the service that is named"


class RefusedError(PermanentError):
    """The door or the router refuses a request before any service sees it.

    Attributes:
        status: The HTTP status of the answer.
        headers: Headers that belong to this refusal, such as Allow.
    """

    def __init__(
        self,
        message: str,
        *,
        status: HTTPStatus,
        code: str,
        headers: Mapping[str, str] | None = None,
        hint: str = "",
        target: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint, target=target)
        self.status = status
        self.headers = dict(headers or {})


_STATUSES: tuple[tuple[type[VaultError], HTTPStatus], ...] = (
    (InvalidInputError, HTTPStatus.BAD_REQUEST),
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (PreconditionFailedError, HTTPStatus.PRECONDITION_FAILED),
    (ConflictError, HTTPStatus.CONFLICT),
    (AlreadyExistsError, HTTPStatus.CONFLICT),
    # Not 500: SDKs repeat a 500 for minutes, and a point that was tampered with stays so.
    (IntegrityError, HTTPStatus.CONFLICT),
    (NotAuthorizedError, HTTPStatus.FORBIDDEN),
    (ApprovalRequiredError, HTTPStatus.FORBIDDEN),
    (ThrottledError, HTTPStatus.TOO_MANY_REQUESTS),
    (TransientError, HTTPStatus.SERVICE_UNAVAILABLE),
    (PermanentError, HTTPStatus.BAD_REQUEST),
)
_RETRY_SECONDS = 5


def status_of(error: VaultError) -> HTTPStatus:
    """Answer the HTTP status of an error: the first kind of the table that it is."""
    if isinstance(error, RefusedError):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def headers_of(error: VaultError) -> dict[str, str]:
    """Answer the headers that an error asks for."""
    headers = dict(error.headers) if isinstance(error, RefusedError) else {}
    if isinstance(error, TransientError):
        headers["Retry-After"] = str(error.retry_after_seconds or _RETRY_SECONDS)
    return headers


def body_of(error: VaultError, activity_id: str) -> dict[str, Any]:
    """Write an error as the body of an answer."""
    is_user_error = status_of(error) < HTTPStatus.INTERNAL_SERVER_ERROR
    facing = {"is_retryable": isinstance(error, TransientError), "is_user_error": is_user_error}
    return {"error": arm_error(describe_error(error), activity_id, **facing)}


def arm_error(
    described: Mapping[str, Any], activity_id: str, *, is_retryable: bool = False, is_user_error: bool = True
) -> dict[str, Any]:
    """Write a described error in ARM's shape, with Azure Backup's UserFacingError beside it.

    Args:
        described: What `flexvault.services.operations.describe_error` made, now or in an operation's row.
        activity_id: The request's correlation id, by which the logs are found.
        is_retryable: The same request may succeed later.
        is_user_error: The caller can mend it.
    """
    details = [detail_of(detail) for detail in described.get("details", [])]
    hint = described.get("hint") or (TRY_AGAIN if is_retryable else "")
    info: dict[str, Any] = {
        "code": described["code"],
        "message": described["message"],
        "target": described.get("target") or None,
        "recommendedAction": [hint] if hint else [],
        "isRetryable": is_retryable,
        "isUserError": is_user_error,
        "details": details,
        "properties": {"ActivityId": activity_id},
    }
    if described.get("inner_code"):
        info["innerError"] = {"code": described["inner_code"]}
    return {
        "code": described["code"],
        "message": described["message"],
        "target": described.get("target") or None,
        "details": details,
        "additionalInfo": [{"type": "UserFacingError", "info": info}],
    }


def error_of(described: Mapping[str, Any]) -> InvalidInputError:
    """Make an error of what an operation's row says, for a client that asks what the operation came to."""
    return InvalidInputError(
        described["message"],
        code=described["code"],
        hint=described.get("hint", ""),
        target=described.get("target", ""),
        inner_code=described.get("inner_code", ""),
        details=tuple(error_of(detail) for detail in described.get("details", [])),
    )


def detail_of(described: Mapping[str, Any]) -> dict[str, Any]:
    """Write one of several mistakes of the same input."""
    return {"code": described["code"], "message": described["message"], "target": described.get("target") or None}


def internal_error(correlation_id: str) -> RefusedError:
    """Answer what a client is told when something unexpected happened: nothing but where to look."""
    return RefusedError(
        f"an unexpected error happened; the vault's log names it under correlation id {correlation_id}",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code="InternalServerError",
        hint="try again later; if it happens again, look into the vault's log with this correlation id",
    )
