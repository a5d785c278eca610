"""Row security, which must neither be lost nor filter what is restored; and large objects with owners and rights."""

import hashlib

from tests.rebuild.corpus.model import Check, Database, Source

GUARDED, LARGE = "guarded", "large"

_ROLES = """
CREATE ROLE sec_owner NOLOGIN;
CREATE ROLE sec_user LOGIN;
"""

_SQL = """
CREATE SCHEMA guard AUTHORIZATION sec_owner;
SET ROLE sec_owner;
SET search_path = guard;
CREATE TABLE forced (id int PRIMARY KEY, tenant text);
INSERT INTO forced SELECT n, CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, 90) AS n;
ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY nobody ON forced AS RESTRICTIVE USING (false);
CREATE TABLE guarded (id int PRIMARY KEY, tenant text);
INSERT INTO guarded SELECT n, 'sec_user' FROM generate_series(1, 70) AS n;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON guarded FOR UPDATE TO sec_user USING (tenant = current_user) WITH CHECK (id < 50);
COMMENT ON POLICY own_rows ON guarded IS 'only one''s own';
CREATE TABLE without_policy (id int); ALTER TABLE without_policy ENABLE ROW LEVEL SECURITY;
INSERT INTO without_policy VALUES (1);
CREATE VIEW barrier WITH (security_barrier, security_invoker) AS SELECT id FROM guarded WITH CASCADED CHECK OPTION;
GRANT USAGE ON SCHEMA guard TO sec_user;
GRANT SELECT ON ALL TABLES IN SCHEMA guard TO sec_user;
"""

_LARGE = """
SELECT lo_from_bytea(80001, decode(repeat('00ff0a5c', 5000), 'hex')), lo_from_bytea(80002, ''), lo_from_bytea(80003, 'small');
SELECT lo_from_bytea(80100 + n, convert_to('object ' || n, 'UTF8')) FROM generate_series(1, 40) AS n;
ALTER LARGE OBJECT 80001 OWNER TO sec_owner;
GRANT SELECT, UPDATE ON LARGE OBJECT 80001 TO sec_user;
ALTER LARGE OBJECT 80110 OWNER TO sec_owner;
COMMENT ON LARGE OBJECT 80003 IS E'small;\\n\\\\! touch pwned';
CREATE TABLE public.refers (id int PRIMARY KEY, picture oid);
INSERT INTO public.refers SELECT n, 80100 + n FROM generate_series(1, 40) AS n;
"""
_MD5 = hashlib.md5(bytes.fromhex("00ff0a5c" * 5000), usedforsecurity=False).hexdigest()


def _guarded(what: str, sql: str, expected: str) -> Check:
    return Check(what=what, database=GUARDED, sql=sql, expected=expected)


def _large(what: str, sql: str, expected: str) -> Check:
    return Check(what=what, database=LARGE, sql=sql, expected=expected)


SECURITY = Source(
    name="security",
    roles=_ROLES,
    databases=(Database(name=GUARDED, as_superuser=_SQL), Database(name=LARGE, as_superuser=_LARGE)),
    checks=(
        _guarded(
            "all rows of tables with row security, forced too",
            "SELECT (SELECT count(*) FROM guard.forced), (SELECT count(*) FROM guard.guarded), (SELECT count(*) FROM guard.without_policy)",
            "90|70|1",
        ),
        _guarded(
            "ENABLE and FORCE ROW LEVEL SECURITY",
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'guard'::regnamespace AND relkind = 'r' ORDER BY 1",
            "forced|t|t\nguarded|t|f\nwithout_policy|t|f",
        ),
        _guarded(
            "policies with roles, commands and expressions",
            "SELECT policyname, permissive, roles, cmd, qual, with_check FROM pg_policies ORDER BY 1",
            "nobody|RESTRICTIVE|{public}|ALL|false|NULL\n"
            "own_rows|PERMISSIVE|{sec_user}|UPDATE|(tenant = CURRENT_USER)|(id < 50)",
        ),
        _guarded(
            "comment on a policy",
            "SELECT obj_description(oid, 'pg_policy') FROM pg_policy WHERE polname = 'own_rows'",
            "only one's own",
        ),
        _guarded(
            "a view with security_barrier, security_invoker and check option",
            "SELECT reloptions FROM pg_class WHERE relname = 'barrier'",
            "{security_barrier=true,security_invoker=true,check_option=cascaded}",
        ),
        _guarded(
            "a policy hides from a user what it hid",
            "SET ROLE sec_user; SET row_security = on; SELECT (SELECT count(*) FROM guard.forced), (SELECT count(*) FROM guard.without_policy)",
            "0|0",
        ),
        _large(
            "large objects with their bytes",
            "SELECT count(*), md5(lo_get(80001)), length(lo_get(80002)), convert_from(lo_get(80140), 'UTF8') FROM pg_largeobject_metadata",
            f"43|{_MD5}|0|object 40",
        ),
        _large(
            "owners of large objects",
            "SELECT oid FROM pg_largeobject_metadata WHERE lomowner = 'sec_owner'::regrole ORDER BY 1",
            "80001\n80110",
        ),
        _large(
            "rights on a large object",
            "SELECT privilege_type FROM pg_largeobject_metadata, aclexplode(lomacl) WHERE oid = 80001 AND grantee = 'sec_user'::regrole ORDER BY 1",
            "SELECT\nUPDATE",
        ),
        _large(
            "comment on a large object",
            "SELECT obj_description(80003, 'pg_largeobject') = E'small;\\n\\\\! touch pwned'",
            "t",
        ),
        _large(
            "columns that refer to large objects",
            "SELECT count(*) FROM public.refers JOIN pg_largeobject_metadata AS m ON m.oid = picture",
            "40",
        ),
    ),
)
