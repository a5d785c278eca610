"""Conditional headers, judged on the version's own facts.

Source: specifying-conditional-headers-for-blob-service-operations.
"""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from local_cloud.storage_gateway.ledger import Version
from local_cloud.storage_gateway.problems import StorageError, blob_not_found, condition_not_met, invalid_header
from local_cloud.storage_gateway.wire import parse_http_date

NOT_MODIFIED = StorageError(HTTPStatus.NOT_MODIFIED, "ConditionNotMet", "")
NAMES = ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")


def require_for_write(headers: Mapping[str, str], version: Version | None) -> None:
    """Judge the conditions of a write on what is there now.

    Raises:
        StorageError: 409 BlobAlreadyExists for `If-None-Match: *` on a blob that exists, else 412 ConditionNotMet.
    """
    if version is None:
        if headers.get("if-match", "*") != "*" or "if-unmodified-since" in headers or headers.get("if-match"):
            raise condition_not_met()
        return
    if headers.get("if-none-match") == "*":
        message = "The specified blob already exists."
        raise StorageError(HTTPStatus.CONFLICT, "BlobAlreadyExists", message)
    if not _holds(headers, version) or _is_unchanged(headers, version):
        raise condition_not_met()


def require_for_read(headers: Mapping[str, str], version: Version) -> None:
    """Judge the conditions of a read.

    Raises:
        StorageError: 304 when it is unchanged, 412 ConditionNotMet.
    """
    if not _holds(headers, version):
        raise condition_not_met()
    if _is_unchanged(headers, version):
        raise NOT_MODIFIED


def require_for_change(headers: Mapping[str, str], version: Version | None) -> Version:
    """Judge the conditions of a call that needs the blob, and answer it.

    Raises:
        StorageError: 404 BlobNotFound, 412 ConditionNotMet.
    """
    if version is None:
        raise blob_not_found()
    if not _holds(headers, version) or _is_unchanged(headers, version):
        raise condition_not_met()
    return version


def require_for_source(headers: Mapping[str, str], version: Version) -> None:
    """Judge the conditions on a copy's source.

    Raises:
        StorageError: 412 SourceConditionNotMet.
    """
    named = {name: headers[f"x-ms-source-{name}"] for name in NAMES if f"x-ms-source-{name}" in headers}
    if not _holds(named, version) or _is_unchanged(named, version):
        message = "The source condition specified using HTTP conditional header(s) is not met."
        raise StorageError(HTTPStatus.PRECONDITION_FAILED, "SourceConditionNotMet", message)


def _holds(headers: Mapping[str, str], version: Version) -> bool:
    wanted = headers.get("if-match")
    if wanted and wanted != "*" and version.etag not in _etags(wanted):
        return False
    return not ("if-unmodified-since" in headers and version.modified > _seconds(headers, "if-unmodified-since"))


def _is_unchanged(headers: Mapping[str, str], version: Version) -> bool:
    unwanted = headers.get("if-none-match")
    if unwanted:
        return unwanted == "*" or version.etag in _etags(unwanted)
    return "if-modified-since" in headers and version.modified <= _seconds(headers, "if-modified-since")


def _etags(text: str) -> set[str]:
    return {etag if etag.startswith('"') else f'"{etag}"' for etag in map(str.strip, text.split(","))}


def _seconds(headers: Mapping[str, str], name: str) -> int:
    try:
        moment: datetime = parse_http_date(headers[name])
    except ValueError:
        raise invalid_header(name, f"'{headers[name]}' is no date") from None
    return int(moment.timestamp())
