"""Say what an archive's table of contents tells about its database: for the manifest and for the rebuild."""

import re
from dataclasses import dataclass
from typing import Any, Final

from flexvault.domain.dump_archive import Archive
from flexvault.domain.dump_catalogue import catalogue
from flexvault.domain.dump_contents import Contents, Entry, is_about_database
from flexvault.domain.sql_text import Statement, join, literal_of, name_of, quote_name, readable, statements

SERVICE_DATABASES: Final = frozenset({"postgres", "azure_maintenance", "azure_sys", "template0", "template1"})
"""Databases that every server has already; a rebuild never writes to them."""

_PLAIN_NAME: Final = re.compile(r"[a-z_][a-z0-9_]*\Z")
_LOCALE_OPTIONS: Final = {
    "LOCALE_PROVIDER": "localeProvider",
    "LOCALE": "locale",
    "LC_COLLATE": "lcCollate",
    "LC_CTYPE": "lcCtype",
    "ICU_LOCALE": "icuLocale",
    "ICU_RULES": "icuRules",
    "BUILTIN_LOCALE": "builtinLocale",
}
type Json = str | int | bool | list[str] | list[dict[str, str]] | dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What belongs to the database itself, not to an object in it.

    Attributes:
        options: Of CREATE DATABASE, such as ENCODING and LOCALE, in the dump's order, values unquoted.
        settings: Name and value of each ALTER DATABASE ... SET.
        role_settings: Role, name and value of each ALTER ROLE ... IN DATABASE ... SET.
        connection_limit: Most connections, -1 for no limit.
        after: Statements to run after the data is in: settings, limits, grants and comments on the database.
    """

    name: str
    owner: str
    options: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]
    role_settings: tuple[tuple[str, str, str], ...]
    connection_limit: int
    is_template: bool
    after: tuple[str, ...]


def database_facts(archive: Contents) -> DatabaseFacts:
    """Read the entries of the database itself: DATABASE, DATABASE PROPERTIES, its comment, labels and grants."""
    owner = ""
    options: tuple[tuple[str, str], ...] = ()
    settings: list[tuple[str, str]] = []
    role_settings: list[tuple[str, str, str]] = []
    limit, is_template = -1, False
    after: list[str] = []
    for entry in archive.entries:
        if entry.desc == "DATABASE":
            owner = entry.owner
            options = _create_options(entry)
        elif entry.desc == "DATABASE PROPERTIES":
            for statement in statements(entry.definition):
                limit = _connection_limit(statement, limit)
                is_template = is_template or [word.upper() for word in statement[3:4]] == ["IS_TEMPLATE"]
                _add_setting(statement, settings, role_settings)
            after.append(entry.definition)
        elif is_about_database(entry.desc, entry.namespace, entry.tag):
            after.append(entry.definition)
    return DatabaseFacts(
        name=archive.database,
        owner=owner,
        options=options,
        settings=tuple(settings),
        role_settings=tuple(role_settings),
        connection_limit=limit,
        is_template=is_template,
        after=tuple(text for text in after if text.strip()),
    )


def describe(archive: Archive) -> dict[str, Json]:
    """Return what a manifest keeps about a dump: JSON values only, every text valid UTF-8.

    `tables` and `extensions` are sorted; tables are schema-qualified and quoted only where SQL needs it, partitions and
    partitioned tables included. `largeObjects` counts the objects, not the entries. `catalogue`: see `Catalogue`.
    """
    facts = database_facts(archive)
    options = dict(facts.options)
    listed = catalogue(archive)
    tables = [qualified(table.schema, table.name) for table in listed.of_kind("table")]
    return {
        "database": readable(facts.name),
        "owner": readable(facts.owner),
        "encoding": options.get("ENCODING", archive.encoding),
        "locale": {wire: options[option] for option, wire in _LOCALE_OPTIONS.items() if option in options},
        "connectionLimit": facts.connection_limit,
        "settings": [{"name": name, "value": readable(value)} for name, value in facts.settings],
        "roleSettings": [
            {"role": readable(role), "name": name, "value": readable(value)}
            for role, name, value in facts.role_settings
        ],
        "extensions": sorted(readable(extension.name) for extension in listed.of_kind("extension")),
        "schemas": sum(schema.dump_id > 0 for schema in listed.of_kind("schema")),
        "tables": sorted(readable(table) for table in tables),
        "largeObjects": len(listed.of_kind("largeObject")),
        "serverVersion": archive.server_version,
        "dumpVersion": archive.dump_version,
        "archiveVersion": ".".join(map(str, archive.version)),
        "compression": archive.compression,
        "endProof": archive.end_proof,
        "catalogue": listed.to_json(),
    }


def qualified(schema: str, name: str) -> str:
    """Write a schema-qualified name, quoted only where SQL needs it."""
    return ".".join(part if _PLAIN_NAME.match(part) else quote_name(part) for part in (schema, name) if part)


def _create_options(entry: Entry) -> tuple[tuple[str, str], ...]:
    """Read `CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' ...`; TABLESPACE and OID stay behind."""
    tokens = next(statements(entry.definition), ())
    pairs = [(tokens[i - 1].upper(), literal_of(tokens[i + 1])) for i, t in enumerate(tokens[:-1]) if t == "=" and i]
    return tuple((key, value) for key, value in pairs if key == "ENCODING" or key in _LOCALE_OPTIONS)


def _connection_limit(statement: Statement, otherwise: int) -> int:
    """Return the number in `ALTER DATABASE x CONNECTION LIMIT = n`; of any other statement the given one."""
    words = [token.upper() for token in statement]
    if words[:2] != ["ALTER", "DATABASE"] or words[3:5] != ["CONNECTION", "LIMIT"]:
        return otherwise
    return int("".join(words[5:]).lstrip("="))


def _add_setting(
    statement: Statement, settings: list[tuple[str, str]], role_settings: list[tuple[str, str, str]]
) -> None:
    words = [token.upper() for token in statement]
    if "SET" not in words:
        return
    at = words.index("SET")
    name, value = name_of(statement[at + 1]), _value_of(statement[at + 3 :])
    if words[:2] == ["ALTER", "DATABASE"]:
        settings.append((name, value))
    elif words[:2] == ["ALTER", "ROLE"]:
        role_settings.append((name_of(statement[2]), name, value))


def _value_of(tokens: Statement) -> str:
    return literal_of(tokens[0]) if len(tokens) == 1 else join(tokens)
