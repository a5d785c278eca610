"""Say what a kit and the files beside it hold; needs no server."""

from pathlib import Path

from flexvault.domain.dump_catalogue import catalogue
from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.errors import VaultError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.sql_text import one_line
from flexvault.kit.dumps import Dump, open_dump
from flexvault.kit.facts import KitFacts
from flexvault.kit.known_errors import KNOWN_ERRORS
from flexvault.kit.load import Say


def show(facts: KitFacts, folder: Path, say: Say) -> None:
    """Say it."""
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
