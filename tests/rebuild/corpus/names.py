"""Names of every kind: of databases, and of all that lives in one."""

import hashlib

from tests.rebuild.corpus.model import Check, Database, Source, literal, quoted

DATABASES = (
    "Orders",
    "orders",
    "a/b",
    "a_b",
    "dbname=postgres",
    "postgresql://localhost:1/other",
    "\\! touch pwned",
    "-h elsewhere",
    " 100% 'its' \"quoted\" back\\slash $(touch pwned) `id` ;",
    "größe 日本",
    "x" * 60 + "end",
)
"""None has a line break: pg_dumpall refuses those, so that there is no backup of such a server at all."""
TRAPS = "trap names"

OBJECTS = (
    "Orders",
    "orders",
    'it\'s "quoted"',
    "100%s %% %(x)s {0}",
    "back\\slash\\",
    "--help",
    "  two  spaces ",
    "line\nbreak",
    "carriage\rreturn",
    "\\! touch pwned",
    "harmless\n\\! touch pwned\n",
    "data\n\\.\n\\! touch pwned",
    'x"; DROP TABLE public.kept; --',
    "/* open",
    "$$ $body$ $(touch pwned)",
    ":kept :'kept' :\"kept\"",
    "tab\there",
    "größe Ünïcødé 日本 🐘",
    "\u00a0",
    "select",
    "0",
    "y" * 60 + "end",
    "\\unrestrict x",
    "1; 2 TABLE public x",
    "dbname=postgres",
)
ALL = len(OBJECTS)

BODY = """
-- \\! touch pwned
\\! touch pwned
BEGIN RETURN $in$
\\! touch pwned
\\connect other
\\.
COPY public.kept FROM stdin;
$in$; END """


def _part(name: str, letter: str) -> str:
    return f"{name[:40]} {letter}"


def _make(name: str) -> str:
    schema, table, text = quoted(_part(name, "s")), quoted(name), literal(name)
    sequence = literal(f"{schema}.{quoted(_part(name, 'q'))}")
    body = literal(f"SELECT {text}::text\n-- \\! touch pwned\n")
    return f"""
CREATE SCHEMA {schema};
CREATE TABLE {schema}.{table} ({table} text CONSTRAINT {quoted(_part(name, "c"))} CHECK ({table} <> 'never'),
    other int DEFAULT length({text}));
INSERT INTO {schema}.{table} VALUES ({text});
CREATE INDEX {quoted(_part(name, "i"))} ON {schema}.{table} ({table});
CREATE VIEW {schema}.{quoted(_part(name, "v"))} AS SELECT {table} AS {quoted(_part(name, "x"))} FROM {schema}.{table};
CREATE TYPE {schema}.{quoted(_part(name, "e"))} AS ENUM ({text});
CREATE FUNCTION {schema}.{quoted(_part(name, "f"))}({quoted(_part(name, "p"))} int) RETURNS text LANGUAGE sql AS {body};
CREATE SEQUENCE {schema}.{quoted(_part(name, "q"))};
SELECT pg_catalog.setval({sequence}, 77);
COMMENT ON TABLE {schema}.{table} IS {literal(f"about\n{name}\n\\! touch pwned")};
COMMENT ON SCHEMA {schema} IS {text};"""


def _each(query: str) -> str:
    """Ask how many of the names have what the query finds; `name` is the name, `part` what its parts begin with."""
    names = ", ".join(f"({literal(name)}, {literal(name[:40])})" for name in OBJECTS)
    return f"SELECT count(*) FROM (VALUES {names}) AS wanted (name, part) WHERE EXISTS ({query})"


def _own_row(number: int, name: str) -> Check:
    shown = name if len(name) < 60 and "`" not in name else name[:20] + "..."
    return Check(
        what=f"database `{shown}` holds its own row",
        database=name,
        sql=f"SELECT v, current_database() = {literal(name)} FROM public.own",
        expected=f"row of {number}|t",
    )


def _own_table(number: int, name: str) -> Database:
    return Database(name=name, sql=f"CREATE TABLE public.own AS SELECT 'row of {number}'::text AS v")


def _in_traps(what: str, sql: str, expected: str = str(ALL)) -> Check:
    return Check(what=what, database=TRAPS, sql=sql, expected=expected)


DATABASE_NAMES = Source(
    name="database_names",
    databases=tuple(_own_table(number, name) for number, name in enumerate(DATABASES)),
    checks=tuple(_own_row(number, name) for number, name in enumerate(DATABASES)),
)
NAMES = Source(
    name="names",
    databases=(
        Database(
            name=TRAPS,
            sql="CREATE TABLE public.kept AS SELECT 'kept'::text AS v;"
            + "".join(map(_make, OBJECTS))
            # No valid plpgsql: only who reads a dump line by line would notice.
            + "SET check_function_bodies = off;"
            + f"CREATE FUNCTION public.body() RETURNS text LANGUAGE plpgsql AS $outer${BODY}$outer$;",
        ),
    ),
    checks=(
        _in_traps("no name was obeyed", "SELECT v FROM public.kept", "kept"),
        _in_traps(
            "tables, columns and constraints have their exact names",
            _each("""SELECT FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
                JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attname = name
                JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.conname = part || ' c'
                WHERE t.relname = name AND n.nspname = part || ' s'"""),
        ),
        _in_traps(
            "indexes, views and sequences have their exact names",
            _each("""SELECT FROM pg_class AS i, pg_class AS v, pg_class AS q, pg_namespace AS n
                WHERE n.nspname = part || ' s' AND n.oid = ALL (ARRAY[i.relnamespace, v.relnamespace, q.relnamespace])
                AND i.relname = part || ' i' AND v.relname = part || ' v' AND q.relname = part || ' q'"""),
        ),
        _in_traps(
            "functions have their exact names, arguments and bodies",
            _each("""SELECT FROM pg_proc AS p WHERE p.proname = part || ' f' AND p.proargnames = ARRAY[part || ' p']
                AND p.prosrc LIKE E'SELECT %\\n-- \\\\\\\\! touch pwned\\n'"""),
        ),
        _in_traps(
            "types have their exact names and labels",
            _each("""SELECT FROM pg_type AS t JOIN pg_enum AS e ON e.enumtypid = t.oid
                WHERE t.typname = part || ' e' AND e.enumlabel = name"""),
        ),
        _in_traps(
            "comments are whole, line breaks included",
            _each("""SELECT FROM pg_class AS t JOIN pg_description AS d ON d.objoid = t.oid AND d.objsubid = 0
                WHERE t.relname = name AND d.description = E'about\\n' || name || E'\\n\\\\! touch pwned'"""),
        ),
        _in_traps(
            "each table has its row",
            "SELECT "
            + " + ".join(
                f"(SELECT count(*) FROM {quoted(_part(n, 's'))}.{quoted(n)} WHERE {quoted(n)} = {literal(n)})"
                for n in OBJECTS
            ),
        ),
        _in_traps("each sequence has its value", "SELECT sum(last_value) FROM pg_sequences", str(ALL * 77)),
        _in_traps(
            "a function's body with psql's commands is the same text",
            "SELECT md5(prosrc) FROM pg_proc WHERE proname = 'body'",
            hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest(),
        ),
    ),
)
