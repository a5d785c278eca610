"""What the errors of blob storage mean; nothing of the SDK's text is kept, only its error code."""

from http import HTTPStatus

from azure.core.exceptions import AzureError, ClientAuthenticationError

from flexvault.adapters.azure.pipeline import (
    error_code_of,
    is_passing,
    is_refused,
    is_throttled,
    retry_after_of,
    status_of,
)
from flexvault.domain.azure_codes import BLOB_NOT_FOUND, CANNOT_VERIFY_SOURCE
from flexvault.domain.errors import (
    AlreadyExistsError,
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

_EXISTS = frozenset({"BlobAlreadyExists", "ResourceAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"})
SOURCE_HINT = (
    "the source's account must let the signing identity generate a user delegation key and read blobs, "
    "and its network rules must let the target's account in"
)
_PASSING = frozenset({"ContainerBeingDeleted", "OperationTimedOut", "InternalError"})


def is_missing_blob(error: AzureError) -> bool:
    """Answer whether storage says that the blob, and only the blob, does not exist."""
    return error_code_of(error) == BLOB_NOT_FOUND


def classify(error: AzureError, subject: str, *, hint: str = "") -> VaultError:
    """Answer our error for one of the SDK.

    Args:
        error: What the SDK raised; its text may hold a source URL and is dropped.
        subject: The named object, as "blob 'a/b' in container 'points'".
        hint: What a person can do when storage refuses the identity.
    """
    code = error_code_of(error)
    if code in _PASSING:
        return TransientError(f"{subject}: storage says {code}", inner_code=code)
    if code == "ServerBusy" or is_throttled(error):
        return ThrottledError(f"{subject}: storage asks for a pause", retry_after_seconds=retry_after_of(error))
    if is_refused(error):
        return NotAuthorizedError(f"{subject}: storage refuses the identity", hint=hint, inner_code=code)
    if is_passing(error):
        reason = "TokenUnavailable" if isinstance(error, ClientAuthenticationError) else type(error).__name__
        return TransientError(f"{subject} cannot be reached now", inner_code=code or reason)
    return _permanent(status_of(error), code, subject)


def classify_create(error: AzureError, subject: str, *, hint: str = "") -> VaultError:
    """Answer our error for a create-only or conditional write: what is there already is its own kind."""
    if error_code_of(error) in _EXISTS or status_of(error) == HTTPStatus.PRECONDITION_FAILED:
        return AlreadyExistsError(f"{subject} exists")
    return classify(error, subject, hint=hint)


def classify_copy(error: AzureError, subject: str, source: str, *, hint: str = "") -> VaultError:
    """Answer our error for a copy, which two accounts can refuse: the target's own, or the source's by storage.

    Source: `CannotVerifyCopySource` carries the source's status,
    https://learn.microsoft.com/rest/api/storageservices/put-block-from-url.

    Args:
        error: What the SDK raised.
        subject: What was to be written.
        source: What storage was to read for it, by a signed URL.
        hint: What a person can do when the target refuses the identity.
    """
    if error_code_of(error) != CANNOT_VERIFY_SOURCE:
        return classify(error, subject, hint=hint)
    return classify(error, f"{source}, read as source of {subject}", hint=SOURCE_HINT)


def _permanent(status: int, code: str, subject: str) -> VaultError:
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(f"{subject} does not exist", code=code or BLOB_NOT_FOUND)
        case HTTPStatus.CONFLICT:
            return ConflictError(f"{subject}: storage says {code}", code=code or None)
        case HTTPStatus.PRECONDITION_FAILED:
            return PreconditionFailedError(f"{subject} changed while it was read", inner_code=code)
        case HTTPStatus.BAD_REQUEST:
            return InvalidInputError(f"{subject}: storage says {code}", inner_code=code)
        case _:
            message = f"{subject}: storage answers {status} {code}"
            return PermanentError(message, code=code or "StorageRefused", inner_code=str(status))
