"""What ARM does not show of a server, and the SQL that shows it. Every statement only reads.

Sources: Azure Backup's support matrix for flexible servers, which leaves out databases of `azuresu` and
`azure_pg_admin` and tables with a BYTEA value above 500 MB; PostgreSQL's catalogs,
https://www.postgresql.org/docs/current/catalogs.html.
"""

from flexvault.domain.findings import Finding, FindingCheck, FindingSeverity

# Microsoft writes 500 MB and not which: the smaller reading, 500,000,000 bytes, misses nothing.
_LARGE_BYTEA = """\
SELECT format(
    'SELECT %L AS column_name, count(*) AS too_large FROM %I.%I WHERE octet_length(%I) > 500000000',
    n.nspname || '.' || c.relname || '.' || a.attname, n.nspname, c.relname, a.attname) AS statement
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.atttypid = 'pg_catalog.bytea'::pg_catalog.regtype AND a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, a.attnum"""

_EXCLUDED_DATABASES = """\
SELECT d.datname AS database, r.rolname AS owner
FROM pg_catalog.pg_database d
JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
WHERE r.rolname IN ('azuresu', 'azure_pg_admin') AND NOT d.datistemplate
ORDER BY d.datname"""

_UNLOGGED_TABLES = """\
SELECT n.nspname AS schema_name, c.relname AS table_name
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence = 'u' AND c.relkind = 'r'
ORDER BY n.nspname, c.relname"""

_LARGE_OBJECTS = """\
SELECT r.rolname AS owner, count(*) AS large_objects
FROM pg_catalog.pg_largeobject_metadata m
JOIN pg_catalog.pg_roles r ON r.oid = m.lomowner
GROUP BY r.rolname
ORDER BY r.rolname"""


def not_checkable(server_id: str) -> tuple[Finding, ...]:
    """Answer what a person has to ask PostgreSQL for, with the SQL and what its result means."""

    def finding(code: str, message: str, remedy: str, sql: str) -> Finding:
        return Finding(
            code=code,
            severity=FindingSeverity.INFORMATION,
            subject=server_id,
            message=message,
            remedy=remedy,
            check=FindingCheck.NOT_CHECKABLE,
            sql=sql,
        )

    return (
        finding(
            "LargeByteaValues",
            "not checkable from ARM: a table with a BYTEA value above 500 MB is not backed up, or fails the backup: as "
            "text the value passes PostgreSQL's limit of 1 GB",
            "run the SQL in each database, and then each statement that it answers (psql does both with \\gexec in "
            "place of the semicolon): a column whose too_large is not 0 holds such values: split them, or keep them "
            "in storage",
            _LARGE_BYTEA,
        ),
        finding(
            "DatabasesOfAzure",
            "not checkable from ARM: databases owned by azuresu or azure_pg_admin, such as postgres, are not backed up",
            "run the SQL in any database: each row is a database that is left out; azure_maintenance and azure_sys "
            "always are; if one holds data of yours: ALTER DATABASE name OWNER TO role",
            _EXCLUDED_DATABASES,
        ),
        finding(
            "UnloggedTables",
            "not checkable from ARM: PostgreSQL empties unlogged tables after a crash or a failover, and a backup then "
            "holds them empty",
            "run the SQL in each database: each row is an unlogged table; if its rows matter: ALTER TABLE name SET "
            "LOGGED",
            _UNLOGGED_TABLES,
        ),
        finding(
            "LargeObjects",
            "not checkable from ARM: large objects are backed up, but a restore with --no-owner --no-privileges loses "
            "their owners and grants",
            "run the SQL in each database: each row is a role that owns some; restore such a database with owners, or "
            "set them afterwards with ALTER LARGE OBJECT id OWNER TO role",
            _LARGE_OBJECTS,
        ),
    )
