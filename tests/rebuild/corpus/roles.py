"""Roles: names that a pattern takes for the service's own, attributes, comments, memberships, settings."""

from tests.rebuild.corpus.model import Check, Source, literal

HOSTILE = "my azuresu\n\\! touch pwned\n"
"""Who deletes the lines of a roles script that hold azuresu leaves a line that is a command to psql."""

NAMES = (
    "azuresu_reports",
    "team azure_pg_admin readers",
    "my replication robot",
    "replication_app",
    "azure_superuser2",
    "Größe; DROP ROLE role_kept; --",
    "\\! touch pwned",
    "line\nbreak\n\\! touch pwned",
    HOSTILE,
    "Role_Case",
    "role_case",
    "quote \" and ' and \\",
    "100%",
    "-role",
    "r" * 60 + "end",
    "nosuperuser",
)


def _create(name: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    return f"CREATE ROLE {quoted} LOGIN CONNECTION LIMIT 3; COMMENT ON ROLE {quoted} IS {literal('I am\n' + name)};"


_ROLES = (
    "".join(map(_create, NAMES))
    + """
CREATE ROLE role_kept NOLOGIN;
CREATE ROLE role_app LOGIN PASSWORD 'not-a-real-secret' CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00';
CREATE ROLE role_forever LOGIN VALID UNTIL 'infinity';
CREATE ROLE role_maker CREATEDB CREATEROLE;
CREATE ROLE role_shy LOGIN NOINHERIT;
CREATE ROLE role_sees_all LOGIN BYPASSRLS;
CREATE ROLE role_streams LOGIN REPLICATION;
CREATE ROLE role_super LOGIN SUPERUSER;
CREATE ROLE role_lead;
CREATE ROLE role_auditor LOGIN;
CREATE ROLE "role_auditor replication";
GRANT role_kept TO role_app WITH ADMIN OPTION;
GRANT role_kept TO role_lead WITH SET FALSE GRANTED BY role_app;
GRANT role_lead TO role_auditor WITH INHERIT FALSE, SET FALSE;
GRANT role_lead TO "my replication robot" GRANTED BY azuresu;
GRANT "azuresu_reports" TO role_auditor;
GRANT "team azure_pg_admin readers" TO "replication_app" WITH ADMIN TRUE, INHERIT FALSE, SET TRUE;
GRANT pg_monitor TO role_auditor;
GRANT pg_use_reserved_connections TO role_lead GRANTED BY azuresu;
GRANT azure_pg_admin TO role_maker;
GRANT replication TO role_streams;
ALTER ROLE role_app SET search_path TO sales, "odd ""schema"" ", public;
ALTER ROLE role_app SET work_mem = '12MB';
ALTER ROLE role_auditor SET default_transaction_read_only = on;
ALTER ROLE role_auditor SET application_name = E'it''s\\n\\\\! touch pwned';
ALTER ROLE role_shy SET app.custom = 'x';
COMMENT ON ROLE role_app IS E'the app; it''s\\n-- not a comment\\nALTER ROLE role_app NOLOGIN;\\n\\\\! touch pwned\\nazuresu';
GRANT SET ON PARAMETER log_min_messages TO role_app;
"""
)


def _role(what: str, role: str, columns: str, expected: str, lost: str = "") -> Check:
    sql = f"SELECT {columns} FROM pg_roles WHERE rolname = {literal(role)}"
    return Check(what=what, sql=sql, expected=expected, lost=lost)


def _exists(name: str) -> Check:
    shown = name.replace("\n", "⏎")[:40]
    return _role(
        f"role `{shown}` with login, limit and comment",
        name,
        f"rolcanlogin, rolconnlimit, shobj_description(oid, 'pg_authid') = {literal('I am\n' + name)}",
        "t|3|t",
    )


def _membership(what: str, role: str, member: str, expected: str, *, lost: str = "") -> Check:
    """Ask for a membership, whoever granted it: who restores it is another than in the source."""
    return Check(
        what=what,
        sql=f"""SELECT bool_or(admin_option), bool_or(inherit_option), bool_or(set_option)
            FROM pg_auth_members WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = {literal(role)})
            AND member = (SELECT oid FROM pg_roles WHERE rolname = {literal(member)})""",
        expected=expected,
        lost=lost,
    )


def _setting(role: str, expected: str, lost: str = "") -> Check:
    return Check(
        what=f"settings of {role}",
        sql=f"""SELECT s.setting FROM pg_db_role_setting, unnest(setconfig) AS s (setting) WHERE setdatabase = 0
            AND setrole = (SELECT oid FROM pg_roles WHERE rolname = '{role}') ORDER BY 1""",
        expected=expected,
        lost=lost,
    )


ROLES = Source(
    name="roles",
    roles=_ROLES,
    checks=(
        *map(_exists, NAMES),
        _role("a role without login", "role_kept", "rolcanlogin", "f"),
        _role(
            "login, connection limit and end of a role",
            "role_app",
            "rolcanlogin, rolconnlimit, rolvaliduntil AT TIME ZONE 'UTC'",
            "t|7|2031-01-01 00:00:00",
        ),
        _role("VALID UNTIL infinity", "role_forever", "rolcanlogin, rolvaliduntil", "t|infinity"),
        _role("CREATEDB and CREATEROLE", "role_maker", "rolcreatedb, rolcreaterole", "t|t"),
        _role("NOINHERIT", "role_shy", "rolinherit, rolcanlogin", "f|t"),
        _role("BYPASSRLS", "role_sees_all", "rolbypassrls, rolcanlogin", "t|t"),
        _role("REPLICATION", "role_streams", "rolreplication, rolcanlogin", "t|t"),
        _role("a superuser can still log in", "role_super", "rolcanlogin", "t"),
        _role("SUPERUSER", "role_super", "rolsuper", "t", lost="role role_super … lost … SUPERUSER"),
        _role(
            "a role's comment with line breaks and SQL in it",
            "role_app",
            "length(shobj_description(oid, 'pg_authid')), shobj_description(oid, 'pg_authid') LIKE '%touch pwned%azuresu'",
            "82|t",
        ),
        _membership("membership WITH ADMIN OPTION", "role_kept", "role_app", "t|t|t"),
        _membership("membership granted by another than the administrator", "role_kept", "role_lead", "f|t|f"),
        Check(
            what="who granted a membership",
            sql="""SELECT grantor::regrole FROM pg_auth_members
                WHERE roleid = 'role_kept'::regrole AND member = 'role_lead'::regrole""",
            expected="role_app",
        ),
        _membership("membership WITH INHERIT FALSE, SET FALSE", "role_lead", "role_auditor", "f|f|f"),
        _membership("membership granted by azuresu", "role_lead", "my replication robot", "f|t|t"),
        _membership("membership in a role named azuresu_reports", "azuresu_reports", "role_auditor", "f|t|t"),
        _membership(
            "membership of a role named replication_app", "team azure_pg_admin readers", "replication_app", "t|f|t"
        ),
        _membership("membership in pg_monitor", "pg_monitor", "role_auditor", "f|t|t"),
        _membership(
            "membership in pg_use_reserved_connections",
            "pg_use_reserved_connections",
            "role_lead",
            "f|t|t",
            lost="role role_lead … lost … pg_use_reserved_connections",
        ),
        Check(
            what="membership in azure_pg_admin, which nobody gets unasked",
            sql="""SELECT count(*) FROM pg_auth_members WHERE member = 'role_maker'::regrole
                AND roleid = (SELECT oid FROM pg_roles WHERE rolname = 'azure_pg_admin')""",
            expected="1",
            lost="role role_maker … ask … azure_pg_admin",
        ),
        _setting("role_app", 'search_path=sales, "odd ""schema"" ", public\nwork_mem=12MB'),
        _setting("role_auditor", "application_name=it's\n\\! touch pwned\ndefault_transaction_read_only=on"),
        # Only a superuser stores a parameter that no extension has declared.
        _setting("role_shy", "app.custom=x", lost="role_shy … app.custom … refused"),
        Check(
            what="GRANT SET ON PARAMETER",
            sql="""SELECT a.privilege_type FROM pg_parameter_acl, aclexplode(paracl) AS a
                WHERE parname = 'log_min_messages' AND grantee = 'role_app'::regrole""",
            expected="SET",
            lost="role_app … lost … log_min_messages",
        ),
    ),
)
