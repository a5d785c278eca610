"""Compare what is known of two sides, object by object."""

from collections.abc import Callable, Mapping
from typing import Final

from flexvault.kit.comparison import Facts, Named, Tally
from flexvault.kit.definition_text import same_definition

_NO_SQL: Final = (
    "owner of ", "rights on ", "tablespace of ", "database ", "default acl", "comment on large object", "state of ",
    "large object", "sequence value", "setting", "role", "membership",
)  # fmt: skip
"""Kinds whose values are names, numbers and texts: white space in them counts."""
_SAME_IN_ALL_VERSIONS: Final = (*_NO_SQL, "comment on ")


def is_definition(named: Named) -> bool:
    """Say whether its value is SQL that pg_dump wrote."""
    return not named.kind.startswith(_NO_SQL)


def compare_facts(
    tally: Tally,
    source: Facts,
    target: Facts,
    *,
    reasons: Mapping[Named, str] | None = None,
    majors: tuple[str, str] | None = None,
    is_sql: Callable[[Named], bool] = is_definition,
    counted_as: str = "facts",
) -> None:
    """Compare two sides.

    Args:
        tally: Hears what came of it.
        source: What there should be.
        target: What there is.
        reasons: Why an object may differ: then it is left out and no difference. Equal is equal all the same.
        majors: Versions of pg_dump that wrote definitions, when they are not the same: then a text that differs is no
            proof of a difference, and no proof of equality.
        is_sql: Whether the value is SQL, in which white space says nothing.
        counted_as: What the equal ones are counted as.
    """
    reasons = reasons or {}
    for named in sorted(set(source) | set(target)):
        one, other = source.get(named), target.get(named)
        if one is not None and other is not None and _is_same(one, other, is_sql=is_sql(named)):
            tally.equal(named, counted_as)
        elif named in reasons:
            tally.leave_out(named, reasons[named])
        elif majors and one is not None and other is not None and not named.kind.startswith(_SAME_IN_ALL_VERSIONS):
            reason = f"its text differs, and pg_dump {majors[0]} wrote one and pg_dump {majors[1]} the other"
            tally.not_proven(named, reason, source=one, target=other)
        else:
            tally.differ(named, one, other)


def _is_same(one: str, other: str, *, is_sql: bool) -> bool:
    return one == other or (is_sql and same_definition(one, other))
