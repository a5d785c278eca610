"""Refusals in the shape of the Blob service: a status, an error code and one XML element."""

from collections.abc import Mapping
from http import HTTPStatus
from xml.sax.saxutils import escape


class StorageError(Exception):
    """The request is answered with this error.

    Args:
        status: HTTP status.
        code: Error code, as in `blob-service-error-codes` and `common-rest-api-error-codes`.
        message: One sentence.
        headers: Further headers of the answer.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = {"x-ms-error-code": code, "Content-Type": "application/xml", **(headers or {})}
        super().__init__(f"{status} {code}: {message}")

    def body(self, request_id: str, time: str) -> bytes:
        """Answer the XML element."""
        text = escape(f"{self.message}\nRequestId:{request_id}\nTime:{time}")
        element = f"<Error><Code>{self.code}</Code><Message>{text}</Message></Error>"
        return f'<?xml version="1.0" encoding="utf-8"?>{element}'.encode()


def mismatch() -> StorageError:
    """Answer the refusal of a caller who is known but lacks the right."""
    message = "This request is not authorized to perform this operation using this permission."
    return StorageError(HTTPStatus.FORBIDDEN, "AuthorizationPermissionMismatch", message)


def not_authenticated(reason: str) -> StorageError:
    """Answer the refusal of a signature that does not hold."""
    message = (
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly "
    )
    return StorageError(HTTPStatus.FORBIDDEN, "AuthenticationFailed", f"{message}including the signature. {reason}")


def key_not_permitted() -> StorageError:
    """Answer the refusal of an account key where `allowSharedKeyAccess` is false (shared-key-authorization-prevent)."""
    message = "Key based authentication is not permitted on this storage account."
    return StorageError(HTTPStatus.FORBIDDEN, "KeyBasedAuthenticationNotPermitted", message)


def blob_not_found() -> StorageError:
    """Answer that there is no such blob or version."""
    return StorageError(HTTPStatus.NOT_FOUND, "BlobNotFound", "The specified blob does not exist.")


def blob_archived() -> StorageError:
    """Answer that a blob must be rehydrated before it is read (set-blob-tier, "Remarks"; access-tiers-overview)."""
    message = "This operation is not permitted on an archived blob."
    return StorageError(HTTPStatus.CONFLICT, "BlobArchived", message)


def condition_not_met() -> StorageError:
    """Answer that a conditional header does not hold."""
    message = "The condition specified using HTTP conditional header(s) is not met."
    return StorageError(HTTPStatus.PRECONDITION_FAILED, "ConditionNotMet", message)


def invalid_header(name: str, reason: str) -> StorageError:
    """Answer that a header has a wrong value."""
    message = f"The value for one of the HTTP headers is not in the correct format: {name}: {reason}"
    return StorageError(HTTPStatus.BAD_REQUEST, "InvalidHeaderValue", message)


def not_implemented(operation: str, reason: str = "") -> StorageError:
    """Answer that the local cloud does not have this call of Azure, by its name."""
    message = f"{operation} is not implemented by the local storage gateway{': ' if reason else ''}{reason}"
    return StorageError(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", message)
