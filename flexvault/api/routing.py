"""Find the operation of a path: literals compare in lower case, names come from the path as it was sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from flexvault.api.call import ApiOperation
from flexvault.api.problems import RefusedError
from flexvault.api.resource_ids import ResourceIds, normal_location

BAD_PATH = "InvalidRequestUri"
MAX_SEGMENT = 260
_UNUSABLE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A request's URL, taken apart."""

    origin: str
    """Scheme, host and prefix, without a final slash."""
    escaped_path: str
    """The whole path as it was sent, for logs."""
    segments: tuple[str, ...]
    """Of the path below the prefix, decoded; empty ones (`//`, a final slash) are left out."""
    query: Mapping[str, str]
    """By lower-cased name; of a repeated name the last value."""

    @property
    def path(self) -> str:
        """Answer the path below the prefix."""
        return "/" + "/".join(self.segments)


def read_target(url: str, prefix: str) -> Target:
    """Take a URL apart.

    Args:
        url: Absolute, escaped as sent.
        prefix: What every path begins with, such as `/api`.

    Raises:
        RefusedError: 400 for an escape or a segment that no resource can have, 404 outside of the prefix.
    """
    try:
        parts = urlsplit(url)
        query = {name.lower(): value for name, value in parse_qsl(parts.query, keep_blank_values=True, errors="strict")}
        segments = tuple(unquote(raw, errors="strict") for raw in _raw_segments(parts, prefix))
    except ValueError:
        raise RefusedError("the URL is not escaped UTF-8", status=HTTPStatus.BAD_REQUEST, code=BAD_PATH) from None
    for segment in segments:
        # An id made of such a name would read as another resource's, or is longer than a table's key.
        if segment in {".", ".."} or _UNUSABLE.search(segment) or len(segment) > MAX_SEGMENT:
            text = f"'{segment[:MAX_SEGMENT]}' cannot be part of a resource's path"
            hint = f"use a name of at most {MAX_SEGMENT} characters without slashes, backslashes and control characters"
            raise RefusedError(text, status=HTTPStatus.BAD_REQUEST, code=BAD_PATH, hint=hint)
    origin = f"{_scheme_of(parts)}://{parts.netloc.rpartition('@')[2]}{prefix}"
    return Target(origin=origin, escaped_path=parts.path, segments=segments, query=query)


def _scheme_of(parts: SplitResult) -> str:
    """Answer the scheme by which clients reach the app: TLS ends before it, and some hosts on Linux then show `http`.

    A domain's name is only ever reached by TLS (`httpsOnly`); an address, or a name without a dot, is a local cloud's.
    Source: https://github.com/Azure/azure-functions-host/issues/6602
    """
    host = parts.hostname or ""
    is_domain = "." in host and not host.replace(".", "").isdigit()
    return "https" if is_domain else parts.scheme


def match(template: str, segments: Sequence[str]) -> dict[str, str] | None:
    """Answer the names in a path that fits a template, or nothing when it does not fit.

    `{name}` is one segment; a leading `{*name}` is one or more, joined with slashes as they stand in the path.
    """
    wanted = _parts_of(template)
    params: dict[str, str] = {}
    if wanted[0].startswith("{*"):
        rest = len(wanted) - 1
        if len(segments) <= rest:
            return None
        params[wanted[0][2:-1]] = "/" + "/".join(segments[:-rest])
        wanted, segments = wanted[1:], segments[-rest:]
    if len(wanted) != len(segments):
        return None
    for part, segment in zip(wanted, segments, strict=True):
        if part.startswith("{"):
            params[part[1:-1]] = segment
        elif part.lower() != segment.lower():
            return None
    return params


@cache
def _parts_of(template: str) -> tuple[str, ...]:
    """Split a template once: every request is compared with all of them."""
    return tuple(template.strip("/").split("/"))


def find_operation(
    operations: Sequence[ApiOperation], method: str, segments: Sequence[str]
) -> tuple[ApiOperation, Mapping[str, str]]:
    """Answer the operation of a method and path, and the names in the path.

    Raises:
        RefusedError: 404 for a path that no operation has, 405 with Allow for another method.
    """
    fitting = list(_match_all(operations, segments))
    for operation, params in fitting:
        if operation.method == method.upper():
            return operation, params
    path = "/" + "/".join(segments)
    if not fitting:
        raise RefusedError(
            f"the vault has nothing at '{path}'",
            status=HTTPStatus.NOT_FOUND,
            code="ResourceNotFound",
            target=path,
            hint="check the path: the vault serves Microsoft.DataProtection below its own resource id",
        )
    # What is only there to say that it is not supported is not offered.
    offered = {operation.method for operation, _ in fitting if operation.statuses}
    allowed = ", ".join(sorted(offered or {operation.method for operation, _ in fitting}))
    raise RefusedError(
        f"'{path}' does not take {method.upper()}; it takes {allowed}",
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        code="MethodNotAllowed",
        target=path,
        headers={"Allow": allowed},
        hint=f"use {allowed}",
    )


def require_own(params: Mapping[str, str], ids: ResourceIds) -> None:
    """Refuse a path of another subscription, group or vault.

    Raises:
        RefusedError: 404 that names the vault which this app serves.
    """
    own = {"subscription": ids.subscription_id, "group": ids.resource_group, "vault": ids.vault_name}
    for name, value in own.items():
        if name in params and params[name].lower() != value.lower():
            raise RefusedError(
                f"the {name} '{params[name]}' is not served here: this app is the vault '{ids.vault}'",
                status=HTTPStatus.NOT_FOUND,
                code="SubscriptionNotFound" if name == "subscription" else "ResourceNotFound",
                target=params[name],
                hint=f"use {ids.vault}",
            )


def require_own_location(params: Mapping[str, str], ids: ResourceIds) -> None:
    """Refuse a path of another region.

    Raises:
        RefusedError: 404 that names the vault's region.
    """
    if normal_location(params["location"]) != ids.location:
        raise RefusedError(
            f"nothing is served in '{params['location']}': this app is the vault '{ids.vault}' in '{ids.location}'",
            status=HTTPStatus.NOT_FOUND,
            code="ResourceNotFound",
            target=params["location"],
            hint=f"use /locations/{ids.location}",
        )


def _raw_segments(parts: SplitResult, prefix: str) -> list[str]:
    path = parts.path
    if path.lower() != prefix.lower() and not path.lower().startswith(f"{prefix.lower()}/"):
        raise RefusedError(
            f"the vault has nothing outside of '{prefix}'", status=HTTPStatus.NOT_FOUND, code="ResourceNotFound"
        )
    return [segment for segment in path[len(prefix) :].split("/") if segment]


def _match_all(
    operations: Sequence[ApiOperation], segments: Sequence[str]
) -> Iterator[tuple[ApiOperation, Mapping[str, str]]]:
    for operation in operations:
        params = match(operation.template, segments)
        if params is not None:
            yield operation, params
