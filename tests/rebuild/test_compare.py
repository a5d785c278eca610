"""The comparison finds every single difference, and names the object that differs."""

from collections.abc import Iterator

import pytest

from local_cloud.compare import Comparison, compare_facts, compare_servers, server_facts
from tests.rebuild.conftest import Server, ServerMaker
from tests.rebuild.seed import ODD_DATABASE, SHOP, seed

# id -> (database, what is changed on the target, the name that must appear in a difference)
CHANGES = {
    "one_value_changed": (
        SHOP,
        "UPDATE sales.customer SET score = score + 1e-15 WHERE id = 77",
        "rows of sales.customer",
    ),
    "one_row_missing": (SHOP, "DELETE FROM sales.orders WHERE id = 4000", "rows of sales.orders_2025"),
    "one_row_twice": (
        SHOP,
        """INSERT INTO "Straße"."Ta""ble; $(x)" VALUES ('', '\\N')""",
        'rows of Straße.Ta"ble; $(x)',
    ),
    "null_instead_of_empty_text": (
        SHOP,
        """UPDATE "Straße"."Ta""ble; $(x)" SET "Spalte; --" = NULL WHERE v = '\\N'""",
        "rows of Straße",
    ),
    "two_values_swapped": (
        SHOP,
        "UPDATE public.item SET raw = CASE id WHEN 1 THEN '\\x00000002'::bytea ELSE '\\x00000001' END WHERE id IN (1, 2)",
        "rows of public.item",
    ),
    "second_database": (
        ODD_DATABASE,
        "UPDATE ledger SET amount = 1.0 WHERE id = 100",
        f"database {ODD_DATABASE}: rows of public.ledger",
    ),
    "empty_table_missing": (SHOP, "DROP TABLE sales.empty_table", "rows of sales.empty_table"),
    "empty_table_too_much": (SHOP, "CREATE TABLE sales.surplus ()", "relation sales.surplus"),
    "sequence_off_by_one": (SHOP, "SELECT nextval('sales.invoice_number')", "sequence value sales.invoice_number"),
    "sequence_called_once": (SHOP, "SELECT nextval('sales.never_called')", "sequence value sales.never_called"),
    "sequence_increment": (SHOP, "ALTER SEQUENCE sales.invoice_number INCREMENT 6", "sequence sales.invoice_number"),
    "large_object_byte": (SHOP, "SELECT lo_put(70001, 5, '\\x01')", "large object 70001"),
    "large_object_owner": (SHOP, "ALTER LARGE OBJECT 70002 OWNER TO app", "large object 70002"),
    "large_object_right": (SHOP, "REVOKE SELECT ON LARGE OBJECT 70001 FROM app", "large object 70001"),
    "large_object_missing": (SHOP, "SELECT lo_unlink(70002)", "large object 70002"),
    "table_owner": (SHOP, "ALTER TABLE public.item OWNER TO app_owner", "relation public.item"),
    "table_right": (SHOP, "GRANT DELETE ON sales.customer TO app", "relation sales.customer"),
    "row_security": (SHOP, "ALTER TABLE sales.customer DISABLE ROW LEVEL SECURITY", "relation sales.customer"),
    "policy": (SHOP, "ALTER POLICY own ON sales.customer USING (true)", "policy sales.customer own"),
    "column_default": (SHOP, "ALTER TABLE sales.behind ALTER v SET DEFAULT 'x'", "column sales.behind.v"),
    "column_type": (SHOP, "ALTER TABLE sales.behind ALTER v TYPE varchar", "column sales.behind.v"),
    "not_null": (SHOP, "ALTER TABLE sales.orders ALTER total SET NOT NULL", "column sales.orders.total"),
    "column_right": (SHOP, "GRANT UPDATE (name) ON sales.customer TO auditor", "column sales.customer.name"),
    "constraint": (
        SHOP,
        "ALTER TABLE sales.orders DROP CONSTRAINT orders_total_check",
        "constraint sales.orders orders_total_check",
    ),
    "foreign_key": (
        SHOP,
        "ALTER TABLE sales.orders DROP CONSTRAINT orders_customer_id_fkey",
        "orders_customer_id_fkey",
    ),
    "index": (SHOP, "DROP INDEX sales.orders_by_customer", "index sales.orders_by_customer"),
    "view": (
        SHOP,
        "CREATE OR REPLACE VIEW sales.open_orders AS SELECT * FROM sales.orders WHERE state <> 'paid'",
        "view definition sales.open_orders",
    ),
    "materialized_view_empty": (
        SHOP,
        "REFRESH MATERIALIZED VIEW sales.per_customer WITH NO DATA",
        "relation sales.per_customer",
    ),
    "function_body": (
        SHOP,
        "CREATE OR REPLACE FUNCTION sales.order_total(wanted bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0'",
        "function sales.order_total",
    ),
    "function_right": (SHOP, "REVOKE EXECUTE ON FUNCTION sales.touch() FROM PUBLIC", "function sales.touch"),
    "trigger": (SHOP, "ALTER TABLE sales.behind DISABLE TRIGGER touch", "trigger sales.behind touch"),
    "enum_label": (SHOP, "ALTER TYPE sales.state ADD VALUE 'lost'", "type sales.state"),
    "extension": (SHOP, "DROP EXTENSION vector CASCADE", "extension vector"),
    "comment": (SHOP, "COMMENT ON COLUMN sales.customer.name IS NULL", "comment on table column sales.customer.name"),
    "schema_right": (SHOP, "REVOKE USAGE ON SCHEMA sales FROM app", "schema sales"),
    "default_privileges": (
        SHOP,
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA sales REVOKE SELECT ON TABLES FROM auditor",
        "default privileges app_owner in sales",
    ),
    "system_function_right": (
        SHOP,
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app",
        "system object rights function pg_read_file(text)",
    ),
    "partition_detached": (
        SHOP,
        "ALTER TABLE sales.orders DETACH PARTITION sales.orders_2025",
        "relation sales.orders_2025",
    ),
    "database_owner": ("postgres", "ALTER DATABASE shop OWNER TO app", "database properties shop"),
    "database_connection_limit": ("postgres", "ALTER DATABASE shop CONNECTION LIMIT 41", "database properties shop"),
    "database_right": ("postgres", "GRANT CONNECT ON DATABASE shop TO PUBLIC", "database properties shop"),
    "database_comment": ("postgres", "COMMENT ON DATABASE shop IS NULL", "database properties shop"),
    "database_setting": (
        "postgres",
        "ALTER DATABASE shop RESET statement_timeout",
        "settings of database shop, all roles",
    ),
    "database_missing": ("postgres", 'DROP DATABASE "-empty"', "database properties -empty"),
    "role_attribute": ("postgres", "ALTER ROLE auditor NOBYPASSRLS", "role auditor"),
    "role_connection_limit": ("postgres", "ALTER ROLE app CONNECTION LIMIT 8", "role app"),
    "role_setting": ("postgres", "ALTER ROLE app SET work_mem = '13MB'", "settings of all databases, role app"),
    "role_setting_in_database": (
        "postgres",
        "ALTER ROLE app IN DATABASE shop RESET work_mem",
        "settings of database shop, role app",
    ),
    "role_comment": ("postgres", "COMMENT ON ROLE app IS NULL", "role app"),
    "role_missing": ("postgres", 'DROP ROLE "my replication robot"', "role my replication robot"),
    "membership": ("postgres", "REVOKE team_lead FROM auditor", "membership team_lead to auditor"),
    "membership_option": ("postgres", "GRANT team_lead TO auditor WITH SET TRUE", "membership team_lead to auditor"),
    "parameter_right": (
        "postgres",
        "REVOKE SET ON PARAMETER log_min_messages FROM app",
        "server parameter rights log_min_messages",
    ),
}


class Moving:
    """One server that the changes are made to, one after the other, and what was last written down of it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.facts = server_facts(server.url())


@pytest.fixture(scope="module")
def twin(run_server: ServerMaker) -> Iterator[Moving]:
    with run_server() as server:
        seed(server.url())
        yield Moving(server)


def test_two_servers_of_one_seed_are_equal(source: Server, twin: Moving) -> None:
    comparison = compare_servers(source.url(), twin.server.url())
    assert comparison.differences == ()
    assert comparison.is_equal
    assert comparison.counts == {
        "databases": 3, "tables": 9, "rows": 6003, "roles": 8, "sequences": 4, "largeObjects": 2
    }  # fmt: skip


def test_the_place_of_rows_on_disk_does_not_matter(source: Server, twin: Moving) -> None:
    before = twin.server.execute("SELECT min(id) FROM sales.orders_2026 WHERE ctid = '(0,2)'", SHOP)
    for sql in (
        "CLUSTER sales.orders_2026 USING orders_2026_customer_id_total_idx",
        "ALTER TABLE sales.orders_2026 SET WITHOUT CLUSTER",
    ):
        twin.server.execute(sql, SHOP)
    assert twin.server.execute("SELECT min(id) FROM sales.orders_2026 WHERE ctid = '(0,2)'", SHOP) != before
    assert compare_servers(source.url(), twin.server.url()).differences == ()


@pytest.mark.parametrize(("database", "sql", "named"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_found_and_named(twin: Moving, database: str, sql: str, named: str) -> None:
    before = twin.facts
    twin.server.execute(sql, database)
    twin.facts = server_facts(twin.server.url())
    differences = compare_facts(before, twin.facts).differences
    assert [line for line in differences if named in line.split(": differs")[0].split(": missing")[0]], differences


def test_an_empty_comparison_proves_nothing() -> None:
    assert not Comparison(differences=(), equal_count=0, counts={}).is_equal
