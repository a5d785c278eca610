"""Conditions on role assignments, as far as delegating role management needs them.

Source of the form and of its meaning: https://learn.microsoft.com/azure/role-based-access-control/conditions-format.
Known are `AND`, `OR`, `!`, parentheses, `ActionMatches{'...'}` and
`@Request[attribute] ForAnyOfAnyValues:GuidEquals {guid, ...}` (or `@Resource`). Whatever else a condition says cannot
be judged here and is refused when the assignment is made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

ROLE_DEFINITION = "Microsoft.Authorization/roleAssignments:RoleDefinitionId"
PRINCIPAL = "Microsoft.Authorization/roleAssignments:PrincipalId"

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<mark>[()!])|(?P<word>AND\b|OR\b|&&|\|\|)"
    r"|ActionMatches\{\s*'(?P<action>[^']+)'\s*\}"
    r"|@(?P<side>Request|Resource)\[(?P<attribute>[^\]]+)\]\s+ForAnyOfAnyValues:GuidEquals\s*\{(?P<guids>[^}]*)\}"
    r")",
    re.IGNORECASE,
)


class ConditionError(ValueError):
    """A condition that cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a condition is judged by: the action, and the assignment that is asked for or that is there."""

    action: str
    request: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes of an assignment that is to be made."""
    resource: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes of the assignment that the call is about, if it exists."""


class _Token(NamedTuple):
    kind: Literal["mark", "action", "attribute"]
    text: str
    side: str = ""
    guids: frozenset[str] = frozenset()


def check(condition: str) -> None:
    """Refuse a condition that cannot be judged; raises ConditionError."""
    fulfils(condition, Facts(action=""))


def fulfils(condition: str, facts: Facts) -> bool:
    """Say whether a call fulfils a condition; an attribute that is not there equals nothing.

    Raises:
        ConditionError: It cannot be understood.
    """
    tokens = _read(condition)
    value = _either(tokens, facts)
    if tokens:
        raise ConditionError(f"'{tokens[-1].text}' is not expected there")
    return value


def _read(condition: str) -> list[_Token]:
    """Cut a condition into tokens, the last one first."""
    tokens: list[_Token] = []
    place, text = 0, condition.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ConditionError(f"'{text[place : place + 40].strip()}' cannot be judged")
        tokens.append(_token(match))
        place = match.end()
    return tokens[::-1]


def _token(match: re.Match[str]) -> _Token:
    if match["action"] is not None:
        return _Token("action", match["action"].lower())
    if match["attribute"] is not None:
        guids = frozenset(guid.strip().lower() for guid in match["guids"].split(","))
        return _Token("attribute", match["attribute"].lower(), match["side"].lower(), guids)
    words = {"&&": "AND", "||": "OR"}
    text = (match["mark"] or match["word"]).upper()
    return _Token("mark", words.get(text, text))


def _takes(tokens: list[_Token], mark: str) -> bool:
    if tokens and tokens[-1][:2] == ("mark", mark):
        tokens.pop()
        return True
    return False


def _either(tokens: list[_Token], facts: Facts) -> bool:
    value = _both(tokens, facts)
    while _takes(tokens, "OR"):
        value |= _both(tokens, facts)  # read in any case
    return value


def _both(tokens: list[_Token], facts: Facts) -> bool:
    value = _one(tokens, facts)
    while _takes(tokens, "AND"):
        value &= _one(tokens, facts)  # read in any case
    return value


def _one(tokens: list[_Token], facts: Facts) -> bool:
    if _takes(tokens, "!"):
        return not _one(tokens, facts)
    if _takes(tokens, "("):
        value = _either(tokens, facts)
        if not _takes(tokens, ")"):
            raise ConditionError("a closing parenthesis is missing")
        return value
    if not tokens or tokens[-1].kind == "mark":
        raise ConditionError("an expression is missing")
    token = tokens.pop()
    if token.kind == "action":
        pattern = re.escape(token.text).replace(r"\*", ".*")
        return re.fullmatch(pattern, facts.action, re.IGNORECASE) is not None
    attributes = facts.request if token.side == "request" else facts.resource
    found = {name.lower(): value.lower() for name, value in attributes.items()}.get(token.text)
    return found is not None and found in token.guids
