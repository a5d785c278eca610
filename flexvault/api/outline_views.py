"""The outline of a restore, as a check's verdict shows it."""

from typing import Any

from flexvault.api.times import wire_time
from flexvault.domain.errors import PermanentError
from flexvault.domain.restore_outline import LeftOutDatabase, OutlinedDatabase, OutlineNote, RestoreOutline
from flexvault.ports import Ports
from flexvault.services.restore_outlines import OutlinedRestore, read_outline


def show_outline_of(ports: Ports, restore: OutlinedRestore) -> dict[str, Any]:
    """Show the outline of a restore that was checked; `problem` alone where it cannot be told any more.

    The verdict stands whatever became of the point since: a poller must come to its end.
    """
    try:
        return show_outline(read_outline(ports, restore))
    except PermanentError as error:
        return {"problem": f"{error.code}: {error.message}"}


def show_outline(outline: RestoreOutline) -> dict[str, Any]:
    """Show what a restore copies, and what its rebuild does in which order."""
    verification = outline.verification
    return {
        "server": {"name": outline.server_name, "version": outline.server_version},
        "sizeInBytes": outline.size_bytes,
        "verifiedAt": None if verification is None else wire_time(verification.completed_at),
        "verdict": None if verification is None else verification.verdict.value,
        "rolesFile": outline.roles_file or None,
        "steps": [{"step": step.value, "database": database or None} for step, database in outline.steps],
        "databases": [_show_database(database) for database in outline.databases],
        "leftOut": [_show_left_out(database) for database in outline.left_out],
        "otherFiles": list(outline.other_files),
        "neverRestored": list(outline.never),
    }


def _show_database(database: OutlinedDatabase) -> dict[str, Any]:
    return {
        "name": database.name,
        "file": database.file,
        "sizeInBytes": database.size_bytes,
        "owner": database.owner,
        "encoding": database.encoding,
        "locale": dict(database.locale),
        "connectionLimit": database.connection_limit,
        "extensions": list(database.extensions),
        "schemas": database.schemas,
        "tables": database.tables,
        "largeObjects": database.large_objects,
        "rows": database.rows,
        "rowBytes": database.row_bytes,
        "notes": None if database.notes is None else [_show_note(note) for note in database.notes],
    }


def _show_note(note: OutlineNote) -> dict[str, Any]:
    return {
        "kind": note.kind,
        "treatment": note.treatment.value,
        "reason": note.reason,
        "count": note.count,
        "names": list(note.names),
    }


def _show_left_out(database: LeftOutDatabase) -> dict[str, Any]:
    return {"name": database.name or None, "file": database.file or None, "reason": database.reason}
