"""What the errors of Table Storage mean; nothing of the SDK's text is kept, only its error code."""

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from flexvault.adapters.azure.pipeline import (
    error_code_of,
    is_passing,
    is_refused,
    is_throttled,
    retry_after_of,
    status_of,
)
from flexvault.domain.errors import (
    AlreadyExistsError,
    NotAuthorizedError,
    PermanentError,
    RowChangedError,
    ThrottledError,
    TransientError,
    VaultError,
)

_MISSING = frozenset({"ResourceNotFound", "EntityNotFound"})
_CHANGED = frozenset({"UpdateConditionNotSatisfied", "ConditionNotMet", *_MISSING})
_ROLE = "Storage Table Data Contributor"


def is_missing_row(error: AzureError) -> bool:
    """Answer whether storage says that the row, and only the row, does not exist."""
    return error_code_of(error) in _MISSING


def classify(error: AzureError, endpoint: str, table: str, key: str) -> VaultError:
    """Answer our error for one of the SDK.

    Args:
        error: What the SDK raised. A duplicate comes as a type without a code, a transaction as a code without a type.
        endpoint: Table endpoint of the account.
        table: The table.
        key: The row, or a range of rows.
    """
    code = error_code_of(error)
    where = f"row '{key}' of table '{table}'"
    if code == "TableNotFound":
        return PermanentError(f"table '{table}' of {endpoint} does not exist", code=code, target=table)
    if isinstance(error, ResourceExistsError) or code == "EntityAlreadyExists":
        return AlreadyExistsError(f"{where} exists")
    if isinstance(error, ResourceModifiedError | ResourceNotFoundError) or code in _CHANGED:
        return RowChangedError(f"{where} is not the one that was read, or is gone")
    if is_refused(error):
        hint = f'grant the role "{_ROLE}" on the account of {endpoint}'
        return NotAuthorizedError(f"{where} is refused", hint=hint, target=endpoint, inner_code=code)
    return _classify_refusal(error, code, where)


def _classify_refusal(error: AzureError, code: str, where: str) -> VaultError:
    if is_throttled(error) or code in ("ServerBusy", "TooManyRequests"):
        return ThrottledError(f"{where}: storage asks for a pause", retry_after_seconds=retry_after_of(error))
    if is_passing(error):
        return TransientError(f"{where} cannot be reached now", inner_code=code or type(error).__name__)
    message = f"{where} is refused by storage"
    return PermanentError(message, code=code or "StorageRefused", inner_code=str(status_of(error)))
