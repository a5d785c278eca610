"""Say for each table of an archive which rows it must have and which command reads them of the rebuilt server."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.never_restored import SCHEDULED_JOBS, is_job_data
from flexvault.domain.sql_text import statements
from flexvault.kit.client import Client
from flexvault.kit.comparison import Named, Tally, in_schema
from flexvault.kit.point_files import ExpectedRows, PointDatabase, sum_of
from flexvault.kit.row_streams import copied_table, copy_to_stdout, json_rows
from flexvault.kit.target_rows import RowCheck

type TableKey = tuple[str, str]
"""Schema and name."""

_RELATIONS: Final = """
SELECT json_build_array(n.nspname, c.relname, c.relkind, c.relispopulated,
    (SELECT u.condition FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS u(relation, condition)
     WHERE u.relation = c.oid LIMIT 1))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table or materialised view of the target.

    Attributes:
        kind: As `pg_class.relkind`.
        condition: Of an extension's table: which rows a dump holds. Nothing for other tables.
    """

    kind: str
    is_populated: bool
    condition: str | None


def relations_of(client: Client, database: str) -> dict[TableKey, Relation]:
    """Ask the target.

    Raises:
        ClientError: It refuses.
    """
    return {
        (schema, name): Relation(kind=kind, is_populated=is_populated, condition=condition)
        for schema, name, kind, is_populated, condition in json_rows(client, _RELATIONS, database)
    }


def row_checks(database: PointDatabase, relations: dict[TableKey, Relation], tally: Tally) -> list[RowCheck]:
    """Return what is to be compared; what cannot be is recorded at once."""
    contents, checks = database.chosen, list[RowCheck]()
    for table, entries in _by_table(contents).items():
        named = Named(contents.database, "rows of", in_schema(*table))
        if is_job_data(entries[0]):
            tally.leave_out(named, SCHEDULED_JOBS)
            continue
        expected, relation = _expected(database, entries), relations.get(table)
        if relation is None:
            tally.differ(named, str(expected.rows) if expected.rows else "rows", None)
            continue
        condition = relation.condition or ""
        command = copy_to_stdout(
            entries[0].copy_statement,
            encoding=contents.encoding,
            condition=condition,
            is_query=bool(condition) or relation.kind == "p",
        )
        if expected.rows is None or command is None:
            tally.not_proven(named, f"not counted: {expected.reason or 'its rows are INSERT commands'}")
        else:
            checks.append(RowCheck(named=named, command=command, expected=expected.rows))
    _name_tables_without_rows(contents, tally)
    return checks


def _by_table(contents: Contents) -> dict[TableKey, list[Entry]]:
    """Group the entries with rows by the table that takes them.

    Partitions whose rows another server may put elsewhere (hashed by an enum, whose values have other oids there) are
    loaded through their root: their COPY statements name it.
    """
    found: dict[TableKey, list[Entry]] = {}
    for entry in contents.entries:
        if entry.desc == "TABLE DATA":
            found.setdefault(table_of(entry), []).append(entry)
    return found


def table_of(entry: Entry) -> TableKey:
    """Answer the table that takes the rows of an entry."""
    return copied_table(entry.copy_statement) or (entry.namespace, entry.tag)


def _expected(database: PointDatabase, entries: list[Entry]) -> ExpectedRows:
    total: ExpectedRows | None = None
    for entry in entries:
        unknown = ExpectedRows(rows=None, reason="the deep verification does not know it")
        found = database.rows.get(entry.dump_id, unknown)
        total = found if total is None else sum_of(total, found)
    assert total is not None  # noqa: S101 - a group has an entry
    return total


def _name_tables_without_rows(contents: Contents, tally: Tally) -> None:
    """Name tables whose rows were not dumped. Partitioned tables have none of their own."""
    with_rows = {(entry.namespace, entry.tag) for entry in contents.entries if entry.desc == "TABLE DATA"}
    for entry in contents.entries:
        if entry.desc == "TABLE" and (entry.namespace, entry.tag) not in with_rows:
            words = [token.upper() for statement in statements(entry.definition) for token in statement]
            if ("PARTITION", "BY") not in pairwise(words):
                named = Named(contents.database, "rows of", in_schema(entry.namespace, entry.tag))
                tally.leave_out(named, "the dump has none of its rows")
