"""Every error that the vault raises on purpose.

A permanent error will not pass by itself and becomes an outcome or an API error; a transient one may pass and is
raised out of an activity so that Durable repeats it. No message ever holds a SAS, a key or a token: adapters build
these from codes and names, never from an SDK's text.
"""


class VaultError(Exception):
    """What went wrong with a named object, and what to do next.

    Attributes:
        code: Stable, in Azure Backup's spelling where it has one.
        message: Lower case, names the object.
        hint: What to do next; becomes `recommendedAction`.
        target: The object, mostly a resource id or a JSON path.
        inner_code: The service's own code behind Azure Backup's.
        details: Further mistakes of the same input, reported together.
    """

    default_code = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        target: str = "",
        inner_code: str = "",
        details: "tuple[VaultError, ...]" = (),
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.hint = hint
        self.target = target
        self.inner_code = inner_code
        self.details = details

    def __str__(self) -> str:
        text = f"{self.code}: {self.message}"
        return f"{text}; hint: {self.hint}" if self.hint else text


class PermanentError(VaultError):
    """Repeating it will not help."""


class TransientError(VaultError):
    """It may pass by itself.

    Attributes:
        retry_after_seconds: What the service asked for, or nothing.
    """

    default_code = "ServiceUnavailable"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        target: str = "",
        inner_code: str = "",
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, target=target, inner_code=inner_code)
        self.retry_after_seconds = retry_after_seconds


class InvalidInputError(PermanentError):
    """What a client sent cannot be used (400)."""

    default_code = "BMSUserErrorInvalidInput"


class NotFoundError(PermanentError):
    """The named object does not exist (404)."""

    default_code = "ResourceNotFound"


class ConflictError(PermanentError):
    """The state of the named object forbids it now (409)."""

    default_code = "Conflict"


class PreconditionFailedError(PermanentError):
    """The object changed since the client read it (412)."""

    default_code = "PreconditionFailed"


class NotAuthorizedError(PermanentError):
    """An identity of the vault lacks a right; the hint holds the command that grants it."""

    default_code = "AuthorizationFailed"


class ApprovalRequiredError(PermanentError):
    """A second person must approve the change first (403); `target` is the id of the approval that waits."""

    default_code = "ApprovalRequired"


class IntegrityError(PermanentError):
    """Stored bytes are not what was recorded."""

    default_code = "ChecksumDiffers"


class ThrottledError(TransientError):
    """The service asked for a pause."""

    default_code = "TooManyRequests"


class OutcomeUnknownError(TransientError):
    """The request may or may not have been carried out: ask before doing it again."""

    default_code = "OutcomeUnknown"


class RowChangedError(TransientError):
    """A row was not what it was when it was read (412): read again."""

    default_code = "RowChanged"


class AlreadyExistsError(VaultError):
    """A create-only write met what is already there; the caller decides what that means."""

    default_code = "AlreadyExists"
