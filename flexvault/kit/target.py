"""What the target server is like: asked once before anything is changed, in one query."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flexvault.domain.errors import IntegrityError
from flexvault.kit.client import Client

_QUESTION: Final = """
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version'),
  'number', pg_catalog.current_setting('server_version_num'),
  'me', me.rolname, 'super', me.rolsuper, 'createRole', me.rolcreaterole, 'createDb', me.rolcreatedb,
  'roles', (SELECT pg_catalog.json_agg(rolname) FROM pg_catalog.pg_roles),
  'superusers', (SELECT coalesce(pg_catalog.json_agg(rolname), '[]') FROM pg_catalog.pg_roles WHERE rolsuper),
  'databases', (SELECT pg_catalog.json_object_agg(datname, oid::bigint) FROM pg_catalog.pg_database),
  'extensions', (SELECT coalesce(pg_catalog.json_object_agg(name, pg_catalog.json_build_object(
      'trusted', is_trusted, 'version', default_version)), '{}') FROM (
      SELECT e.name, e.default_version, coalesce(pg_catalog.bool_or(v.trusted OR NOT v.superuser), true) AS is_trusted
      FROM pg_catalog.pg_available_extensions AS e LEFT JOIN pg_catalog.pg_available_extension_versions AS v
        ON v.name = e.name AND v.version = e.default_version GROUP BY e.name, e.default_version) AS offered),
  'allowed', pg_catalog.current_setting('azure.extensions', true),
  'preloaded', (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries'),
  'icu', EXISTS (SELECT FROM pg_catalog.pg_collation WHERE collprovider = 'i'))
FROM pg_catalog.pg_roles AS me WHERE me.rolname = current_user
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server that is to be rebuilt.

    Attributes:
        administrator: Role that runs the kit.
        databases: Name -> oid.
        extensions: Offered by the server; name -> whether one without superuser may create it.
        allowed: The server parameter `azure.extensions`, nothing on a server that has none.
        preloaded: The server parameter `shared_preload_libraries`; nothing when it may not be read.
        has_icu: Whether the server was built with ICU.
        superusers: Roles that are superusers.
    """

    version: str
    major: int
    administrator: str
    is_superuser: bool
    may_create_roles: bool
    may_create_databases: bool
    roles: frozenset[str]
    databases: Mapping[str, int]
    extensions: Mapping[str, bool]
    allowed: tuple[str, ...] | None
    preloaded: tuple[str, ...] | None
    has_icu: bool
    superusers: frozenset[str] = frozenset()


def look_at(client: Client) -> Target:
    """Ask the server.

    Raises:
        ClientError: It cannot be reached.
    """
    found = json.loads(client.value(_QUESTION))
    return Target(
        version=found["version"],
        major=int(found["number"]) // 10000,
        administrator=found["me"],
        is_superuser=found["super"],
        may_create_roles=found["createRole"] or found["super"],
        may_create_databases=found["createDb"] or found["super"],
        roles=frozenset(found["roles"]),
        databases=found["databases"],
        extensions={name: offered["trusted"] for name, offered in found["extensions"].items()},
        allowed=None if found["allowed"] is None else split_list(found["allowed"]),
        preloaded=None if found["preloaded"] is None else split_list(found["preloaded"]),
        has_icu=found["icu"],
        superusers=frozenset(found["superusers"]),
    )


def split_list(value: str) -> tuple[str, ...]:
    """Split a server parameter that is a list of names."""
    return tuple(name.strip().strip('"') for name in value.split(",") if name.strip())


def major_of(version: str) -> int:
    """Answer the major version of `16.4` or of `psql (PostgreSQL) 18.4 (Debian 18.4-1)`.

    Raises:
        IntegrityError: The text holds no number.
    """
    digits = re.search(r"\d+", version)
    if digits is None:
        raise IntegrityError(f"{version!r} is no version of PostgreSQL", code="UnknownVersion")
    return int(digits[0])
