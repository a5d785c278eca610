"""Say whether two SQL texts define the same, although a server does not always print again what it read."""

from collections.abc import Iterator
from typing import Final

from flexvault.domain.sql_text import Statement, statements

_OPENING: Final = {"(": ")", "[": "]"}
_CLOSING: Final = frozenset(_OPENING.values())


def same_definition(one: str, other: str) -> bool:
    """Compare token by token, white space and comments apart.

    A server that reads `(ARRAY['a'::character varying])::text[]`, as it prints `status IN ('a')` for a varchar column,
    prints it as `ARRAY[('a'::character varying)::text]` after a restore. Both are the same.
    """
    return one == other or canonical(one) == canonical(other)


def canonical(text: str) -> tuple[Statement, ...]:
    """Return the statements of a text as tokens.

    Casts of an array are moved to its elements; ONLY, which not every version of pg_dump writes, is left out of
    `ALTER TABLE`.
    """
    return tuple(_cast_elements(_without_only(statement)) for statement in statements(text))


def _without_only(statement: Statement) -> Statement:
    words = 3 if statement[:3] == ("ALTER", "FOREIGN", "TABLE") else 2 if statement[:2] == ("ALTER", "TABLE") else 0
    if words and statement[words : words + 1] == ("ONLY",):
        return statement[:words] + statement[words + 1 :]
    return statement


def _cast_elements(statement: Statement) -> Statement:
    if "ARRAY" not in statement:
        return statement
    written: list[str] = []
    at = 0
    while at < len(statement):
        found = _cast_array(statement, at) if statement[at : at + 3] == ("(", "ARRAY", "[") else None
        if found is None:
            written.append(statement[at])
            at += 1
        else:
            tokens, at = found
            written += tokens
    return tuple(written)


def _cast_array(statement: Statement, start: int) -> tuple[list[str], int] | None:
    """Rewrite `(ARRAY[x, y])::type[]`, which begins here, and say where it ends."""
    end = _end_of_group(statement, start + 2)
    if statement[end : end + 3] != (")", ":", ":"):
        return None
    type_end = end + 3
    while type_end < len(statement) and (statement[type_end] == "." or statement[type_end].strip('"')[:1].isalpha()):
        type_end += 1
    if statement[type_end : type_end + 2] != ("[", "]"):
        return None
    type_name = statement[end + 3 : type_end]
    written = ["ARRAY", "["]
    for position, element in enumerate(_elements(statement[start + 3 : end - 1])):
        written += [","] if position else []
        written += ["(", *_cast_elements(element), ")", ":", ":", *type_name]
    return [*written, "]"], type_end + 2


def _end_of_group(statement: Statement, start: int) -> int:
    depth = 0
    for position in range(start, len(statement)):
        if statement[position] in _OPENING:
            depth += 1
        elif statement[position] in _CLOSING:
            depth -= 1
            if not depth:
                return position + 1
    return len(statement)


def _elements(tokens: Statement) -> Iterator[Statement]:
    depth, start = 0, 0
    for position, word in enumerate(tokens):
        depth += (word in _OPENING) - (word in _CLOSING)
        if word == "," and not depth:
            yield tokens[start:position]
            start = position + 1
    yield tokens[start:]
