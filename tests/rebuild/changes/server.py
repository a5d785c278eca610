"""Changes of databases themselves and of roles."""

from tests.rebuild.changes.change import Change, of_server
from tests.rebuild.seed import ODD_DATABASE

SERVER_CHANGES = {
    "second_database": of_server(
        "UPDATE ledger SET amount = 1.0 WHERE id = 100",
        ('database Bob\'s "ledger" $(id) ünï: rows of public.ledger differs',),
        ('database Bob\'s "ledger" $(id) ünï: rows of public.ledger differs',),
        database=ODD_DATABASE,
    ),
    "database_owner": of_server(
        "ALTER DATABASE shop OWNER TO app",
        (
            "database shop: owner of database differs",
            "database shop: rights on database shop differs",
        ),
        ("database properties shop differs",),
    ),
    "database_connection_limit": of_server(
        "ALTER DATABASE shop CONNECTION LIMIT 41",
        ("database shop: database option connection limit differs",),
        ("database properties shop differs",),
    ),
    "database_right": of_server(
        "GRANT CONNECT ON DATABASE shop TO PUBLIC",
        ("database shop: rights on database shop differs",),
        ("database properties shop differs",),
    ),
    "database_comment": of_server(
        "COMMENT ON DATABASE shop IS NULL",
        ("database shop: comment on database shop missing",),
        ("database properties shop differs",),
    ),
    "database_setting": of_server(
        "ALTER DATABASE shop RESET statement_timeout",
        ("database shop: database setting statement_timeout missing",),
        ("settings of database shop, all roles differs",),
    ),
    "database_missing": of_server(
        'DROP DATABASE "-empty"', ("database -empty: database missing",), ("database -empty: database missing",)
    ),
    "role_attribute": of_server("ALTER ROLE auditor NOBYPASSRLS", ("role auditor differs",), ("role auditor differs",)),
    "role_connection_limit": of_server(
        "ALTER ROLE app CONNECTION LIMIT 8", ("role app differs",), ("role app differs",)
    ),
    "role_setting": of_server(
        "ALTER ROLE app SET work_mem = '13MB'",
        ("setting work_mem of role app differs",),
        ("settings of all databases, role app differs",),
    ),
    "role_setting_in_database": of_server(
        "ALTER ROLE app IN DATABASE shop RESET work_mem",
        ("database shop: database setting work_mem of role app missing",),
        ("settings of database shop, role app missing",),
    ),
    "role_comment": of_server("COMMENT ON ROLE app IS NULL", ("comment on role app missing",), ("role app differs",)),
    "role_missing": of_server(
        'DROP ROLE "my replication robot"',
        ("role my replication robot missing",),
        ("role my replication robot missing",),
    ),
    "membership": of_server(
        "REVOKE team_lead FROM auditor",
        ("membership team_lead to auditor missing",),
        ("membership team_lead to auditor missing",),
    ),
    "membership_option": of_server(
        "GRANT team_lead TO auditor WITH SET TRUE",
        ("membership team_lead to auditor differs",),
        ("membership team_lead to auditor onlyInTarget",),
    ),
    "parameter_right": of_server(
        "REVOKE SET ON PARAMETER log_min_messages FROM app",
        ("rights on server parameter log_min_messages of app missing",),
        ("server parameter rights log_min_messages missing",),
    ),
    "database_encoding": Change(
        sql="CREATE DATABASE \"-empty\" OWNER auditor TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
        database="postgres",
        point=frozenset(
            {
                "database -empty: database option encoding differs",
                "database -empty: database option lc_collate differs",
                "database -empty: database option lc_ctype differs",
            }
        ),
        living=frozenset({"database -empty: database onlyInTarget"}),
    ),
    "database_too_much": of_server(
        "CREATE DATABASE surplus",
        ("database surplus: database onlyInTarget",),
        ("database surplus: database onlyInTarget",),
    ),
    "role_too_much": of_server("CREATE ROLE surplus", ("role surplus onlyInTarget",), ("role surplus onlyInTarget",)),
    "role_valid_until": of_server(
        "ALTER ROLE app VALID UNTIL '2031-01-01 00:00:01+00'", ("role app differs",), ("role app differs",)
    ),
    "database_closed": of_server(
        'ALTER DATABASE "-empty" ALLOW_CONNECTIONS false',
        ("database -empty: database notProven",),
        ("database -empty: database notProven",),
    ),
    "database_closed_in_both": of_server("SELECT 1", (), ("database -empty: database notProven",)),
}
