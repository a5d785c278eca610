"""What a source of the corpus is: what it makes, and what must be true on a server that is rebuilt from its files.

A check is a query with the answer that its author wrote down. It knows nothing of the kit or of `compare`: both could
forget the same thing. Every check is asked of the source too, so that no answer is wrong from the start.
"""

from dataclasses import dataclass

ADMINISTRATOR = "flexadmin"
"""The local administrator of a flexible server: no superuser. Its name is the same in the source and in the target."""

ABSENT = "(database or object is not there)"
BOTH = frozenset({16, 18})
ONLY_18 = frozenset({18})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must be true of a rebuilt server.

    Attributes:
        what: A sentence's end: "rebuilt, ..." as the table of `docs/restore.md` shows it.
        sql: Columns of the answer are joined by `|`, rows by line breaks, NULL is `NULL`.
        expected: The answer.
        database: Where it is asked.
        lost: How the kit's table names what an administrator without superuser cannot restore: parts of one of its
            lines, `…` between them. Then the check does not hold there, and the table has that line.
        lost_always: Likewise for every target: what no dump holds.
        lost_since_17: Likewise for a target that restricts the search_path of CREATE INDEX and REFRESH, as 17 and newer
            do: https://www.postgresql.org/docs/17/release-17.html
        majors: Of the source: which have the feature.
    """

    what: str
    sql: str
    expected: str
    database: str = "postgres"
    lost: str = ""
    lost_always: str = ""
    lost_since_17: str = ""
    majors: frozenset[int] = BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of a source.

    Attributes:
        sql: Makes its contents, run by the owner.
        as_superuser: Makes what only a superuser can, afterwards.
        sql_of_16: Likewise, on PostgreSQL 16 alone, because 17 and newer refuse it.
        sql_of_18: Likewise, on PostgreSQL 18 alone.
        options: Of CREATE DATABASE, such as `ENCODING 'LATIN1'`.
    """

    name: str
    sql: str = ""
    as_superuser: str = ""
    owner: str = ADMINISTRATOR
    options: str = ""
    sql_of_16: str = ""
    sql_of_18: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A part of the corpus. Several fit into one cluster: names of roles and databases are used once.

    Attributes:
        roles: SQL run first, by the superuser.
        after: SQL run last, in database postgres, by the superuser.
        needs: A query that says whether the server can have it, and `lacking` why not.
    """

    name: str
    roles: str = ""
    databases: tuple[Database, ...] = ()
    after: str = ""
    checks: tuple[Check, ...] = ()
    majors: frozenset[int] = BOTH
    needs: str = "SELECT true"
    lacking: str = ""


def quoted(name: str) -> str:
    """Write a name of an object for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text for SQL, whatever it holds."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n") + "'"
