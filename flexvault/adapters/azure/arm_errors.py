"""What ARM's errors mean, by their code first: the status of many codes is not documented."""

from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from flexvault.adapters.azure.pipeline import is_passing, is_refused, is_throttled, retry_after_of, status_of
from flexvault.domain.errors import (
    ConflictError,
    InvalidInputError,
    NotAuthorizedError,
    NotFoundError,
    PermanentError,
    PreconditionFailedError,
    ThrottledError,
    TransientError,
    VaultError,
)
from flexvault.domain.redaction import redact

BUSY = frozenset({"ServerIsBusy", "ServerBusy", "ServerNotReadyForLongTermBackup"})
_REFUSED = frozenset({"AuthorizationFailed", "LinkedAuthorizationFailed", "Forbidden"})
_MISSING = frozenset({"ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound", "NotFound"})
_THROTTLED = frozenset({"TooManyRequests", "SubscriptionRequestsThrottled", "OperationThrottled"})
_KINDS = {HTTPStatus.NOT_FOUND.value: NotFoundError, HTTPStatus.CONFLICT.value: ConflictError}
_MAX_MESSAGE = 500


def arm_code_of(error: AzureError) -> str:
    """Answer the code in ARM's error body; "" when the answer has none."""
    return str(getattr(_body_of(error), "code", None) or "")


def is_without_token(error: AzureError) -> bool:
    """Answer whether there was no token, so that surely nothing was sent."""
    return isinstance(error, ClientAuthenticationError) and error.response is None


def classify(error: AzureError, subject: str, *, hint: str = "", target: str = "") -> VaultError:
    """Answer our error for one of the SDK.

    Args:
        error: What the SDK raised; of its text only ARM's own message is used, redacted.
        subject: The named object, as "server '/subscriptions/...'".
        hint: What a person can do when ARM refuses the identity.
        target: The resource id.
    """
    code = arm_code_of(error)
    text = f"{subject}: {_explain(error)}"
    if is_without_token(error):
        return TransientError(text, code="TokenUnavailable", target=target)
    if code in _REFUSED or (is_refused(error) and code not in BUSY):
        return NotAuthorizedError(text, hint=hint, inner_code=code, target=target)
    if code in _THROTTLED or (is_throttled(error) and code not in BUSY):
        pause = retry_after_of(error)
        return ThrottledError(text, retry_after_seconds=pause, inner_code=code, target=target)
    # By code before by status: which status ARM sends with "busy" is not documented.
    if is_passing(error) and code not in BUSY | _MISSING:
        pause = retry_after_of(error)
        return TransientError(text, retry_after_seconds=pause, inner_code=code, target=target)
    return _permanent(status_of(error), code, text, target)


def _permanent(status: int, code: str, text: str, target: str) -> VaultError:
    kind = ConflictError if code in BUSY else NotFoundError if code in _MISSING else _KINDS.get(status)
    if kind is not None:
        return kind(text, code=code or None, target=target)
    match status:
        case HTTPStatus.PRECONDITION_FAILED:
            return PreconditionFailedError(text, inner_code=code, target=target)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
            return InvalidInputError(text, inner_code=code, target=target)
        case _:
            return PermanentError(text, code=code or "ArmRefused", inner_code=str(status), target=target)


def _explain(error: AzureError) -> str:
    body = _body_of(error)
    message: Any = getattr(body, "message", None)
    if message:
        return redact(str(message))[:_MAX_MESSAGE]
    if is_without_token(error):
        return "no token could be had"
    return f"ARM answered {status_of(error)}" if status_of(error) else f"ARM did not answer ({type(error).__name__})"


def _body_of(error: AzureError) -> Any:
    # Only a body that came as ARM's error JSON: the SDK fills the same field with nothing else.
    return error.error if isinstance(error, HttpResponseError) and error.response is not None else None
