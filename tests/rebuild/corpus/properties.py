"""What belongs to a database: owner, encoding, locale, limits, settings, grants, comment."""

from tests.rebuild.corpus.model import ONLY_18, Check, Database, Source

LATIN, ASCII, JAPANESE, BUILTIN = "legacy_latin1", "legacy_ascii", "legacy_euc", "builtin_locale"
CLOSED, READ_ONLY, PLAIN_C = "closed", "read_only", "plain_c"

_ROLES = """
CREATE ROLE prop_owner NOLOGIN;
CREATE ROLE prop_app LOGIN;
"""
_AFTER = """
ALTER DATABASE read_only SET default_transaction_read_only = on;
ALTER DATABASE read_only SET statement_timeout = '1ms';
ALTER DATABASE read_only SET search_path TO prop, "$user", public;
ALTER ROLE prop_app IN DATABASE read_only SET work_mem = '33MB';
ALTER ROLE prop_app IN DATABASE read_only SET search_path TO 'it''s', public;
ALTER DATABASE closed CONNECTION LIMIT 7;
REVOKE CONNECT, TEMPORARY ON DATABASE closed FROM PUBLIC;
GRANT CONNECT ON DATABASE closed TO prop_app;
GRANT CREATE ON DATABASE closed TO prop_app WITH GRANT OPTION;
COMMENT ON DATABASE closed IS E'not for all;\\n\\\\! touch pwned\\nit''s closed';
"""


def _property(what: str, database: str, column: str, expected: str) -> Check:
    return Check(
        what=f"{what} of database {database}",
        sql=f"SELECT {column} FROM pg_database AS d WHERE datname = '{database}'",
        expected=expected,
    )


def _settings(database: str, role: str) -> str:
    return f"""SELECT s.setting FROM pg_db_role_setting AS d, unnest(d.setconfig) AS s (setting)
        WHERE d.setdatabase = (SELECT oid FROM pg_database WHERE datname = '{database}')
        AND d.setrole = coalesce((SELECT oid FROM pg_roles WHERE rolname = '{role}'), 0) ORDER BY 1"""


_ENCODING = "pg_encoding_to_char(encoding)"

PROPERTIES = Source(
    name="properties",
    roles=_ROLES,
    databases=(
        Database(
            name=LATIN,
            owner="prop_owner",
            options="ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
            sql="""CREATE TABLE "größe" (v text, "é" int); INSERT INTO "größe" VALUES ('größe ½ ÿ', 1);
                COMMENT ON TABLE "größe" IS 'é';""",
        ),
        Database(
            name=ASCII,
            options="ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
            sql="""CREATE TABLE bytes (v text);
                INSERT INTO bytes VALUES (convert_from('\\xff80e9', 'SQL_ASCII')), ('ascii');
                CREATE TABLE longest (v text); INSERT INTO longest VALUES ('x');""",
        ),
        Database(
            name=JAPANESE,
            options="ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C'",
            sql="CREATE TABLE jp (v text); INSERT INTO jp VALUES ('日本語');",
        ),
        Database(name=PLAIN_C, options="ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'", sql="CREATE TABLE t (v text);"),
        Database(
            name=READ_ONLY,
            owner="prop_owner",
            sql="""CREATE SCHEMA prop; CREATE TABLE prop.t (id int PRIMARY KEY);
                INSERT INTO prop.t SELECT generate_series(1, 500);""",
        ),
        Database(name=CLOSED, owner="prop_owner", sql="CREATE TABLE t AS SELECT 1 AS n;"),
    ),
    after=_AFTER,
    checks=(
        _property("owner", LATIN, "pg_get_userbyid(datdba)", "prop_owner"),
        _property("encoding", LATIN, _ENCODING, "LATIN1"),
        _property("encoding", ASCII, _ENCODING, "SQL_ASCII"),
        _property("encoding", JAPANESE, _ENCODING, "EUC_JP"),
        _property("locale", PLAIN_C, "datcollate, datctype", "C|C"),
        _property("locale", READ_ONLY, "datcollate, datctype", "C.UTF-8|C.UTF-8"),
        _property("connection limit", CLOSED, "datconnlimit", "7"),
        _property("owner", CLOSED, "pg_get_userbyid(datdba)", "prop_owner"),
        _property(
            "comment",
            CLOSED,
            "shobj_description(oid, 'pg_database') = E'not for all;\\n\\\\! touch pwned\\nit''s closed'",
            "t",
        ),
        Check(
            what="CONNECT and TEMPORARY on database closed stay revoked from PUBLIC",
            sql="""SELECT datname, (SELECT count(*) FROM aclexplode(coalesce(datacl, acldefault('d', datdba)))
                WHERE grantee = 0) FROM pg_database WHERE datname = 'closed'""",
            expected="closed|0",
        ),
        Check(
            what="rights of a role on database closed",
            sql="""SELECT privilege_type, is_grantable FROM pg_database AS d, aclexplode(datacl) AS a
                WHERE datname = 'closed' AND grantee = 'prop_app'::regrole ORDER BY 1""",
            expected="CONNECT|f\nCREATE|t",
        ),
        Check(
            what="settings of a database",
            sql=_settings(READ_ONLY, ""),
            expected='default_transaction_read_only=on\nsearch_path=prop, "$user", public\nstatement_timeout=1ms',
        ),
        Check(
            what="settings of a role in a database",
            sql=_settings(READ_ONLY, "prop_app"),
            expected='search_path="it\'s", public\nwork_mem=33MB',
        ),
        Check(
            what="rows of a database with default_transaction_read_only and a tiny statement_timeout",
            database=READ_ONLY,
            sql="SELECT count(*), sum(id) FROM prop.t",
            expected="500|125250",
        ),
        Check(
            what="text and names of a LATIN1 database",
            database=LATIN,
            sql="""SELECT v, encode(v::bytea, 'hex'), obj_description('"größe"'::regclass), "é" FROM "größe" """,
            expected="größe ½ ÿ|6772f6df6520bd20ff|é|1",
        ),
        Check(
            what="bytes of a SQL_ASCII database that are no UTF-8",
            database=ASCII,
            sql="SELECT encode(convert_to(v, 'SQL_ASCII'), 'hex') FROM bytes ORDER BY v COLLATE \"C\"",
            expected="6173636969\nff80e9",
        ),
        Check(what="text of an EUC_JP database", database=JAPANESE, sql="SELECT v FROM jp", expected="日本語"),
    ),
)

ICU = Source(
    name="icu",
    needs="SELECT count(*) > 1 FROM pg_collation WHERE collprovider = 'i'",
    lacking="this PostgreSQL is built without ICU",
    databases=(
        Database(
            name="icu_german",
            options="LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LC_COLLATE 'C' LC_CTYPE 'C'",
            sql="""CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                CREATE TABLE t (v text COLLATE blind UNIQUE); INSERT INTO t VALUES ('Ä'), ('b'), ('z');""",
        ),
    ),
    checks=(
        _property("locale provider", "icu_german", "datlocprovider, to_jsonb(d)->>'datcollate'", "i|C"),
        Check(
            what="a locale of ICU",
            sql="SELECT coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale') FROM pg_database AS d "
            "WHERE datname = 'icu_german'",
            expected="de-u-co-phonebk",
        ),
        Check(
            what="rows of a column with a collation that is not deterministic",
            database="icu_german",
            sql="SELECT v FROM t WHERE v = 'ä'",
            expected="Ä",
        ),
    ),
)

LOCALES = Source(
    name="locales",
    majors=ONLY_18,
    databases=(
        Database(
            name=BUILTIN,
            options="LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LC_COLLATE 'C' LC_CTYPE 'C'",
            sql="""CREATE TABLE t (v text); INSERT INTO t VALUES ('ß'), ('Z'), ('ä');
                CREATE COLLATION plain (provider = builtin, locale = 'PG_UNICODE_FAST');
                CREATE INDEX ON t (upper(v COLLATE plain));""",
        ),
    ),
    checks=(
        _property("locale provider", BUILTIN, "datlocprovider, datlocale, datcollate, datctype", "b|C.UTF-8|C|C"),
        Check(
            what="a collation of the builtin provider",
            database=BUILTIN,
            sql="SELECT collprovider, colllocale FROM pg_collation WHERE collname = 'plain'",
            expected="b|PG_UNICODE_FAST",
        ),
        Check(
            what="upper case as the builtin locale has it",
            database=BUILTIN,
            sql="SELECT string_agg(upper(v), ' ' ORDER BY v) FROM t",
            expected="Z ß Ä",
        ),
    ),
)
