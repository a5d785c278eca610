"""Owners and rights of objects of every kind, and default privileges."""

from tests.rebuild.corpus.model import ONLY_18, Check, Database, Source

OWNED = "owned"

_ROLES = """
CREATE ROLE own_a NOLOGIN;
CREATE ROLE own_b NOLOGIN;
CREATE ROLE own_reader LOGIN;
CREATE ROLE own_writer LOGIN;
CREATE ROLE "own ""quoted"" \\! touch pwned" NOLOGIN;
"""

_SQL = """
GRANT ALL ON SCHEMA public TO own_a, own_b;
CREATE SCHEMA s_a AUTHORIZATION own_a;
CREATE SCHEMA s_b AUTHORIZATION own_b;
CREATE SCHEMA "s quoted" AUTHORIZATION "own ""quoted"" \\! touch pwned";
SET ROLE own_a;
CREATE TABLE s_a.t (id int PRIMARY KEY, secret text, note text);
INSERT INTO s_a.t SELECT n, 'secret ' || n, 'note' FROM generate_series(1, 50) AS n;
CREATE VIEW s_a.v AS SELECT id, note FROM s_a.t;
CREATE MATERIALIZED VIEW s_a.mv AS SELECT count(*) AS n FROM s_a.t;
CREATE SEQUENCE s_a.q;
CREATE TYPE s_a.mood AS ENUM ('good', 'bad');
CREATE DOMAIN s_a.positive AS int CHECK (VALUE > 0);
CREATE FUNCTION s_a.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION s_a.f(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT $1';
CREATE PROCEDURE s_a.p() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE s_a.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR s_a.### (LEFTARG = int, RIGHTARG = int, FUNCTION = int4pl);
CREATE COLLATION s_a.plain FROM "C";
CREATE TEXT SEARCH CONFIGURATION s_a.words (COPY = pg_catalog.simple);
CREATE STATISTICS s_a.stat ON id, note FROM s_a.t;
GRANT SELECT (id, note), UPDATE (note) ON s_a.t TO own_reader;
GRANT SELECT, INSERT ON s_a.t TO own_writer WITH GRANT OPTION;
GRANT USAGE ON SCHEMA s_a TO own_reader, own_writer;
GRANT USAGE ON SEQUENCE s_a.q TO own_writer;
REVOKE EXECUTE ON FUNCTION s_a.f(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION s_a.f(int) TO own_reader;
REVOKE USAGE ON TYPE s_a.mood FROM PUBLIC;
GRANT USAGE ON TYPE s_a.mood TO own_reader;
REVOKE ALL ON s_a.v FROM own_a;
GRANT SELECT ON s_a.v TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA s_a GRANT SELECT ON TABLES TO own_reader;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO own_reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
RESET ROLE;
SET ROLE own_writer;
GRANT SELECT ON s_a.t TO own_b;
RESET ROLE;
SET ROLE own_b;
CREATE TABLE public.of_b (id int);
CREATE TABLE s_b.mixed (id int PRIMARY KEY);
RESET ROLE;
ALTER TABLE s_b.mixed OWNER TO own_a;
SET ROLE "own ""quoted"" \\! touch pwned";
CREATE TABLE "s quoted"."t quoted" (v text);
RESET ROLE;
REVOKE ALL ON SCHEMA public FROM own_a, own_b;
GRANT CREATE ON SCHEMA public TO own_b;
GRANT SELECT ON pg_catalog.pg_authid TO own_reader;
CREATE TABLE public.of_azuresu (v text);
INSERT INTO public.of_azuresu VALUES ('made by the service');
CREATE TABLE public.of_azure_pg_admin (v text);
INSERT INTO public.of_azure_pg_admin VALUES ('made by an administrator');
ALTER TABLE public.of_azure_pg_admin OWNER TO azure_pg_admin;
GRANT SELECT ON public.of_azure_pg_admin TO own_reader;
ALTER SCHEMA public OWNER TO own_b;
"""

_OWNERS = """
SELECT kind, count(*) FILTER (WHERE owner = 'own_a'), count(*) FROM (
    SELECT 'relation' AS kind, pg_get_userbyid(relowner) AS owner FROM pg_class
        WHERE relnamespace = 's_a'::regnamespace AND relkind IN ('r', 'v', 'm', 'S', 'i')
    UNION ALL SELECT 'type', pg_get_userbyid(typowner) FROM pg_type
        WHERE typnamespace = 's_a'::regnamespace AND typtype IN ('e', 'd')
    UNION ALL SELECT 'routine', pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = 's_a'::regnamespace
    UNION ALL SELECT 'operator', pg_get_userbyid(oprowner) FROM pg_operator WHERE oprnamespace = 's_a'::regnamespace
    UNION ALL SELECT 'collation', pg_get_userbyid(collowner) FROM pg_collation WHERE collnamespace = 's_a'::regnamespace
    UNION ALL SELECT 'words', pg_get_userbyid(cfgowner) FROM pg_ts_config WHERE cfgnamespace = 's_a'::regnamespace
    UNION ALL SELECT 'statistics', pg_get_userbyid(stxowner) FROM pg_statistic_ext WHERE stxname = 'stat'
) AS objects GROUP BY 1 ORDER BY 1
"""


def _asked(what: str, sql: str, expected: str, lost: str = "") -> Check:
    return Check(what=what, database=OWNED, sql=sql, expected=expected, lost=lost)


OWNERS = Source(
    name="owners",
    roles=_ROLES,
    databases=(
        Database(
            name=OWNED,
            as_superuser=_SQL,
            sql_of_18="""SET ROLE own_a; GRANT MAINTAIN ON s_a.t TO own_reader; RESET ROLE;""",
        ),
    ),
    checks=(
        _asked(
            "owners of schemas",
            "SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname ~ '^s' ORDER BY 1",
            's quoted|own "quoted" \\! touch pwned\ns_a|own_a\ns_b|own_b',
        ),
        _asked(
            "owner of schema public",
            "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'public'",
            "own_b",
        ),
        _asked(
            "owners of relations, types, routines, operators, collations, statistics",
            _OWNERS,
            "collation|1|1\noperator|1|1\nrelation|5|5\nroutine|4|4\nstatistics|1|1\ntype|2|2\nwords|1|1",
        ),
        _asked(
            "owner of a table in another's schema",
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('mixed', 'of_b') ORDER BY relname",
            "own_a\nown_b",
        ),
        _asked(
            "owner whose name is hostile",
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 't quoted'",
            'own "quoted" \\! touch pwned',
        ),
        _asked("a table of the service's own role keeps its rows", "SELECT v FROM of_azuresu", "made by the service"),
        _asked(
            "a table of azure_pg_admin keeps its rows and rights",
            "SELECT v, has_table_privilege('own_reader', 'of_azure_pg_admin', 'SELECT') FROM of_azure_pg_admin",
            "made by an administrator|t",
        ),
        _asked(
            "rights on columns",
            """SELECT attname, privilege_type FROM pg_attribute, aclexplode(attacl)
                WHERE attrelid = 's_a.t'::regclass AND grantee = 'own_reader'::regrole ORDER BY 1, 2""",
            "id|SELECT\nnote|SELECT\nnote|UPDATE",
        ),
        _asked(
            "rights on a table, with grant option and who granted",
            """SELECT grantee::regrole, privilege_type, is_grantable, grantor::regrole FROM pg_class, aclexplode(relacl)
                WHERE oid = 's_a.t'::regclass AND grantee IN ('own_writer'::regrole, 'own_b'::regrole) ORDER BY 1, 2""",
            "own_b|SELECT|f|own_writer\nown_writer|INSERT|t|own_a\nown_writer|SELECT|t|own_a",
        ),
        Check(
            what="MAINTAIN on a table",
            database=OWNED,
            sql="SELECT has_table_privilege('own_reader', 's_a.t', 'MAINTAIN')",
            expected="t",
            majors=ONLY_18,
        ),
        _asked(
            "EXECUTE revoked from PUBLIC and given to one",
            """SELECT coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC') FROM pg_proc, aclexplode(proacl)
                WHERE oid = 's_a.f(int)'::regprocedure ORDER BY 1""",
            "own_a\nown_reader",
        ),
        _asked(
            "USAGE of a type revoked from PUBLIC",
            "SELECT has_type_privilege('own_writer', 's_a.mood', 'USAGE'), has_type_privilege('own_reader', 's_a.mood', 'USAGE')",
            "f|t",
        ),
        _asked(
            "rights on a view that even its owner has not",
            "SELECT has_table_privilege('own_a', 's_a.v', 'INSERT'), has_table_privilege('own_b', 's_a.v', 'SELECT')",
            "f|t",
        ),
        _asked(
            "rights on a schema and a sequence",
            "SELECT has_schema_privilege('own_reader', 's_a', 'USAGE'), has_sequence_privilege('own_writer', 's_a.q', 'USAGE'),"
            " has_schema_privilege('own_reader', 's_b', 'USAGE')",
            "t|t|f",
        ),
        _asked(
            "rights on schema public",
            "SELECT has_schema_privilege('own_b', 'public', 'CREATE'), has_schema_privilege('own_a', 'public', 'CREATE')",
            "t|f",
        ),
        _asked(
            "default privileges of a role",
            """SELECT defaclrole::regrole, coalesce(nspname, '-'), defaclobjtype,
                coalesce(nullif(grantee, 0)::regrole::text, 'PUBLIC'), privilege_type
                FROM pg_default_acl LEFT JOIN pg_namespace AS n ON n.oid = defaclnamespace, aclexplode(defaclacl)
                WHERE grantee <> defaclrole ORDER BY 2, 3""",
            "own_a|-|f|own_reader|EXECUTE\nown_a|s_a|r|own_reader|SELECT",
        ),
        _asked(
            "rights on a system catalogue",
            "SELECT has_table_privilege('own_reader', 'pg_catalog.pg_authid', 'SELECT')",
            "t",
            lost="pg_authid … left out",
        ),
        _asked("rows of a table whose columns are granted", "SELECT count(*), max(secret) FROM s_a.t", "50|secret 9"),
        _asked(
            "a function with SECURITY DEFINER",
            "SELECT prosecdef FROM pg_proc WHERE oid = 's_a.f(text)'::regprocedure",
            "t",
        ),
    ),
)
