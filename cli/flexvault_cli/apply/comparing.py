"""Compare what a file says with what the vault shows, whatever clients and the vault spell differently.

Not a difference: the order of members, of rules and of tagging criteria; null, empty and left-out members; members that
are read-only; the case of members' names, ARM ids and type words; what the vault fills in.
"""

from collections.abc import Mapping
from typing import Any

from flexvault_cli.apply.folder import Kind
from flexvault_cli.approval_views import compare
from flexvault_cli.wire import Json, is_list, is_object

READ_ONLY: Mapping[Kind, frozenset[str]] = {
    Kind.POLICY: frozenset({"taginfo.id", "taginfo.etag"}),
    Kind.INSTANCE: frozenset(
        {
            "protectionstatus",
            "currentprotectionstate",
            "protectionerrordetails",
            "provisioningstate",
            "policyinfo.policyversion",
        }
    ),
}
"""Ends of paths in lower case."""
_OF_THE_REQUEST = frozenset({"validationtype", "resourceguardoperationrequests"})
"""How a request is carried out, not what the vault keeps."""
_FILLED_IN = frozenset({"friendlyname"})
"""The vault takes the server's name when it is left out."""
_DEFAULTS: Mapping[str, Any] = {"isdefault": False, "timezone": "UTC"}
_WORDS = frozenset(
    {
        "objecttype",
        "datasourcetype",
        "datasourcetypes",
        "resourcetype",
        "datastoretype",
        "backuptype",
        "resourcelocation",
    }
)
"""Members whose values compare without regard to case and blanks."""


def without_read_only(kind: Kind, properties: Json) -> Json:
    """Answer properties as they are sent: a whole GET answer has more than a client may set."""
    return _strip(properties, "", READ_ONLY[kind])


def find_differences(kind: Kind, found: Json, wanted: Json) -> list[str]:
    """Answer a line for each difference, from what the vault has to what is wanted; none when nothing differs."""
    before, after = _clean(found, "", kind), _clean(wanted, "", kind)
    filled = {name: value for name, value in before.items() if name.lower() in _FILLED_IN - _lower(after)}
    return compare(before, _align({**filled, **after}, before, ""))


def _strip(value: Any, path: str, names: frozenset[str]) -> Any:
    if is_object(value):
        inner = {name: (member, f"{path}.{name.lower()}") for name, member in value.items()}
        return {
            name: _strip(member, where, names)
            for name, (member, where) in inner.items()
            if where.lstrip(".") not in names and not any(where.endswith(f".{end}") for end in names if "." in end)
        }
    if is_list(value):
        return [_strip(member, path, names) for member in value]
    return value


def _clean(value: Any, name: str, kind: Kind) -> Any:
    """Leave out what says nothing; lists of named things become objects, so that their order does not count."""
    if not name:
        value = without_read_only(kind, value)
    if is_object(value):
        members = {member: _clean(inner, member, kind) for member, inner in value.items()}
        return {member: inner for member, inner in members.items() if _says_something(member, inner)}
    if is_list(value):
        elements = [_clean(element, name, kind) for element in value]
        keys = [_key(element) for element in elements]
        if all(keys) and len({key.lower() for key in keys}) == len(keys):
            return dict(zip(keys, elements, strict=True))
        return elements
    return value


def _says_something(name: str, value: Any) -> bool:
    is_default = name.lower() in _DEFAULTS and value == _DEFAULTS[name.lower()]
    return value not in (None, "", [], {}) and not is_default and name.lower() not in _OF_THE_REQUEST


def _key(element: Any) -> str:
    """Name an element of a list: a rule by its name, a tagging criterion by its tag."""
    if not is_object(element):
        return ""
    members = {name.lower(): value for name, value in element.items()}
    tag: Any = members.get("taginfo")
    named = members.get("name") or ({name.lower(): value for name, value in tag.items()} if is_object(tag) else {}).get(
        "tagname"
    )
    return named if isinstance(named, str) else ""


def _align(wanted: Any, found: Any, name: str) -> Any:
    """Write what is wanted in the spelling of what was found, wherever it means the same."""
    if is_object(wanted) and is_object(found):
        known = {member.lower(): member for member in found}
        spelled = {known.get(member.lower(), member): inner for member, inner in wanted.items()}
        return {member: _align(inner, found.get(member), member) for member, inner in spelled.items()}
    if is_list(wanted) and is_list(found):
        others = [*found, *[None] * len(wanted)]
        return [_align(inner, other, name) for inner, other in zip(wanted, others, strict=False)]
    return found if _is_same(wanted, found, name) else wanted


def _is_same(wanted: Any, found: Any, name: str) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        if name.lower() in _WORDS:
            return _word(wanted) == _word(found)
        if wanted.lower().startswith("/subscriptions/"):
            return wanted.rstrip("/").lower() == found.rstrip("/").lower()
    return isinstance(wanted, bool) is isinstance(found, bool) and wanted == found


def _word(text: str) -> str:
    return text.replace(" ", "").lower()


def _lower(members: Json) -> frozenset[str]:
    return frozenset(name.lower() for name in members)
