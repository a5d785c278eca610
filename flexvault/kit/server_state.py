"""Write down a living server: objects, roles and databases by catalog queries, and the rows of every table."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from flexvault.domain.dump_facts import SERVICE_DATABASES, qualified
from flexvault.domain.never_restored import NEVER_RESTORED, SERVICE_DATABASE
from flexvault.domain.sql_text import quote_literal, quote_name
from flexvault.kit import catalog_queries, large_objects
from flexvault.kit.client import Client, ClientError
from flexvault.kit.comparison import Facts, Named, in_schema, put
from flexvault.kit.not_compared import NOT_CHOSEN, STATISTICS
from flexvault.kit.progress import DATABASE as REBUILD_DATABASE
from flexvault.kit.row_streams import DUMP_SESSION, FIXED_SESSION, Rows, digest_rows, json_rows, with_settings
from flexvault.kit.sequences import sequences_of_server
from flexvault.kit.target import Target, look_at

type _Table = tuple[str, str, list[str] | None, list[str] | None, bool]
"""Schema, name, columns, the partitioned table that it is a part of, whether it has generated columns."""

_HAS_PARAMETER_RIGHTS: Final = 15
_HAS_COLUMNS_PUBLISHED: Final = 15
_NOT_READ: Final = SERVICE_DATABASES | {REBUILD_DATABASE}
_SETTINGS: Final = "settings of"
_MANY_OF_A_NAME: Final = frozenset({"membership"})
"""A role may be granted by several, and all count."""
_SAME_NAME: Final = "several objects have this name, so one could hide another"
_ENCODING: Final = "SELECT json_build_array(current_setting('server_encoding'))"


@dataclass(slots=True, kw_only=True)
class ServerState:
    """All that is known of a server.

    Attributes:
        others: Databases that were not chosen.
        closed: Databases that let nobody connect, so that nothing in them is known.
        facts: Of objects, roles and databases.
        rows: Of tables.
        roots: Of partitions: the partitioned table of all.
        objects: Digests of large objects.
        sequences: Where they stand.
        refused: What could not be read, and why.
        derived: What is made anew by a rebuild.
        left_out: What a rebuild leaves out on purpose, and why.
    """

    server: Target
    databases: tuple[str, ...]
    others: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict[Named, str])
    rows: dict[Named, Rows] = field(default_factory=dict[Named, Rows])
    roots: dict[Named, Named] = field(default_factory=dict[Named, Named])
    objects: Facts = field(default_factory=dict[Named, str])
    sequences: Facts = field(default_factory=dict[Named, str])
    refused: dict[Named, str] = field(default_factory=dict[Named, str])
    derived: Facts = field(default_factory=dict[Named, str])
    left_out: Facts = field(default_factory=dict[Named, str])


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
    server = look_at(pinned)
    is_open: dict[str, bool] = {str(row[0]): row[1] for row in json_rows(pinned, catalog_queries.DATABASES)}
    found = [name for name in is_open if name not in _NOT_READ]
    names = [name for name in found if not databases or name in databases]
    state = ServerState(
        server=server,
        databases=tuple(sorted(name for name in names if is_open[name])),
        others=tuple(sorted({*found} - {*names})),
        closed=tuple(sorted(name for name in names if not is_open[name])),
    )
    for name in sorted(SERVICE_DATABASES.intersection(name for name in is_open if is_open[name])):
        state.left_out[Named(name, "database", "")] = SERVICE_DATABASE
    of_server = dict(catalog_queries.OF_THE_SERVER)
    if server.major >= _HAS_PARAMETER_RIGHTS:
        of_server["server parameter rights"] = catalog_queries.PARAMETER_RIGHTS
    for kind, name, value in _read(pinned, of_server, "postgres"):
        if kind == _SETTINGS and databases and not _is_of(name, names):
            state.left_out[Named("", kind, name)] = NOT_CHOSEN
        elif kind != catalog_queries.OF_DATABASE or name in names:
            _put(state, Named("", kind, name), value)
    for name in state.databases:
        _add_database(pinned, state, name, jobs)
        on_line(f"database {name} is read")
    return state


def _put(state: ServerState, named: Named, value: str) -> None:
    """Record a fact; two objects of one name are never proven equal."""
    if named in state.facts and named.kind not in _MANY_OF_A_NAME:
        state.refused[named] = _SAME_NAME
    put(state.facts, named, value)


def _is_of(settings: str, databases: Collection[str]) -> bool:
    """Say whether settings are of one of some databases, or of a role in all."""
    written = (text for name in databases for text in (qualified("", name), quote_name(name)))
    starts = [f"database {name}," for name in written]
    return settings.startswith(("all databases,", *starts))


def _read(client: Client, queries: Mapping[str, str], database: str) -> list[list[str]]:
    """Run queries as one and return kind, name and value of each object."""
    parts = [
        f"SELECT json_build_array({quote_literal(kind)}, q.name::text, coalesce(q.value::text, ''))"
        f" FROM ({query}) AS q(name, value)"
        for kind, query in queries.items()
    ]
    return json_rows(client, " UNION ALL ".join(parts), database)


def _add_database(client: Client, state: ServerState, database: str, jobs: int) -> None:
    has_columns = state.server.major >= _HAS_COLUMNS_PUBLISHED
    published = catalog_queries.PUBLISHED if has_columns else catalog_queries.PUBLISHED_BEFORE_15
    for kind, name, value in _read(client, catalog_queries.OF_A_DATABASE | published, database):
        _put(state, Named(database, kind, name), value)
    for kind, name, reason in _read(client, catalog_queries.UNREADABLE, database):
        state.refused[Named(database, kind, name)] = reason
    for queries, facts in (
        (catalog_queries.DERIVED, state.derived),
        (catalog_queries.LEFT_OUT, state.left_out),
    ):
        for kind, name, value in _read(client, queries, database):
            put(facts, Named(database, kind, name), value or NEVER_RESTORED.get(kind.upper(), ""))
    state.derived[Named(database, "planner statistics", "")] = STATISTICS
    state.facts |= large_objects.facts_of_server(client, database)
    try:
        for oid, digest in large_objects.digests_of_server(client, database).items():
            state.objects[Named(database, "large object", str(oid))] = f"digest {digest:032x}"
    except ClientError as error:
        state.refused[Named(database, "large objects", "")] = error.message
    found, refused = sequences_of_server(client, database)
    state.sequences |= found
    state.refused |= refused
    _add_rows(client, state, database, jobs)


def _add_rows(client: Client, state: ServerState, database: str, jobs: int) -> None:
    asked = with_settings(client, {"search_path": ""})
    # Its own: a database of SQL_ASCII may hold bytes that are no letters of another encoding.
    [[encoding]] = json_rows(client, _ENCODING, database)

    def read(table: _Table) -> tuple[Named, Rows | ClientError]:
        schema, name, columns, _, has_generated = table
        # In the order of their names: the order in which they were added is a fact of its own.
        listed = ", ".join(map(quote_name, columns or ()))
        relation = f"{quote_name(schema)}.{quote_name(name)}"
        # COPY of a table reads no generated columns, and a query is planned, which fails where an index calls a
        # function that needs another search_path.
        query = f"(SELECT {listed} FROM ONLY {relation})"
        what = query if has_generated else f"{relation} ({listed})" if columns else relation
        command = f"COPY {what} TO STDOUT (ENCODING {quote_literal(encoding)})"
        named = Named(database, "rows of", in_schema(schema, name))
        try:
            return named, digest_rows(asked, database, command)
        except ClientError as error:
            return named, error

    tables: list[_Table] = [(*row,) for row in json_rows(client, catalog_queries.TABLES_WITH_ROWS, database)]
    for schema, name, _, root, _ in tables:
        if root:
            named = Named(database, "rows of", in_schema(schema, name))
            state.roots[named] = Named(database, "rows of", in_schema(*root))
    with ThreadPoolExecutor(jobs) as pool:
        for named, found in pool.map(read, tables):
            if isinstance(found, ClientError):
                state.refused[named] = found.message
            else:
                state.rows[named] = found


def with_database(state: ServerState, old: str, new: str) -> ServerState:
    """Answer what is known of a server as if one of its databases had another name."""

    def named(one: Named) -> Named:
        name = one.name
        if one.kind == catalog_queries.OF_DATABASE and name == old:
            name = new
        elif one.kind == _SETTINGS and name.startswith(before := f"database {qualified('', old)},"):
            name = f"database {qualified('', new)},{name.removeprefix(before)}"
        return replace(one, database=new if one.database == old else one.database, name=name)

    def all_of[Value](known: Mapping[Named, Value]) -> dict[Named, Value]:
        return {named(one): value for one, value in known.items()}

    return replace(
        state,
        databases=tuple(new if name == old else name for name in state.databases),
        closed=tuple(new if name == old else name for name in state.closed),
        facts=all_of(state.facts),
        rows=all_of(state.rows),
        roots={named(one): named(root) for one, root in state.roots.items()},
        objects=all_of(state.objects),
        sequences=all_of(state.sequences),
        refused=all_of(state.refused),
        derived=all_of(state.derived),
        left_out=all_of(state.left_out),
    )
