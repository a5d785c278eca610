"""What earlier runs of a kit left on a server: what this run goes on with, and what stays unfinished."""

import json
import shlex
from collections.abc import Collection, Iterator, Mapping

from flexvault.domain.sql_text import one_line
from flexvault.kit.finding import Finding, note
from flexvault.kit.outcome import Outcome
from flexvault.kit.plan import DatabasePlan
from flexvault.kit.progress import ROLES, Row


def unfinished(rows: Mapping[str, Row], databases: Mapping[str, int]) -> list[Row]:
    """Answer the rows of databases that a kit began, that are there, and that no run brought to their end.

    Args:
        rows: Of a kit.
        databases: Of the server: name -> oid.
    """
    begun = (row for name, row in rows.items() if name != ROLES and row.state != "done")
    return [row for row in begun if row.name in databases and row.mark in {None, databases[row.name]}]


def command_of(row: Row) -> str:
    """Write the command that goes on with a database."""
    database, schemas, tables, extensions, with_subscriptions = json.loads(row.choice)
    words = ["restore"]
    words += [word for schema in schemas for word in ("--schema", database, schema)]
    words += [word for table in tables for word in ("--table", database, *table)]
    words += [] if schemas or tables else ["--database", database]
    words += ["--into", row.name] if row.name != database else []
    words += [word for name in extensions for word in ("--without-extension", name)]
    words += ["--with-subscriptions"] if with_subscriptions else []
    return shlex.join(words)


def left_unfinished(rows: Mapping[str, Row], databases: Mapping[str, int]) -> list[Outcome]:
    """Say which databases are still unfinished, for the table at the end."""
    return [
        Outcome(
            database=json.loads(row.choice)[0],
            kind="database",
            name=row.name,
            state="left out",
            reason=f"unfinished since an earlier run of this kit: run {command_of(row)}",
        )
        for row in unfinished(rows, databases)
    ]


def going_on(rows: Mapping[str, Row], databases: Mapping[str, int], plans: Collection[DatabasePlan]) -> list[Finding]:
    """Say what a restore would go on with, and what it would leave as it is."""
    if not rows:
        return []
    chosen = {plan.name: plan for plan in plans}
    found = [note("a rebuild by this kit is unfinished on this server", "run restore again: it goes on")]
    begun = {row.name for row in unfinished(rows, databases)}
    for row in rows.values():
        if row.name in chosen and row.name in databases:
            found += [note(text) for text in _fate(row, chosen[row.name])]
        elif row.name in begun:
            text = f"database {one_line(row.name)} was begun by an earlier run and is not chosen: it stays unfinished"
            found.append(note(text, f"go on with it: {command_of(row)}"))
    return found


def _fate(row: Row, plan: DatabasePlan) -> Iterator[str]:
    about = f"database {one_line(row.name)}"
    if row.state == "done" and row.choice == plan.choice:
        yield f"{about} was done by an earlier run: it stays"
    elif row.state == "data" and row.choice == plan.choice:
        yield f"{about} goes on with its data"
    elif row.state != "done":
        yield f"{about} was begun by an earlier run: it is dropped and made anew"
