"""Privilege lists in catalog queries.

A missing list counts as the default one, because pg_dump writes nothing for it, and lists are sorted, because their
order says nothing.
"""

from dataclasses import dataclass
from typing import Final, LiteralString

RELATION_KIND: Final = "CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\""
_IN_SYSTEM: Final = "IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))"


@dataclass(frozen=True, slots=True)
class _Rights:
    """Where a catalog has its objects' rights, all but the first two as SQL expressions of its row `c`."""

    word: LiteralString
    catalog: LiteralString
    name: LiteralString
    acl: LiteralString
    kind: LiteralString
    owner: LiteralString
    schema: LiteralString = ""
    public: LiteralString = ""
    """What initdb grants PUBLIC in information_schema, of which `pg_init_privs` says nothing."""


_OBJECTS: Final = (
    _Rights("function", "pg_proc", "c.oid::regprocedure", "c.proacl", "'f'", "c.proowner", "c.pronamespace"),
    _Rights(
        "relation", "pg_class", "c.oid::regclass", "c.relacl", RELATION_KIND, "c.relowner", "c.relnamespace", "SELECT"
    ),
    _Rights("type", "pg_type", "c.oid::regtype", "c.typacl", "'T'", "c.typowner", "c.typnamespace"),
    _Rights("schema", "pg_namespace", "c.nspname", "c.nspacl", "'n'", "c.nspowner", "c.oid", "USAGE"),
    _Rights("language", "pg_language", "c.lanname", "c.lanacl", "'l'", "c.lanowner"),
)


def sorted_acl(acl: LiteralString) -> LiteralString:
    """Write a privilege list as text."""
    return f"(SELECT string_agg(item::text, ' ' ORDER BY item::text) FROM unnest({acl}) AS item)"


def acl_text(acl: LiteralString, kind: LiteralString, owner: LiteralString) -> LiteralString:
    """Write a privilege list as text; `kind` is an SQL expression for the first argument of acldefault."""
    return sorted_acl(f"coalesce({acl}, acldefault({kind}, {owner}))")


def changed_rights(*, of_extensions: bool) -> LiteralString:
    """Return a query of the rights that are not those with which an object of the system or an extension was made.

    pg_dump writes such changes; `pg_init_privs` has what there was before them.
    """
    parts: list[LiteralString] = [
        *(_changed(one) for one in _OBJECTS),
        f"""
        SELECT 'column ' || a.attrelid::regclass || '.' || quote_ident(a.attname), {sorted_acl("a.attacl")},
            {sorted_acl("i.initprivs")}, 'pg_class'::regclass::oid, c.oid, c.relnamespace {_IN_SYSTEM}
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid LEFT JOIN pg_init_privs AS i
            ON i.objoid = c.oid AND i.classoid = 'pg_class'::regclass AND i.objsubid = a.attnum
        WHERE a.attacl IS DISTINCT FROM i.initprivs AND NOT a.attisdropped""",
    ]
    is_member = "EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = f.class AND d.objid = f.id AND d.deptype = 'e')"
    where = f"{is_member} AND NOT f.is_system" if of_extensions else "f.is_system"
    found = " UNION ALL ".join(parts)
    return f"""
        SELECT f.name, coalesce(f.rights, 'none') FROM ({found}) AS f(name, rights, before, class, id, is_system)
        WHERE f.rights IS DISTINCT FROM f.before AND {where}"""


def _changed(one: _Rights) -> LiteralString:
    is_system = f"{one.schema} {_IN_SYSTEM}" if one.schema else "NOT c.lanispl"
    initial: LiteralString = "i.initprivs"
    if one.public:
        initial = f"""CASE WHEN i.initprivs IS NULL AND {one.acl} IS NOT NULL
            AND {one.schema} = to_regnamespace('information_schema')
            THEN acldefault({one.kind}, {one.owner}) || makeaclitem(0, {one.owner}, '{one.public}', false)
            ELSE i.initprivs END"""
    rights, before = acl_text(one.acl, one.kind, one.owner), acl_text(initial, one.kind, one.owner)
    return f"""
        SELECT '{one.word} ' || {one.name}, {rights}, {before}, '{one.catalog}'::regclass::oid, c.oid, {is_system}
        FROM {one.catalog} AS c LEFT JOIN pg_init_privs AS i
            ON i.objoid = c.oid AND i.classoid = '{one.catalog}'::regclass AND i.objsubid = 0
        WHERE {one.acl} IS DISTINCT FROM i.initprivs"""
