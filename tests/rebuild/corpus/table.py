"""What each way from files to a server loses of the corpus, as the table of `docs/restore.md`."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.rebuild.conftest import Server
from tests.rebuild.corpus.model import Check, Source
from tests.rebuild.corpus.routes import Backup, Route, Workshop, roles_of, rows_of
from tests.rebuild.corpus.run import ask, can_have
from tests.rebuild.corpus.ways import Outcome

COMPARED = Route(source=18, target=18, is_administrator=True, seekable=False)
"""Onto a server as a flexible server is, by its administrator, from files as LTR writes them."""
BEGIN, END = "<!-- the table begins -->", "<!-- the table ends -->"
_LONGEST_ANSWER = 44

type Asked = Sequence[tuple[Source, Check]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A way's end.

    Attributes:
        answers: Number of a check -> what the rebuilt server answered.
        missing_roles: How many of the source's it does not have.
        missing_rows: Likewise, over all tables.
    """

    outcome: Outcome
    answers: Mapping[int, str]
    missing_roles: int
    missing_rows: int


def find_result(asked: Asked, backup: Backup, server: Server, outcome: Outcome) -> Result:
    """Ask a rebuilt server all checks, and count what it lacks."""
    rows = rows_of(server)
    return Result(
        outcome=outcome,
        answers={number: ask(server, check) for number, (_, check) in enumerate(asked)},
        missing_roles=len(backup.roles - roles_of(server)),
        missing_rows=sum(max(0, count - rows.get(table, 0)) for table, count in backup.rows.items()),
    )


def compare_ways(workshop: Workshop, kit: tuple[Server, Outcome] | None = None) -> str:
    """Rebuild as documented and, unless it was done already, by the kit; write the table."""
    backup, source = workshop.backup(COMPARED), workshop.source(COMPARED)
    asked = [(part, check) for part, check in COMPARED.checks() if can_have(source, part)]
    with ExitStack() as stack:
        documented = find_result(asked, backup, *workshop.rebuild(COMPARED, stack, documented=True))
    by_kit = find_result(asked, backup, *(kit or workshop.rebuild(COMPARED)))
    return write_table(asked, backup, documented, by_kit)


def write_table(asked: Asked, backup: Backup, documented: Result, kit: Result) -> str:
    """Write Markdown: first what is counted, then each check that one of the ways does not hold."""
    checks = [check for _, check in asked]
    lost = [_lost(checks, result) for result in (documented, kit)]
    named = sum(kit.outcome.names(COMPARED.loss(checks[number])) for number in lost[1] if COMPARED.loss(checks[number]))
    lines = [
        "| of the corpus | documented way | the kit |",
        "|---|---|---|",
        f"| checks that hold, of {len(checks)} | {len(checks) - len(lost[0])} | {len(checks) - len(lost[1])} |",
        f"| lost, and listed by name at the end | 0 of {len(lost[0])} | {named} of {len(lost[1])} |",
        f"| roles missing, of {len(backup.roles)} | {documented.missing_roles} | {kit.missing_roles} |",
        f"| rows missing, of {sum(backup.rows.values()):,} | {documented.missing_rows} | {kit.missing_rows} |",
        f"| exit codes | {_codes(documented.outcome)} | {_codes(kit.outcome)} |",
        "",
        "| must be true | documented way | the kit |",
        "|---|---|---|",
    ]
    for number, (source, check) in enumerate(asked):
        if number in lost[0] | lost[1]:
            cells = (_cell(check, documented.answers[number]), _kit_cell(check, kit, number))
            lines.append(f"| {source.name.replace('_', ' ')}: {_plain(check.what)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def _lost(checks: list[Check], result: Result) -> set[int]:
    return {number for number, check in enumerate(checks) if result.answers[number] != check.expected}


def _cell(check: Check, answer: str) -> str:
    if answer == check.expected:
        return "kept"
    short = answer if len(answer) <= _LONGEST_ANSWER else answer[: _LONGEST_ANSWER - 3] + "..."
    return f"lost: {_code(short)}" if answer not in {"", "NULL"} else "lost"


def _kit_cell(check: Check, kit: Result, number: int) -> str:
    loss = COMPARED.loss(check)
    is_named = kit.answers[number] != check.expected and loss and kit.outcome.names(loss)
    return "lost, and named" if is_named else _cell(check, kit.answers[number])


def _code(text: str) -> str:
    return f"`{_plain(text).replace('`', "'")}`"


def _plain(text: str) -> str:
    return text.replace("\n", " ⏎ ").replace("|", "\\|")


def _codes(outcome: Outcome) -> str:
    """Count the exit codes of each program; psql's and pg_restore's errors are only printed."""
    programs: dict[str, list[int]] = {}
    for what, code in outcome.exit_codes.items():
        programs.setdefault(what.split(" ")[0].rstrip(","), []).append(code)
    texts = [
        f"{program}: " + ", ".join(f"{codes.count(code)} times {code}" for code in sorted(set(codes)))
        for program, codes in programs.items()
    ]
    return "; ".join(texts) + (f"; {outcome.errors} errors printed" if outcome.errors else "")
