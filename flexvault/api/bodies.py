"""Read a request's JSON: strict about JSON itself, lenient about what clients are known to do.

Member names compare without regard to case and get their canonical spelling, unknown members are ignored and nulls
are dropped, as the real service does; strings stay as they were sent.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.json_values import is_list, is_object
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.texts import shorten

MAX_DEPTH = 40
_HALF = re.compile("[\ud800-\udfff]")
INVALID_JSON = "InvalidRequestContent"
_LONGEST_SHOWN = 260

type Shape = Mapping[str, "Shape"] | Sequence["Shape"] | None
"""Known members of an object; a list with the shape of its elements; None for anything, kept as it is."""


def read_object(data: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InvalidInputError: code InvalidRequestContent, with what is wrong.
    """
    if not data.strip():
        raise _invalid("the body is empty (chunked bodies do not arrive: send Content-Length)")
    try:
        # The signature is what PowerShell and Windows tools put in front.
        text = data.decode("utf-8-sig")
        value: Any = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        _check(value, MAX_DEPTH)
    except UnicodeDecodeError:
        raise _invalid("the body is not UTF-8") from None
    except (json.JSONDecodeError, RecursionError) as error:
        reason = f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else "too deep"
        raise _invalid(f"the body is not JSON: {reason}") from None
    except _NotAllowedError as error:
        raise _invalid(f"the body cannot be used: {error}") from None
    except ValueError:
        raise _invalid("the body holds a number that cannot be read") from None
    if not is_object(value):
        raise _invalid("the body must be a JSON object")
    return value


def conform(value: Any, shape: Shape, path: str = "") -> Any:
    """Answer a value with the canonical names of the members that a shape knows.

    What has another type than the shape says is answered as it is: who reads it names the mistake.

    Args:
        value: Anything that JSON can hold.
        shape: What is known of it.
        path: Where it is, for mistakes.

    Raises:
        InvalidInputError: An object names a member twice, in different case.
    """
    if isinstance(shape, Mapping) and is_object(value):
        return _conform_members(value, shape, path)
    if isinstance(shape, Sequence) and is_list(value):
        return [conform(element, shape[0], f"{path}[{index}]") for index, element in enumerate(value)]
    return value


def _conform_members(sent: Mapping[str, Any], shape: Mapping[str, Shape], path: str) -> dict[str, Any]:
    canonical = {name.lower(): name for name in shape}
    members: dict[str, Any] = {}
    for sent_name, member in sent.items():
        name = canonical.get(sent_name.lower())
        if name is None and member is not None and isinstance(shape, Strict):
            unknown = f"{path}.{sent_name}" if path else sent_name
            known = ", ".join(shape)
            raise InvalidInputError(
                f"the member '{unknown}' is not known; known are {known}",
                target=unknown,
                hint="correct its spelling, or leave it out",
            )
        if name is None or member is None:
            continue
        where = f"{path}.{name}" if path else name
        if name in members:
            raise InvalidInputError(
                f"the member '{where}' is there twice, in different case",
                target=where,
                hint="send it once; names of members compare without regard to case",
            )
        members[name] = conform(member, shape[name], where)
    return members


class Strict(dict[str, "Shape"]):
    """Known members of an object where an unknown one is a mistake: what it would have meant must not get lost."""


class Reader:
    """Reads members of an object and collects what is wrong, to be told all at once."""

    def __init__(self, holder: Any, path: str = "", mistakes: Mistakes | None = None) -> None:
        """Begin at an object; anything else is a mistake. Without a path it is the body itself, which has no name."""
        self._mistakes = mistakes or Mistakes()
        self._path = path
        self._holder: Mapping[str, Any] = holder if is_object(holder) else {}
        if not is_object(holder):
            self.wrong(path, "is missing or not an object")

    def wrong(self, path: str, message: str) -> None:
        """Remember a mistake."""
        self._mistakes.wrong(path, message)

    def inner(self, member: str) -> "Reader":
        """Go into an object; its mistakes count here."""
        return Reader(self._holder.get(member), self._at(member), self._mistakes)

    def text(self, member: str, *, optional: bool = False) -> str:
        """Read a text that is not empty; an optional one may be missing."""
        value = self._holder.get(member)
        if optional and (value is None or isinstance(value, str)):
            return value or ""
        return self._mistakes.text(self._holder, self._path, member)

    def names(self, member: str, most: int) -> tuple[str, ...]:
        """Read an optional list of texts, each not empty and there once; missing is none, an empty list a mistake."""
        value, path = self._holder.get(member), self._at(member)
        if value is None:
            return ()
        if not is_list(value) or not all(isinstance(name, str) and name for name in value):
            self.wrong(path, "must be a list of names")
            return ()
        if not 1 <= len(value) <= most:
            self.wrong(path, f"has {len(value)} names: name 1 to {most}, or leave it out for all")
            return ()
        repeated = sorted({shorten(name, _LONGEST_SHOWN) for name in value if value.count(name) > 1})
        if repeated:
            self.wrong(path, f"names {', '.join(map(repr, repeated))} more than once")
        return tuple(value)

    def expect(self, member: str, *allowed: str, optional: bool = False) -> None:
        """Demand one of some words, without regard to case; an optional one may be missing or empty."""
        value = self._holder.get(member)
        if optional and value in (None, ""):
            return
        if not isinstance(value, str) or value.lower() not in {word.lower() for word in allowed}:
            self.wrong(self._at(member), f"must be {' or '.join(repr(str(word)) for word in allowed)}")

    def is_word(self, member: str, word: str) -> bool:
        """Say whether a member is a word, without regard to case."""
        value = self._holder.get(member)
        return isinstance(value, str) and value.lower() == word.lower()

    def _at(self, member: str) -> str:
        return f"{self._path}.{member}" if self._path else member

    def finish(self, what: str) -> None:
        """Refuse the whole when there were mistakes.

        Raises:
            InvalidInputError: Every mistake is a detail.
        """
        self._mistakes.finish(what, target=self._path)


class _NotAllowedError(Exception):
    """JSON that Python reads but that the vault could not write again."""


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError(message, code=INVALID_JSON, target="body", hint="send a JSON object in UTF-8")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise _NotAllowedError(f"an object names the member '{name}' twice")
        members[name] = value
    return members


def _refuse_constant(name: str) -> Any:
    raise _NotAllowedError(f"{name} is no JSON")


def _check(value: Any, depth_left: int) -> None:
    if depth_left == 0:
        raise _NotAllowedError(f"it is nested deeper than {MAX_DEPTH}")
    if isinstance(value, str) and _HALF.search(value):
        raise _NotAllowedError("a text holds half of a character (a lone surrogate)")
    if isinstance(value, float) and not math.isfinite(value):
        raise _NotAllowedError("a number is too large")
    parts: list[Any] = [*value.keys(), *value.values()] if is_object(value) else value if is_list(value) else []
    for part in parts:
        _check(part, depth_left - 1)
