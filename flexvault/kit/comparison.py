"""What a comparison found: what differs, what could not be proven, what was not compared, and how much is equal."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from flexvault.domain.sql_text import one_line, quote_name, readable

type State = Literal["differs", "missing", "onlyInTarget", "notProven", "leftOut", "derived"]

REPORT_VERSION: Final = 1
_LONGEST_SHOWN: Final = 160
_QUIET_KINDS: Final = 40
"""Not compared for one reason, of one kind and database: so many are shown by name; the report has all."""
_MAY_HOLD_PASSWORDS: Final = frozenset({"user mapping", "server", "foreign server", "subscription"})
_HIDDEN: Final = "(not shown, it may hold a password)"
_SAID: Final[Mapping[State, str]] = {
    "differs": "differs",
    "missing": "missing in the target",
    "onlyInTarget": "only in the target",
    "notProven": "not proven",
    "leftOut": "left out",
    "derived": "derived, not compared",
}
_DATABASES: Final = "databases"
_WORDS: Final = {
    _DATABASES: ("database", "databases"),
    "tables": ("table", "tables"),
    "rows": ("row", "rows"),
    "largeObjects": ("large object", "large objects"),
    "sequences": ("sequence", "sequences"),
    "roles": ("role", "roles"),
    "facts": ("definition, owner, right or setting", "definitions, owners, rights and settings"),
}


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """An object, or something about one.

    Attributes:
        database: Exact name; empty for what belongs to the server.
        kind: Such as `table`, `owner of table` or `rows of`.
        name: Exact, not quoted, behind its schema's, see `in_schema`.
    """

    database: str
    kind: str
    name: str

    def __str__(self) -> str:
        about = f"{self.kind} {self.name}".strip()
        return f"database {self.database}: {about}" if self.database else about


def in_schema(schema: str, name: str) -> str:
    """Write a name behind its schema's, quoted only where two objects would have one name: `"a.b".c` and `a.b.c`."""
    if not schema:
        return name
    return f"{quote_name(schema) if '.' in schema or schema.startswith('"') else schema}.{name}"


type Facts = dict[Named, str]
"""What is known of each object."""


def put(facts: Facts, named: Named, value: str) -> None:
    """Record a fact; several of one name (comments on overloaded objects) become one, sorted, so that none hides."""
    facts[named] = "\n".join(sorted([facts[named], value])) if named in facts else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object that is not simply equal.

    Attributes:
        source: What it is in the source, as far as that can be shown.
        target: Likewise.
        reason: Why it is not compared or not proven, or what the restore said; empty for any other difference.
    """

    named: Named
    state: State
    source: str = ""
    target: str = ""
    reason: str = ""

    def line(self) -> str:
        """Write it as one line, long values cut around the first difference."""
        parts = [f"{self.named}: {_SAID[self.state]}"]
        if self.reason:
            parts.append(self.reason)
        source, target = _cut(self.source, self.target)
        if source:
            parts.append(f"in the source: {source}")
        if target:
            parts.append(f"in the target: {target}")
        return one_line(", ".join(parts))

    def to_json(self) -> dict[str, str]:
        """Write it for the report, values whole."""
        return {
            "database": readable(self.named.database),
            "kind": self.named.kind,
            "name": readable(self.named.name),
            "state": self.state,
            "source": readable(self.source),
            "target": readable(self.target),
            "reason": readable(self.reason),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two servers, or a server and a recovery point, have in common.

    Attributes:
        against: What the target was compared with, in words.
        differences: What differs, is missing or is there too much.
        named_by_restore: Likewise, but the end report of the restore named it and said why. It is no equality.
        unproven: What should have been compared and could not be: it counts as no equality.
        not_compared: What is left out on purpose or is derived from the rest: by name, with the reason.
        counts: Of what is equal, by `databases`, `tables`, `rows`, `largeObjects`, `sequences`, `roles` and `facts`.
        equal_kinds: Of what is equal, by kind of object.
        notes: What a reader needs to know of how it was compared, such as the time zone.
    """

    against: str
    differences: tuple[Finding, ...]
    named_by_restore: tuple[Finding, ...]
    unproven: tuple[Finding, ...]
    not_compared: tuple[Finding, ...]
    counts: Mapping[str, int]
    equal_kinds: Mapping[str, int]
    notes: tuple[str, ...] = ()
    unproven_files: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs, nothing stays unproven, and at least a database was compared."""
        return not self._apart and self.counts.get("databases", 0) > 0

    @property
    def _apart(self) -> tuple[Finding, ...]:
        return (*self.differences, *self.named_by_restore, *self.unproven)

    def with_unfinished(self, said: str, *, is_proof: bool) -> "Comparison":
        """Answer the same of a target whose rebuild is unfinished: it proves nothing, even where all is equal.

        Args:
            said: How far the rebuild is.
            is_proof: It is finished of all that was compared, so that this is only to know.
        """
        if is_proof:
            return replace(
                self, notes=(*self.notes, f"a rebuild of other databases of the target is unfinished: {said}")
            )
        finding = Finding(named=Named("", "rebuild of the target", ""), state="notProven", reason=f"unfinished: {said}")
        return replace(self, unproven=(finding, *self.unproven))

    def with_broken_point(self, said: str, *, is_proof: bool) -> "Comparison":
        """Answer the same of a recovery point that a deep verification found broken.

        Args:
            said: Which verification.
            is_proof: Nothing was compared with the recovery point, so that this is only to know.
        """
        if is_proof:
            return replace(self, notes=(*self.notes, f"the recovery point is broken: {said}"))
        reason = f"broken: {said}; what it lost cannot be seen here, restore from an intact recovery point"
        finding = Finding(named=Named("", "recovery point", ""), state="notProven", reason=reason)
        return replace(self, unproven=(finding, *self.unproven))

    def lines(self, report: str = "") -> Iterator[str]:
        """Write it for people; the last line is the verdict.

        Args:
            report: Where the report lies, if it is written.
        """
        for finding in self._apart:
            yield finding.line()
        counts: Counter[tuple[str, str, str]] = Counter()
        for finding in self.not_compared:
            key = (finding.named.database, finding.named.kind, finding.reason)
            counts[key] += 1
            if counts[key] <= _QUIET_KINDS:
                yield finding.line()
        for (database, kind, reason), count in counts.items():
            if count > _QUIET_KINDS:
                yield f"{Named(database, kind, '...')}: {count - _QUIET_KINDS} more, {one_line(reason)}: see the report"
        yield from self.notes
        if report:
            yield f"report: {report}"
        yield self.verdict()

    def verdict(self) -> str:
        """Say in one line what came of it."""
        apart = Counter(finding.named.kind for finding in self.not_compared)
        rest = ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in sorted(apart.items()))
        rest = f"; not compared: {rest}" if rest else ""
        if self.unproven_files:
            number = _number(len(self.unproven_files), "file", "files")
            rest = f"; not proven to be the backup's: {number}, whose SHA-256 the kit does not know{rest}"
        if self.is_equal:
            return f"all equal: {self._said_counts()}{rest}"
        if not self._apart:
            return f"nothing was compared: no database of {self.against} is in the target{rest}"
        found = [_number(len(self.differences), "difference", "differences")] if self.differences else []
        if self.named_by_restore:
            found = [_number(len(self.differences), "unexplained difference", "unexplained differences")]
            found += [f"{len(self.named_by_restore)} that the restore named"]
        found += [f"{len(self.unproven)} not proven"] if self.unproven else []
        return f"{', '.join(found)}; equal: {self._said_parts()}{rest}"

    def to_json(self) -> dict[str, Any]:
        """Write the report."""
        return {
            "version": REPORT_VERSION,
            **self.about,
            "against": self.against,
            "isEqual": self.is_equal,
            "verdict": self.verdict(),
            "counts": dict(self.counts),
            "equalKinds": dict(self.equal_kinds),
            "differences": [finding.to_json() for finding in self.differences],
            "namedByRestore": [finding.to_json() for finding in self.named_by_restore],
            "notProven": [finding.to_json() for finding in self.unproven],
            "notCompared": [finding.to_json() for finding in self.not_compared],
            "notes": list(self.notes),
            "filesNotProven": list(self.unproven_files),
        }

    def to_bytes(self) -> bytes:
        """Write the report as a file."""
        return json.dumps(self.to_json(), indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")

    def _said_counts(self) -> str:
        known = [_number(self.counts[key], *words) for key, words in _WORDS.items() if self.counts.get(key)]
        return ", ".join(known) or "nothing"

    def _said_parts(self) -> str:
        """Say how much of what was compared is equal: of databases those without any finding, of tables their rows."""
        names = {finding.named.database for finding in self._apart} - {""}
        tables = len({finding.named for finding in self._apart if finding.named.kind == "rows of"})
        known: list[str] = []
        for key, words in _WORDS.items():
            count = self.counts.get(key, 0)
            total = count + {_DATABASES: len(names), "tables": tables}.get(key, 0)
            if key in {_DATABASES, "tables"} and total:
                known.append(f"{'the rows of ' if key == 'tables' else ''}{count:,} of {_number(total, *words)}")
            elif count:
                known.append(_number(count, *words))
        return ", ".join(known) or "nothing"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Collects findings. One thread at a time adds to it."""

    against: str
    differences: list[Finding] = field(default_factory=list[Finding])
    named_by_restore: list[Finding] = field(default_factory=list[Finding])
    unproven: list[Finding] = field(default_factory=list[Finding])
    not_compared: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[str] = field(default_factory=Counter[str])
    equal_kinds: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])
    expected: dict[Named, str] = field(default_factory=dict[Named, str])
    unproven_files: list[str] = field(default_factory=list[str])
    same_databases: set[str] = field(default_factory=set[str])

    def expect(self, reasons: Mapping[Named, str]) -> None:
        """Hear what the restore named as not restored, and why."""
        self.expected |= reasons

    def equal(self, named: Named, counted_as: str = "facts", count: int = 1) -> None:
        """Count something that is equal."""
        if counted_as == _DATABASES:
            self.same_databases.add(named.database)
            return
        self.equal_kinds[named.kind] += 1
        self.counts[counted_as] += count

    def differ(self, named: Named, source: str | None, target: str | None, said: str = "") -> None:
        """Record a difference; nothing stands for an object that is not there.

        Args:
            named: What differs.
            source: What there should be.
            target: What there is.
            said: What the restore said of it, where that was not told by `expect`.
        """
        state: State = "missing" if target is None else "onlyInTarget" if source is None else "differs"
        said = said or ("" if source is None else self.expected.get(named, ""))
        if said:
            self.named_by_restore.append(_finding(named, state, source, target, f"as the restore said: {said}"))
        else:
            self.differences.append(_finding(named, state, source, target, ""))

    def not_proven(self, named: Named, reason: str, *, source: str = "", target: str = "") -> None:
        """Record what could not be compared."""
        self.unproven.append(_finding(named, "notProven", source, target, reason))

    def leave_out(self, named: Named, reason: str, *, state: State = "leftOut") -> None:
        """Record what is not compared on purpose."""
        self.not_compared.append(Finding(named=named, state=state, reason=reason))

    def note(self, text: str) -> None:
        """Tell the reader something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def result(self) -> Comparison:
        """Put it all together, sorted. A database with any finding is not counted as equal."""
        in_order = [
            tuple(sorted(found, key=lambda finding: (finding.named, finding.state)))
            for found in (self.differences, self.named_by_restore, self.unproven, self.not_compared)
        ]
        return Comparison(
            against=self.against,
            differences=in_order[0],
            named_by_restore=in_order[1],
            unproven=in_order[2],
            not_compared=in_order[3],
            counts=self._counts(),
            equal_kinds=dict(sorted(self.equal_kinds.items())),  # without databases: those are a sum of all
            notes=tuple(self.notes),
            unproven_files=tuple(self.unproven_files),
        )

    def _counts(self) -> dict[str, int]:
        apart = {f.named.database for f in (*self.differences, *self.named_by_restore, *self.unproven)} - {""}
        return {_DATABASES: len(self.same_databases - apart), **self.counts}


def _finding(named: Named, state: State, source: str | None, target: str | None, reason: str) -> Finding:
    if named.kind.removeprefix("definition of ") in _MAY_HOLD_PASSWORDS:
        source, target = (value and _HIDDEN for value in (source, target))
    return Finding(named=named, state=state, source=source or "", target=target or "", reason=reason)


def _cut(source: str, target: str) -> tuple[str, str]:
    """Show the part of two values where they begin to differ, each on one line."""
    source, target = " ".join(source.split()) or source.strip(), " ".join(target.split()) or target.strip()
    if max(len(source), len(target)) <= _LONGEST_SHOWN:
        return source, target
    same = next((i for i, (a, b) in enumerate(zip(source, target, strict=False)) if a != b), 0)
    start = max(same - _LONGEST_SHOWN // 4, 0)
    return _window(source, start), _window(target, start)


def _window(text: str, start: int) -> str:
    end = start + _LONGEST_SHOWN
    return f"{'...' if start and text else ''}{text[start:end]}{'...' if end < len(text) else ''}"


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
