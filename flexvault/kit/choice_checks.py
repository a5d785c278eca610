"""Check what was chosen against what the files hold: names that mean nothing, and what a choice leaves out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.sql_text import literal_of, name_of, one_line, statements
from flexvault.kit.dumps import Dump
from flexvault.kit.facts import KitFacts
from flexvault.kit.finding import Finding, note, problem
from flexvault.kit.options import MANY_INTO_ONE, Options
from flexvault.kit.outcome import Outcome, in_words
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.progress import DATABASE

_NAMED_AT_MOST: Final = 20
_OWN_SCHEMAS: Final = frozenset({"pg_catalog", "pg_temp", "$user", "public", "information_schema"})


def check_choice(dumps: Sequence[Dump], restored: Sequence[Dump], options: Options) -> Iterator[Finding]:
    """Find databases, extensions and schemas that were named and that no file has."""
    shown = "`rebuild.pyz show` lists what the files hold"
    have = {dump.database for dump in restored}
    for name in sorted(options.named - have):
        reason = "is one that every server has already" if name in SERVICE_DATABASES else "is in none of the files"
        yield problem(f"database {one_line(name)} {reason}", shown)
    if options.into and len(restored) != 1:
        yield problem(MANY_INTO_ONE, "choose one with --database")
    if options.into == DATABASE:
        yield problem(f"--into {DATABASE} is the name of the kit's own database", "choose another name")
    if DATABASE in have and not options.into:
        text = f"the backup holds a database {DATABASE}, the name of the kit's own"
        yield problem(text, f"restore the others by --database, and this one by --database {DATABASE} --into OTHER")
    seen: dict[str, str] = {}
    for dump in dumps:
        if dump.database in seen:
            text = f"{seen[dump.database]} and {dump.file.name} both hold database {one_line(dump.database)}"
            yield problem(text, "move one of them out of the folder and leave it out by --database")
        seen[dump.database] = dump.file.name
    extensions = {entry.tag for dump in restored for entry in dump.contents.entries if entry.desc == "EXTENSION"}
    for name in sorted(options.without_extensions - extensions):
        yield problem(f"--without-extension {one_line(name)}: no database that is restored has that extension", shown)
    for name in sorted(options.search_paths.keys() - have):
        yield problem(f"--search-path {one_line(name)}: no database of this name is restored", shown)
    for dump in restored:
        yield from _check_path(dump, options.search_paths.get(dump.database, ""))


def _check_path(dump: Dump, path: str) -> Iterator[Finding]:
    known = {entry.tag for entry in dump.contents.entries if entry.desc == "SCHEMA"} | _OWN_SCHEMAS
    parts = [part for statement in statements(path) for part in statement if part != ","]
    for name in (literal_of(part) if part.startswith("'") else name_of(part) for part in parts):
        if name not in known:
            text = f"--search-path: database {one_line(dump.database)} has no schema {one_line(name)}"
            yield problem(text, f"it has {', '.join(sorted(map(one_line, known - _OWN_SCHEMAS | {'public'})))}")


def price_of_extensions(facts: KitFacts, plans: Sequence[DatabasePlan], options: Options) -> Iterator[Finding]:
    """Say what leaving extensions out costs before it is done: all that depends on them, tables with their rows."""
    if not options.without_extensions:
        return
    for plan in plans:
        lost = [item for item in plan.left_out if item.reason.startswith("depends on extension ")]
        told = [item for item in lost if item.kind not in {"acl", "comment", "table data", "sequence set"}]
        if told:
            counted = counted_rows(facts, plan.dump)
            names = [_named(item, counted) for item in sorted(told, key=lambda item: item.kind != "table")]
            more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
            text = f"--without-extension leaves out of database {one_line(plan.dump.database)} what needs it"
            yield note(f"{text}: {', '.join(names[:_NAMED_AT_MOST])}{more}")


def _named(item: Outcome, counted: Mapping[int, int]) -> str:
    rows = f" ({counted[item.dump_id]} rows)" if item.dump_id in counted else ""
    return one_line(f"{in_words(item.kind)} {item.name}{rows}")


def counted_rows(facts: KitFacts, dump: Dump) -> dict[int, int]:
    """Answer dump id of a table -> its rows, where a deep verification counted them."""
    verified = facts.verification.files.get(dump.file.name) if facts.verification else None
    by_data = {rows.dump_id: rows.rows for rows in verified.rows if rows.rows is not None} if verified else {}
    tables = {e.dump_id for e in dump.contents.entries if e.desc == "TABLE"}
    return {
        number: by_data[entry.dump_id]
        for entry in dump.contents.entries
        if entry.desc == "TABLE DATA" and entry.dump_id in by_data
        for number in entry.dependencies
        if number in tables
    }
