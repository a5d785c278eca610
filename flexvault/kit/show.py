"""Say what a kit and the files beside it hold; needs no server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flexvault.domain.dump_catalogue import catalogue
from flexvault.domain.dump_facts import SERVICE_DATABASES, qualified
from flexvault.domain.errors import NotFoundError, VaultError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.sql_text import one_line
from flexvault.kit.choice_checks import counted_rows
from flexvault.kit.dumps import Dump, open_dump
from flexvault.kit.facts import KitFacts
from flexvault.kit.known_errors import KNOWN_ERRORS
from flexvault.kit.load import Say

_KINDS: Final = {
    "foreignTable": "foreign table",
    "materializedView": "materialized view",
    "foreignServer": "foreign server",
    "eventTrigger": "event trigger",
}
_MORE_THAN_NAMES: Final = frozenset({"function", "policy"})
"""Kinds whose name has more in it: types of arguments, a table."""


def show(facts: KitFacts, folder: Path, say: Say) -> None:
    """Say it: of each database how much there is of what."""
    say(f"server {one_line(facts.server_name)}, PostgreSQL {facts.server_version}, as of {facts.recovery_point_time}")
    say(f"recovery point {facts.recovery_point_id}, kit {facts.kit_id}")
    found = facts.verification
    none = facts.notice or "none"
    say(f"deep verification: {found.verdict} of {found.completed_at}" if found else f"deep verification: {none}")
    for file in facts.files:
        path = folder / file.name
        say(f"file {one_line(file.name)}: {file.kind}, {file.size_bytes} bytes{'' if path.is_file() else ', missing'}")
        if file.kind == FileKind.DATABASE and path.is_file():
            try:
                _show_database(open_dump(folder, file), say)
            except VaultError as error:
                say(f"  cannot be read: {one_line(error.message)}")
    for name in facts.left_out:
        say(f"database {one_line(name)}: its file is not in this restore")
    say("`show --database NAME` lists what a database holds, by name")


def show_databases(facts: KitFacts, folder: Path, names: Sequence[str], say: Say) -> None:
    """List the objects of some databases by name, tables with their rows where those were counted.

    Raises:
        NotFoundError: No file that lies there holds a database of such a name.
    """
    files = [file for file in facts.files if file.kind == FileKind.DATABASE and (folder / file.name).is_file()]
    found = {dump.database: dump for dump in (open_dump(folder, file) for file in files)}
    missing = [name for name in names if name not in found]
    if missing:
        listed = ", ".join(one_line(name) for name in sorted(found)) or "none"
        hint = f"names are whole and exact; the files in {folder} hold: {listed}"
        raise NotFoundError(f"database {one_line(missing[0])} is in none of the files", hint=hint)
    for name in names:
        _show_database(found[name], say)
        counted = counted_rows(facts, found[name])
        for item in catalogue(found[name].contents).objects:
            if item.kind not in {"database", "largeObject"}:
                shown = qualified(item.schema, item.name) if item.kind not in _MORE_THAN_NAMES else item.name
                where = f"{item.schema}." if item.schema and item.kind in _MORE_THAN_NAMES else ""
                rows = f", {counted[item.dump_id]} rows" if item.dump_id in counted else ""
                say(f"  {_KINDS.get(item.kind, item.kind)} {one_line(where + shown)}{rows}")


def show_known_errors(say: Say) -> None:
    """Say behind which errors a rebuild goes on."""
    for known in KNOWN_ERRORS:
        say(f"{', '.join(sorted(kind.lower() for kind in known.kinds))}")
        say(f"  message: {known.pattern}")
        say(f"  reason: {known.reason}")


def _show_database(dump: Dump, say: Say) -> None:
    listed = catalogue(dump.contents)
    is_system = " (every server has its own, it is not restored)" if dump.database in SERVICE_DATABASES else ""
    options = ", ".join(f"{key.lower()} {value}" for key, value in dump.facts.options)
    say(f"  database {one_line(dump.database)}{is_system}: owner {one_line(dump.facts.owner)}, {options}")
    counts = {kind: len(listed.of_kind(kind)) for kind in ("schema", "table", "view", "function", "largeObject")}
    say("  " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count))
    extensions = ", ".join(sorted(item.name for item in listed.of_kind("extension")))
    if extensions:
        say(f"  extensions: {one_line(extensions)}")
