"""Codes of Azure that decide something here; the code counts, never the HTTP status beside it."""

OPERATION_FAILED = "PostgreSQLFlexOperationFailedUserError"
"""Azure Backup's code for what the server or ARM refused; their own code stands behind it as the inner code."""
NOT_READY = "ServerNotReadyForLongTermBackup"
BUSY_CODES = frozenset({"ServerIsBusy", "ServerBusy", NOT_READY})
"""Refusals that pass by themselves: nothing was started."""
BLOB_NOT_FOUND = "BlobNotFound"
"""No blob of that name; with any other code there is no container, or nobody can say."""
ARM_CODES = frozenset({"AuthorizationFailed", "ResourceNotFound", "ResourceGroupNotFound"})
"""Refusals of ARM that do not pass by themselves."""
DURATION_LIMIT = "UserErrorBackupDurationLimitExceeded"
"""A backup would take longer than any SAS lives; in the manner of Azure Backup, which has no such limit."""
CANNOT_VERIFY_SOURCE = "CannotVerifyCopySource"
"""Storage could not read the source of a copy; its status is the source's."""
ALREADY_PROTECTED = "UserErrorDppDatasourceAlreadyProtected"
"""Another backup instance has the server, also one that is soft-deleted; answered before any operation begins."""
