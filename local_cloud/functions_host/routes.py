"""Which function answers a path: ASP.NET route templates, matched in the real host's order.

The real host asks functions in order of their names, whatever their routes; the first whose route, constraints and
method fit answers. A method that does not fit passes the request over to the next.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from local_cloud.functions_host.errors import HostError
from local_cloud.functions_host.indexing import Function

_PARAMETER = re.compile(
    r"\{(?P<all>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?:=(?P<default>[^}?]*))?(?P<optional>\??)\}"
)
_RESERVED = ("admin", "runtime")


def _is_integer(text: str, bits: int) -> bool:
    limit = 2 ** (bits - 1)
    return re.fullmatch(r"[+-]?[0-9]+", text) is not None and -limit <= int(text) < limit


_CONSTRAINTS: dict[str, Callable[[str], bool]] = {
    "int": partial(_is_integer, bits=32),
    "long": partial(_is_integer, bits=64),
    "bool": lambda text: text.lower() in ("true", "false"),
    "alpha": lambda text: re.fullmatch(r"[A-Za-z]*", text) is not None,
    "guid": lambda text: re.fullmatch(r"\{?[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}\}?", text) is not None,
}


class ReservedRouteError(Exception):
    """A declared route begins like one of the host's own; that function is lost, the others run."""

    def __init__(self) -> None:
        super().__init__("The specified route conflicts with one or more built in routes.")


@dataclass(frozen=True, kw_only=True)
class _Segment:
    """One part of a template between two slashes: a literal or one parameter."""

    literal: str = ""
    name: str = ""
    is_catch_all: bool = False
    is_optional: bool = False
    default: str | None = None
    constraints: tuple[str, ...] = ()

    def accepts(self, text: str) -> bool:
        if not self.name:
            return text.lower() == self.literal.lower()
        return all(_CONSTRAINTS[constraint](text) for constraint in self.constraints)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A function and the requests that it answers.

    Attributes:
        methods: Upper-cased; none means every method.
    """

    function: Function
    methods: frozenset[str]
    segments: tuple[_Segment, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the route parameters of a decoded path, or None if the path is not this route's.

        A catch-all that meets nothing and an optional parameter that is absent have no key.
        """
        parts = path.removeprefix("/").removesuffix("/").split("/") if path != "/" else []
        offset, found = 1, dict[str, str]()
        for index, part in enumerate(parts):
            if not part or index >= len(self.segments):
                return None
            segment = self.segments[index]
            if segment.is_catch_all:
                return found | {segment.name: path[offset:]}
            if not segment.accepts(part):
                return None
            if segment.name:
                found[segment.name] = part
            offset += len(part) + 1
        return self._with_defaults(found, len(parts))

    def _with_defaults(self, found: dict[str, str], present: int) -> dict[str, str] | None:
        for segment in self.segments[present:]:
            if segment.default is not None:
                found[segment.name] = segment.default
            elif not (segment.is_catch_all or segment.is_optional):
                return None
        return found


class RouteTable:
    """All routes of the app, in the order in which they are asked."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = sorted(routes, key=lambda route: route.function.name.upper())

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the route that answers, with its parameters, or None for a bare 404.

        Args:
            method: Of the request, in any case.
            path: Decoded, dot segments resolved; `%2F` still escaped.
        """
        for route in self._routes:
            if route.methods and method.upper() not in route.methods:
                continue
            if (parameters := route.match(path)) is not None:
                return route, parameters
        return None


def make_route(function: Function, prefix: str) -> Route:
    """Make the route of an HTTP function.

    Raises:
        ReservedRouteError: The declared route begins with `admin` or `runtime`.
        HostError: The template uses what this host does not emulate.
    """
    declared = function.trigger.get("route")
    if declared is not None and str(declared).strip("/").lower().startswith(_RESERVED):
        raise ReservedRouteError
    template = f"{prefix}/{function.name if declared is None else declared}"
    methods: list[str] = function.trigger.get("methods") or []
    return Route(
        function=function,
        methods=frozenset(method.upper() for method in methods),
        segments=tuple(_segment(part, function, template) for part in template.split("/") if part),
    )


def _segment(text: str, function: Function, template: str) -> _Segment:
    if not re.search(r"[{}]", text):
        return _Segment(literal=text)
    match = _PARAMETER.fullmatch(text)
    if match is None:
        raise HostError(f"function '{function.name}': '{text}' in route '{template}' is not emulated locally")
    constraints = tuple(name.lower() for name in match["constraints"].split(":") if name)
    unknown = [name for name in constraints if name not in _CONSTRAINTS]
    if unknown:
        raise HostError(f"function '{function.name}': route constraint '{unknown[0]}' is not emulated locally")
    return _Segment(
        name=match["name"],
        is_catch_all=bool(match["all"]),
        is_optional=bool(match["optional"]),
        default=match["default"],
        constraints=constraints,
    )
