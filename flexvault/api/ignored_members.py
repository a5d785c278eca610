"""Members of a policy that the vault does not know: ignored as Azure does, but never unsaid."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, Final

from flexvault.api import shapes
from flexvault.api.bodies import Shape
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.json_values import is_list, is_object

_OWN: Final = ("deepVerification",)
"""The vault's own members of `properties`. No client of Azure's sends anything like them, so a near name is meant."""
_LIKENESS: Final = 0.8
_READ_ONLY: Final = (".taginfo.id", ".taginfo.etag")
"""Ends of paths, in lower case, that answers have and requests may send back."""
_MOST: Final = 50
"""So many are told, of a body of any size."""


def refuse_misspelt(policy: Any) -> None:
    """Refuse a member beside `policyRules` that is nearly one of the vault's own: ignoring it turns that off.

    Args:
        policy: Bare, or as a resource.

    Raises:
        InvalidInputError: With the member's path, and the name that is meant.
    """
    known = {name.lower(): name for name in _OWN}
    properties = _properties_of(policy)
    others = [name for name, value in properties.items() if value is not None] if is_object(properties) else []
    for name in others:
        near = get_close_matches(name.lower(), known, 1, _LIKENESS)
        if near and near[0] != name.lower():
            path, meant = f"properties.{name}", known[near[0]]
            text, hint = f"is not known; '{meant}' is meant, it seems", "correct its spelling, or leave it out"
            details = (InvalidInputError(text, target=path),)
            raise InvalidInputError(f"the member '{path}' {text}", target=path, hint=hint, details=details)


def show_ignored(policy: Any) -> list[dict[str, str]]:
    """Show a warning for each member of a policy, bare or as a resource, that the vault does not know or keep."""
    return [
        {
            "code": "MemberIgnored",
            "message": f"the member '{path}' is not known and has no effect: the vault does not keep it",
            "target": path,
        }
        for path in islice(_find_ignored(_properties_of(policy), shapes.POLICY_PROPERTIES, "properties"), _MOST)
    ]


def _properties_of(policy: Any) -> Any:
    members = {name.lower(): value for name, value in policy.items()} if is_object(policy) else {}
    return members.get("properties", policy)


def _find_ignored(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, Mapping) and is_object(value):
        known = {name.lower(): inner for name, inner in shape.items()}
        for name, member in value.items():
            where = f"{path}.{name}"
            if name.lower() in known:
                yield from _find_ignored(member, known[name.lower()], where)
            elif member not in (None, "", [], {}) and not where.lower().endswith(_READ_ONLY):
                yield where
    elif isinstance(shape, Sequence) and is_list(value):
        for index, element in enumerate(value):
            yield from _find_ignored(element, shape[0], f"{path}[{index}]")
