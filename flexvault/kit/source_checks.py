"""Know the source when it is named as the target: by its name, or by its databases and tables themselves."""

from collections.abc import Iterator, Sequence
from typing import Final

from flexvault.domain.errors import VaultError
from flexvault.domain.sql_text import one_line
from flexvault.kit.client import Client
from flexvault.kit.dumps import Dump
from flexvault.kit.facts import KitFacts
from flexvault.kit.finding import Finding, note, problem
from flexvault.kit.target import Target

_LOOKED_AT: Final = 20
"""Tables of one database whose object ids are looked at; those of another server are not the same by chance."""


def check_source(
    client: Client, facts: KitFacts, target: Target, dumps: Sequence[Dump], *, is_allowed: bool
) -> Iterator[Finding]:
    """Find that the target is the source of the backup, or a physical copy of it."""
    host = client.environment.get("PGHOST", "").lower()
    name = facts.server_name.lower()
    if name and (host == name or host.startswith(f"{name}.")):
        text = f"the target {one_line(host)} is the source of this backup"
    elif database := next((dump.database for dump in dumps if _is_living(client, target, dump)), ""):
        text = f"the target is the source of this backup, or a copy of it: database {one_line(database)} is the same"
    else:
        return
    if is_allowed:
        yield note(text, "nothing is ever added to its databases; roles that differ are changed only when told")
    else:
        yield problem(text, "name a new server in PGHOST; to restore beside its living databases: --allow-source")


def _is_living(client: Client, target: Target, dump: Dump) -> bool:
    """Say whether a database has the object ids that its dump noted: its own, and those of its tables."""
    oids = {e.oid for e in dump.contents.entries if e.desc == "DATABASE"}
    if str(target.databases.get(dump.database, "")) not in oids:
        return False
    tables = [int(e.oid) for e in dump.contents.entries if e.desc == "TABLE" and e.oid.isdigit()][:_LOOKED_AT]
    if not tables:
        return False
    names = {int(e.oid): (e.namespace, e.tag) for e in dump.contents.entries if e.desc == "TABLE" and e.oid.isdigit()}
    query = (
        "SELECT c.oid::bigint, n.nspname, c.relname FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
        f"ON n.oid = c.relnamespace WHERE c.oid IN ({', '.join(map(str, tables))})"
    )
    try:
        found = client.query(query, dump.database)
    except VaultError:  # it takes no connections, as a database of the source may
        return False
    # Some may be gone since the backup; a rebuilt database may have a few of the same ids by chance.
    same = sum((schema, table) == names[int(oid or 0)] for oid, schema, table in found)
    return same * 2 > len(tables)
