"""A file that is damaged throughout: only the worst findings are kept in memory, and all of them count."""

import weakref
from collections.abc import Iterator

from flexvault.domain.verification import Finding, Verdict
from flexvault.services.verification_result import MOST_FINDINGS, FoundIn

SUBJECT = "manifests/i/p.json"
MANY = 5_000


class _Watched(Finding):
    """A finding of which can be told whether it is still there."""

    __slots__ = ("__weakref__",)


def _found(codes: Iterator[str]) -> Iterator[Finding]:
    for number, code in enumerate(codes):
        yield _Watched(code=code, subject=f"points/{number:09d}", message="")


def _told(*runs: tuple[str, int]) -> Iterator[Finding]:
    return _found(code for code, many in runs for _ in range(many))


def test_all_findings_are_listed_while_they_are_few():
    found = FoundIn(_told(("BlockDiffers", MOST_FINDINGS)))
    assert [one.subject for one in found.limited(SUBJECT)] == [f"points/{at:09d}" for at in range(MOST_FINDINGS)]


def test_errors_come_before_warnings_and_the_others_are_counted():
    found = FoundIn(_told(("DataNotCounted", MANY), ("BlockDiffers", 3)))
    listed = found.limited(SUBJECT)
    assert found.verdict is Verdict.BROKEN
    assert [one.code for one in listed[:4]] == [*["BlockDiffers"] * 3, "DataNotCounted"]
    assert (len(listed), listed[-1].code) == (MOST_FINDINGS, "MoreFindings")
    assert listed[-1].message == f"{MANY + 3 - MOST_FINDINGS + 1} further findings are not listed"


def test_what_could_not_be_read_counts_also_where_it_is_not_listed():
    found = FoundIn(_told(("DataNotCounted", MANY), ("FileNotRead", 1)))
    assert found.verdict is Verdict.NOT_PROVEN
    assert "FileNotRead" not in {one.code for one in found.limited(SUBJECT)}
    assert FoundIn(iter(())).verdict is Verdict.INTACT


def test_only_the_worst_are_in_memory_at_once():
    alive: weakref.WeakSet[Finding] = weakref.WeakSet()
    most = 0

    def watched() -> Iterator[Finding]:
        nonlocal most
        for one in _told(("BlockDiffers", MANY)):
            alive.add(one)
            most = max(most, len(alive))
            yield one

    assert FoundIn(watched()).verdict is Verdict.BROKEN
    assert most <= MOST_FINDINGS + 5
