"""What needs a database's own search_path, where pg_dump wrote everything for an empty one.

A function that finds its tables by the path must run under it. Whoever may create in a schema of that path can lay a
function there that fits a call better than PostgreSQL's own (CVE-2018-1058), so the path is put only in the way of an
entry that failed without it, each is named, and no definition may be bound to another function by it.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from flexvault.domain.dump_contents import Entry
from flexvault.domain.dump_head import Change
from flexvault.domain.sql_text import one_line, quote_literal
from flexvault.kit.client import Client, ClientError
from flexvault.kit.outcome import Outcome
from flexvault.kit.plan import DatabasePlan, outcome

NEEDS_PATH: Final = re.compile(r"does not exist")
UNDER_PATH: Final = "made under the search_path "
FIRST_WITH_SAFE_PATH: Final = 17
"""From here on the server itself builds indexes and refreshes views under a path of its own."""

_SETS_PATH: Final = "SET search_path TO "
_BUILT_BY_SERVER: Final = frozenset({"INDEX", "CONSTRAINT", "MATERIALIZED VIEW DATA"})
_WITHOUT_EXPRESSION: Final = frozenset({"EXTENSION", "FK CONSTRAINT", "MATERIALIZED VIEW DATA"})
"""Bound to functions and operators that their definitions need not name."""
_BOUND: Final = """
WITH made AS (SELECT refclassid, refobjid FROM pg_catalog.pg_depend
  WHERE pg_catalog.age(xmin) <= pg_catalog.age('{before}'::pg_catalog.xid))
SELECT coalesce(pg_catalog.json_agg(DISTINCT name), '[]') FROM (
  SELECT pg_catalog.format('%I.%I', n.nspname, p.proname) AS name FROM made
    JOIN pg_catalog.pg_proc AS p ON refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = refobjid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname <> 'pg_catalog'
  UNION SELECT pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname) FROM made
    JOIN pg_catalog.pg_operator AS o ON refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = refobjid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = o.oprnamespace WHERE n.nspname <> 'pg_catalog') AS bound
"""
_CREATORS: Final = """
SELECT coalesce(pg_catalog.json_agg(DISTINCT pg_catalog.json_build_array(n.nspname,
  CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.grantee) END)::text), '[]')
FROM pg_catalog.pg_namespace AS n,
  pg_catalog.aclexplode(coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) AS a
WHERE a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner AND n.nspname = ANY (ARRAY[{schemas}]::name[])
"""


class ReboundError(ClientError):
    """Under the search_path a definition would call other functions than the source's; it was not made."""


def with_search_path(plan: DatabasePlan) -> dict[int, Change]:
    """Answer the changes of a head whose functions run under the database's own search_path."""
    paths = [entry for entry in plan.dump.contents.entries if entry.desc == "SEARCHPATH"]
    return {**plan.changes, **{entry.dump_id: Change(definition=plan.search_path) for entry in paths}}


def may_help(entry: Entry, error: ClientError, major: int) -> bool:
    """Say whether an entry that failed under an empty path may be made under the database's."""
    if major >= FIRST_WITH_SAFE_PATH and entry.desc in _BUILT_BY_SERVER:
        return False
    return bool(NEEDS_PATH.search(error.message))


def under_path(plan: DatabasePlan, entry: Entry) -> Outcome:
    """Say that an entry needed the path."""
    reason = f"{UNDER_PATH}{path_of(plan)}, as its functions find their objects only by that"
    return outcome(plan.dump, entry, "restored", reason)


def path_of(plan: DatabasePlan) -> str:
    """Show the path."""
    return one_line(plan.search_path.removeprefix(_SETS_PATH).strip().removesuffix(";"))


def newest_transaction(client: Client, database: str) -> str:
    """Answer a transaction that everything made from now on is newer than."""
    return client.value("SELECT pg_catalog.txid_current() % 4294967296", database)


def require_same_binding(client: Client, plan: DatabasePlan, entry: Entry, before: str) -> None:
    """Take back what an entry made since a transaction when it calls functions that its text does not name.

    pg_dump names every function and operator with its schema but PostgreSQL's own.

    Raises:
        ReboundError: It did.
    """
    if entry.desc in _WITHOUT_EXPRESSION:
        return
    bound: list[str] = json.loads(client.value(_BOUND.format(before=before), plan.name))
    other = [name for name in bound if name not in entry.definition]
    if not other:
        return
    client.run_all([entry.drop_statement] if entry.drop_statement.strip() else [], plan.name)
    names = one_line(", ".join(other))
    raise ReboundError(
        f"{outcome(plan.dump, entry, 'refused', '').object}: under the search_path {path_of(plan)} its definition "
        f"would call {names} instead of PostgreSQL's own",
        hint=f"look who made {names}, and give a path without that schema: --search-path DATABASE 'app'",
    )


def creators(client: Client, plan: DatabasePlan, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Warn where roles may create in a schema of the path under which something ran."""
    if not any(item.reason.startswith(UNDER_PATH) for item in outcomes):
        return []
    asked = f"{plan.search_path} SELECT pg_catalog.array_to_json(pg_catalog.current_schemas(false))"
    schemas: list[str] = json.loads(client.value(asked, plan.name))
    query = _CREATORS.format(schemas=", ".join(map(quote_literal, schemas)))
    found = sorted(json.loads(text) for text in json.loads(client.value(query, plan.name)))
    if not found:
        return []
    who = ", ".join(f"{role} in {schema}" for schema, role in found)
    reason = (
        f"what was made under it may have run functions of others than the owner: these may create there: {who}; look "
        "at the functions of those schemas, and give the functions that need the path one of their own"
    )
    return [Outcome(database=plan.dump.database, kind="search_path", name=path_of(plan), state="ask", reason=reason)]
