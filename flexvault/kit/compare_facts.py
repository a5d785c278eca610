"""Compare what is known of two sides, object by object."""

from collections.abc import Mapping

from flexvault.kit.comparison import Facts, Named, Tally
from flexvault.kit.definition_text import same_definition

_NOT_WRITTEN_BY_PG_DUMP = ("owner of ", "rights on ", "comment on ", "tablespace of ", "database ", "default acl")


def compare_facts(
    tally: Tally,
    source: Facts,
    target: Facts,
    *,
    reasons: Mapping[Named, str] | None = None,
    majors: tuple[str, str] | None = None,
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
        counted_as: What the equal ones are counted as.
    """
    reasons = reasons or {}
    for named in sorted(set(source) | set(target)):
        one, other = source.get(named), target.get(named)
        if one is not None and other is not None and same_definition(one, other):
            tally.equal(named, counted_as)
        elif named in reasons:
            tally.leave_out(named, reasons[named])
        elif majors and one is not None and other is not None and not named.kind.startswith(_NOT_WRITTEN_BY_PG_DUMP):
            reason = f"its text differs, and pg_dump {majors[0]} wrote one and pg_dump {majors[1]} the other"
            tally.not_proven(named, reason, source=one, target=other)
        else:
            tally.differ(named, one, other)
