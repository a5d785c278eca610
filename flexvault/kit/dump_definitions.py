"""Write down what an archive's table of contents says of each object: definition, owner, rights, comment."""

from collections import Counter
from typing import Final

from flexvault.domain.dump_catalogue import object_ids
from flexvault.domain.dump_contents import Contents, Entry
from flexvault.domain.dump_facts import database_facts
from flexvault.domain.never_restored import NEVER_RESTORED, why_not_without_superuser
from flexvault.domain.role_script import RESERVED_ROLES
from flexvault.domain.sql_text import Statement, join, name_of, statements
from flexvault.kit.comparison import Facts, Named, in_schema, put

OBJECTS_WITH_OWNERS: Final = frozenset({
    "AGGREGATE", "COLLATION", "CONVERSION", "DOMAIN", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FOREIGN TABLE",
    "FUNCTION", "MATERIALIZED VIEW", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURE",
    "PROCEDURAL LANGUAGE", "PUBLICATION", "SCHEMA", "SEQUENCE", "SERVER", "STATISTICS", "TABLE",
    "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY", "TYPE", "VIEW",
})  # fmt: skip
"""pg_restore gives these their owners; other entries belong to an object (pg_backup_archiver.c)."""
_NOT_DEFINITIONS: Final = frozenset({
    "ENCODING", "STDSTRINGS", "SEARCHPATH", "TABLE DATA", "SEQUENCE SET", "BLOBS", "BLOB", "BLOB METADATA",
    "MATERIALIZED VIEW DATA", "STATISTICS DATA",
})  # fmt: skip
_ABOUT_OBJECTS: Final = {"ACL": "rights on", "COMMENT": "comment on", "SECURITY LABEL": "security label of"}
_LONG_KINDS: Final = (
    "ACCESS METHOD", "EVENT TRIGGER", "FOREIGN DATA WRAPPER", "FOREIGN SERVER", "FOREIGN TABLE", "LARGE OBJECT",
    "MATERIALIZED VIEW", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURAL LANGUAGE", "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE",
)  # fmt: skip
_DATABASE_DEFAULTS: Final = {"LOCALE_PROVIDER": "libc"}


def definitions(contents: Contents) -> Facts:
    """Return everything that a table of contents defines.

    Rows, where sequences stand and large objects are no definitions; what a rebuild never restores is left out too.
    """
    facts: Facts = {}
    _add_database(contents, facts)
    objects = [entry for entry in contents.entries if is_object(entry) and entry.desc not in NEVER_RESTORED]
    names = Counter(name_entry(contents.database, entry) for entry in objects)
    for entry in objects:
        named = name_entry(contents.database, entry)
        put(facts, named, _definition(entry))
        if entry.desc in OBJECTS_WITH_OWNERS:
            # Overloaded operators have one name: that alone does not say whose is which.
            owner = entry.owner if names[named] == 1 else f"{entry.owner} of {entry.definition.strip()}"
            put(facts, Named(contents.database, f"owner of {named.kind}", named.name), owner)
        if entry.tablespace:
            put(facts, Named(contents.database, f"tablespace of {named.kind}", named.name), entry.tablespace)
    return facts


def left_out(contents: Contents) -> dict[Named, str]:
    """Return what a rebuild of this archive leaves out on every target, with the reason."""
    found = [entry for entry in contents.entries if entry.desc in NEVER_RESTORED]
    return {name_entry(contents.database, entry): NEVER_RESTORED[entry.desc] for entry in found}


def lost_without_superuser(contents: Contents) -> dict[Named, str]:
    """Return what an administrator without superuser does not restore or changes, with the reason."""
    lost: dict[Named, str] = {}
    database = contents.database
    for entry in contents.entries:
        named = name_entry(database, entry)
        if reason := why_not_without_superuser(entry):
            lost[named] = reason
        if entry.desc in OBJECTS_WITH_OWNERS | {"DATABASE"} and entry.owner in RESERVED_ROLES:
            reason = f"the service's own role {entry.owner} owned it, now who ran the rebuild"
            lost[Named(database, f"owner of {named.kind}", named.name)] = reason
        if entry.owner in RESERVED_ROLES and entry.desc in {"BLOB", "BLOB METADATA"}:
            reason = f"the service's own role {entry.owner} owned it, now who ran the rebuild"
            for oid in object_ids(entry):
                lost[Named(database, "owner of large object", oid)] = reason
        if entry.tablespace:
            reason = "the target has no tablespaces of its own"
            lost[Named(database, f"tablespace of {named.kind}", named.name)] = reason
    return lost


def name_entry(database: str, entry: Entry) -> Named:
    """Name an entry by its kind and its exact name; default privileges also by whose they are."""
    if entry.desc == "DATABASE":
        return Named(database, "database", "")
    if entry.desc in _ABOUT_OBJECTS:
        kind, name = _taken_apart(entry.tag)
        if kind == "DATABASE":  # pg_dump quotes it where it must
            name = database
        what = in_schema(entry.namespace, name)
        return Named(database, f"{_ABOUT_OBJECTS[entry.desc]} {kind.lower()}", what)
    name = in_schema(entry.namespace, entry.tag)
    return Named(database, entry.desc.lower(), f"{name} of {entry.owner}" if entry.desc == "DEFAULT ACL" else name)


def _taken_apart(tag: str) -> tuple[str, str]:
    """Return kind and name of the tag of rights and comments, such as `FOREIGN TABLE orders`."""
    kind = next((known for known in _LONG_KINDS if tag.startswith(f"{known} ")), tag.partition(" ")[0])
    return kind, tag[len(kind) + 1 :]


def is_object(entry: Entry) -> bool:
    """Say whether an entry defines an object of the database, or something about one; large objects are apart."""
    if entry.desc in _NOT_DEFINITIONS or entry.desc in {"DATABASE", "DATABASE PROPERTIES"}:
        return False
    return not is_of_large_object(entry)


def is_of_large_object(entry: Entry) -> bool:
    """Say whether it is the rights, comment or label of large objects."""
    return entry.desc in _ABOUT_OBJECTS and entry.tag.startswith("LARGE OBJECT")


def filled_views(contents: Contents) -> frozenset[str]:
    """Return the names of the materialised views that had contents."""
    return frozenset(in_schema(e.namespace, e.tag) for e in contents.entries if e.desc == "MATERIALIZED VIEW DATA")


def rights(definition: str) -> str:
    """Write GRANT and REVOKE statements so that their order says nothing, each with the role that ran it."""
    grantor, written = "", list[str]()
    for statement in statements(definition):
        words = _words(statement)
        if words[:3] == ("SET", "SESSION", "AUTHORIZATION"):
            grantor = name_of(statement[3])
        elif words[:3] == ("RESET", "SESSION", "AUTHORIZATION"):
            grantor = ""
        else:
            written.append(join(statement) + (f" (by {grantor})" if grantor else ""))
    return "; ".join(sorted(written))


def _definition(entry: Entry) -> str:
    if entry.desc in {"ACL", "DEFAULT ACL"}:
        return rights(entry.definition)
    return entry.definition.strip()


def _add_database(contents: Contents, facts: Facts) -> None:
    """Add what belongs to the database itself: a dump without it (no DATABASE entry) adds nothing."""
    if not any(entry.desc == "DATABASE" for entry in contents.entries):
        return
    database, known = contents.database, database_facts(contents)
    put(facts, Named(database, "owner of database", ""), known.owner)
    options = _DATABASE_DEFAULTS | dict(known.options)
    if "LOCALE" in options:
        locale = options.pop("LOCALE")
        options = {"LC_COLLATE": locale, "LC_CTYPE": locale} | options
    for name, value in options.items():
        put(facts, Named(database, "database option", name.lower()), value)
    put(facts, Named(database, "database option", "connection limit"), str(known.connection_limit))
    put(facts, Named(database, "database option", "is template"), str(known.is_template).lower())
    for name, value in known.settings:
        put(facts, Named(database, "database setting", name), value)
    for role, name, value in known.role_settings:
        put(facts, Named(database, "database setting", f"{name} of role {role}"), value)


def _words(statement: Statement) -> Statement:
    return tuple(token.upper() for token in statement)
