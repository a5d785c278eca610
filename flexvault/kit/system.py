"""Databases that every server has already: never restored, but what people made in them is listed."""

from collections.abc import Iterator
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.dump_stream import READ_COMPRESSIONS, BlockStream, plain
from flexvault.domain.never_restored import SERVICE_DATABASE, is_job_data
from flexvault.kit.dumps import Dump, reader
from flexvault.kit.outcome import Outcome
from flexvault.kit.plan import outcome

_REASON: Final = "every server has its own database of this name: make the object by hand where you want it"
_SILENT: Final = frozenset({"ACL", "COMMENT", "TABLE DATA", "SEQUENCE SET", "ENCODING", "STDSTRINGS", "SEARCHPATH"})
_WIDEST: Final = 200


def list_system_database(dump: Dump) -> list[Outcome]:
    """List what lives in a database that is not restored, scheduled jobs included."""
    found = [
        Outcome(
            database="",
            kind="database",
            name=dump.database,
            state="left out",
            reason=f"{SERVICE_DATABASE}; what lives in it is listed below",
        )
    ]
    made = (e for e in dump.contents.entries if e.desc not in _SILENT and not e.desc.startswith("DATABASE"))
    found += [outcome(dump, entry, "left out", _REASON) for entry in made]
    return [*found, *list_jobs(dump)]


def list_jobs(dump: Dump) -> list[Outcome]:
    """List the jobs of pg_cron in an archive that was walked."""
    found: list[Outcome] = []
    for entry in dump.contents.entries:
        if is_job_data(entry) and entry.tag == "job":
            for row in _rows(dump, entry):
                reason = f"not scheduled: {row.get('schedule', '?')} {row.get('command', '?')[:_WIDEST]}"
                name = row.get("jobname") or row.get("jobid", "?")
                found.append(
                    Outcome(database=dump.database, kind="scheduled job", name=name, state="left out", reason=reason)
                )
    return found


def _rows(dump: Dump, entry: Entry) -> Iterator[dict[str, str]]:
    """Read the rows of a small table."""
    block = dump.blocks.get(entry.dump_id)
    if block is None or dump.contents.compression not in READ_COMPRESSIONS:
        return
    stream = BlockStream(dump.contents, block, reader(dump.path))
    stream.open()
    text = b"".join(plain(dump.contents, block, stream.pieces())).decode("utf-8", "replace")
    columns = [name.strip(' "') for name in entry.copy_statement.partition("(")[2].partition(")")[0].split(",")]
    for line in text.split("\n"):
        if line in {"", "\\."}:
            continue
        yield dict(zip(columns, line.split("\t"), strict=False))
