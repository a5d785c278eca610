"""Compare two living servers by catalog queries and by the rows of every table."""

import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from flexvault.domain.dump_facts import SERVICE_DATABASES
from flexvault.domain.sql_text import quote_literal, quote_name
from flexvault.kit import catalog_queries, large_objects
from flexvault.kit.client import Client, ClientError
from flexvault.kit.compare_facts import compare_facts
from flexvault.kit.comparison import Comparison, Facts, Named, Tally, put
from flexvault.kit.login import Login, login_of
from flexvault.kit.login_reasons import reasons_without_superuser
from flexvault.kit.row_streams import DUMP_SESSION, FIXED_SESSION, Rows, digest_rows, json_rows, with_settings
from flexvault.kit.sequences import sequences_of_server

_HAS_PARAMETER_RIGHTS: Final = 15
_SQL_KINDS: Final = frozenset({"constraint", "index", "view definition", "policy", "rule", "column", "trigger"})
_NOT_NULL: Final = "not null constraint"
_HAS_NOT_NULL: Final = 18
_HAS_MAINTAIN: Final = 17
_RIGHTS: Final = re.compile(r"(?<==)[a-zA-Z*]+(?=/)")
_KINDS_WITH_MAINTAIN: Final = frozenset({"relation", "default privileges", "system object rights"})
_LARGE_OBJECTS: Final = "bytes of large object"


@dataclass(slots=True, kw_only=True)
class ServerState:
    """All that is known of a server.

    Attributes:
        facts: Of objects, roles and databases.
        rows: Of tables.
        objects: Digests of large objects.
        sequences: Where they stand.
        refused: What could not be read, and why.
        derived: What is made anew by a rebuild.
        left_out: What a rebuild leaves out on purpose, and why.
    """

    login: Login
    databases: tuple[str, ...]
    facts: Facts = field(default_factory=dict[Named, str])
    rows: dict[Named, Rows] = field(default_factory=dict[Named, Rows])
    objects: Facts = field(default_factory=dict[Named, str])
    sequences: Facts = field(default_factory=dict[Named, str])
    refused: dict[Named, str] = field(default_factory=dict[Named, str])
    derived: Facts = field(default_factory=dict[Named, str])
    left_out: Facts = field(default_factory=dict[Named, str])


def compare_servers(
    source: Client,
    target: Client,
    *,
    databases: Collection[str] = (),
    jobs: int = 2,
    on_line: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Compare everything of two servers, or what belongs to some databases and the roles.

    Raises:
        ClientError: A server cannot be reached or refuses its catalog.
        MissingProgramError: psql is not there.
    """
    with ThreadPoolExecutor(2) as pool:
        states = pool.map(
            lambda client: server_state(client, databases=databases, jobs=jobs, on_line=on_line), (source, target)
        )
        return compare_states(*states, chosen=databases)


def server_state(
    client: Client,
    *,
    databases: Collection[str] = (),
    jobs: int = 2,
    on_line: Callable[[str], None] = lambda _: None,
) -> ServerState:
    """Write down a whole server.

    Raises:
        ClientError: It cannot be reached or refuses its catalog.
    """
    pinned = with_settings(client, DUMP_SESSION, FIXED_SESSION, {"search_path": "pg_catalog"})
    login = login_of(pinned)
    found = [name for (name,) in json_rows(pinned, catalog_queries.DATABASES) if name not in SERVICE_DATABASES]
    names = [name for name in found if name not in {"template0", "template1"} and (not databases or name in databases)]
    state = ServerState(login=login, databases=tuple(sorted(names)))
    of_server = dict(catalog_queries.OF_THE_SERVER)
    if login.major >= _HAS_PARAMETER_RIGHTS:
        of_server["server parameter rights"] = catalog_queries.PARAMETER_RIGHTS
    for kind, name, value in _read(pinned, of_server, "postgres"):
        if kind != catalog_queries.OF_DATABASE or name in names:
            put(state.facts, Named("", kind, name), value)
    for name in state.databases:
        _add_database(pinned, state, name, jobs)
        on_line(f"database {name} is read")
    return state


def compare_states(source: ServerState, target: ServerState, *, chosen: Collection[str] = ()) -> Comparison:
    """Compare what was written down of two servers, or of one at two moments."""
    tally = Tally(against="the source server")
    for name in sorted({*chosen} - {*source.databases}):
        tally.not_proven(Named(name, "database", ""), "chosen, but the source server has no such")
    for name in sorted({*source.databases, *target.databases}):
        one, other = ("a database" if name in state.databases else None for state in (source, target))
        compare_facts(
            tally, *({Named(name, "database", ""): v} if v else {} for v in (one, other)), counted_as="databases"
        )
    both = set(source.databases) & set(target.databases)
    sides = source.refused | target.refused
    for named, reason in sides.items():
        tally.not_proven(named, f"refused: {reason}")
    facts = [_of_both(state.facts, both) for state in (source, target)]
    if source.login.major != target.login.major:
        facts = [_as_older(found, min(source.login.major, target.login.major), tally) for found in facts]
    reasons = {} if target.login.has_superuser else reasons_without_superuser(*facts, target.login)
    for is_role, counted_as in ((True, "roles"), (False, "facts")):
        parts = [{named: found[named] for named in found if (named.kind == "role") == is_role} for found in facts]
        compare_facts(
            tally, *parts, reasons=reasons, counted_as=counted_as, is_sql=lambda named: named.kind in _SQL_KINDS
        )
    for attribute, counted_as in (("sequences", "sequences"), ("objects", "largeObjects")):
        parts = [_known(getattr(state, attribute), sides, both) for state in (source, target)]
        compare_facts(tally, *parts, counted_as=counted_as, is_sql=lambda _: False)
    rows = [{named: str(value) for named, value in state.rows.items()} for state in (source, target)]
    compare_facts(tally, *(_known(part, sides, both) for part in rows), counted_as="tables", is_sql=lambda _: False)
    tally.counts["rows"] = sum(
        found.count for named, found in source.rows.items() if target.rows.get(named) == found and named not in sides
    )
    for named, value in (target.derived | source.derived).items():
        tally.leave_out(named, _derived_reason(named, value, target.derived.get(named)), state="derived")
    for named, reason in (target.left_out | source.left_out).items():
        tally.leave_out(named, reason)
    tally.leave_out(Named("", "passwords of roles", ""), "the files hold none that a rebuild may use; set new ones")
    return tally.result()


def _derived_reason(named: Named, source: str, target: str | None) -> str:
    return f"{source} in the source, {target} in the target" if named.kind == "collation version" else source


def _of_both(facts: Facts, both: Collection[str]) -> Facts:
    """Take what belongs to the server or to databases of both: of one that is missing that alone is said."""
    return {
        named: value
        for named, value in facts.items()
        if (named.name if named.kind == catalog_queries.OF_DATABASE else named.database) in {"", *both}
    }


def _as_older(facts: Facts, major: int, tally: Tally) -> Facts:
    """Leave out what the older of two servers cannot have."""
    found = dict(facts)
    if major < _HAS_NOT_NULL:
        found = {named: value for named, value in found.items() if named.kind != _NOT_NULL}
        tally.note("constraints that say NOT NULL are compared as columns: one server is older than PostgreSQL 18")
    if major < _HAS_MAINTAIN:
        found = {
            named: _RIGHTS.sub(_without_maintain, value) if named.kind in _KINDS_WITH_MAINTAIN else value
            for named, value in found.items()
        }
        tally.note("the right MAINTAIN is not compared: one server is older than PostgreSQL 17")
    return found


def _without_maintain(rights: re.Match[str]) -> str:
    return rights[0].replace("m*", "").replace("m", "")


def _known(facts: Facts, refused: Collection[Named], both: Collection[str]) -> Facts:
    return {named: value for named, value in facts.items() if named not in refused and named.database in both}


def _read(client: Client, queries: Mapping[str, str], database: str) -> list[list[str]]:
    """Run queries as one and return kind, name and value of each object."""
    parts = [
        f"SELECT json_build_array({quote_literal(kind)}, q.name::text, coalesce(q.value::text, ''))"  # noqa: S608
        f" FROM ({query}) AS q(name, value)"
        for kind, query in queries.items()
    ]
    return json_rows(client, " UNION ALL ".join(parts), database)


def _add_database(client: Client, state: ServerState, database: str, jobs: int) -> None:
    for queries, facts in (
        (catalog_queries.OF_A_DATABASE, state.facts),
        (catalog_queries.DERIVED, state.derived),
        (catalog_queries.LEFT_OUT, state.left_out),
    ):
        for kind, name, value in _read(client, queries, database):
            put(facts, Named(database, kind, name), value)
    state.derived[Named(database, "planner statistics", "")] = "run vacuumdb --analyze-in-stages on the target"
    state.facts |= large_objects.facts_of_server(client, database)
    try:
        for oid, digest in large_objects.digests_of_server(client, database).items():
            state.objects[Named(database, _LARGE_OBJECTS, str(oid))] = f"digest {digest:032x}"
    except ClientError as error:
        state.refused[Named(database, "bytes of large objects", "")] = error.message
    found, refused = sequences_of_server(client, database)
    state.sequences |= found
    state.refused |= refused
    _add_rows(client, state, database, jobs)


def _add_rows(client: Client, state: ServerState, database: str, jobs: int) -> None:
    asked = with_settings(client, {"search_path": ""})

    def read(table: tuple[str, str, list[str] | None]) -> tuple[Named, Rows | ClientError]:
        schema, name, columns = table
        # In the order of their names: the order in which they were added is a fact of its own.
        listed = ", ".join(map(quote_name, columns or ()))
        command = f"COPY (SELECT {listed} FROM ONLY {quote_name(schema)}.{quote_name(name)}) TO STDOUT"
        named = Named(database, "rows of", f"{schema}.{name}")
        try:
            return named, digest_rows(asked, database, command)
        except ClientError as error:
            return named, error

    tables = [
        (schema, name, columns)
        for schema, name, columns, _ in json_rows(client, catalog_queries.TABLES_WITH_ROWS, database)
    ]
    with ThreadPoolExecutor(jobs) as pool:
        for named, found in pool.map(read, tables):
            if isinstance(found, ClientError):
                state.refused[named] = found.message
            else:
                state.rows[named] = found
