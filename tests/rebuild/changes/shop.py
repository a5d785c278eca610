"""Changes in the seed's database `shop`: rows, large objects, owners, rights, definitions."""

from tests.rebuild.changes.change import both, each

SHOP_CHANGES = {
    "one_value_changed": both(
        "UPDATE sales.customer SET score = score + 1e-15 WHERE id = 77", "rows of sales.customer differs"
    ),
    "one_row_missing": both("DELETE FROM sales.orders WHERE id = 4000", "rows of sales.orders_2025 differs"),
    "one_row_twice": both(
        'INSERT INTO "Straße"."Ta""ble; $(x)" VALUES (\'\', \'\\N\')', 'rows of Straße.Ta"ble; $(x) differs'
    ),
    "null_instead_of_empty_text": both(
        'UPDATE "Straße"."Ta""ble; $(x)" SET "Spalte; --" = NULL WHERE v = \'\\N\'',
        'rows of Straße.Ta"ble; $(x) differs',
    ),
    "two_values_swapped": both(
        "UPDATE public.item SET raw = CASE id WHEN 1 THEN '\\x00000002'::bytea ELSE '\\x00000001' END WHERE id IN (1, 2)",
        "rows of public.item differs",
    ),
    "empty_table_missing": each(
        "DROP TABLE sales.empty_table",
        (
            "constraint sales.empty_table empty_table_pkey missing",
            "owner of table sales.empty_table missing",
            "rights on table sales.empty_table missing",
            "rows of sales.empty_table missing",
            "table sales.empty_table missing",
        ),
        (
            "column sales.empty_table.id missing",
            "column sales.empty_table.note missing",
            "constraint sales.empty_table empty_table_pkey missing",
            "index sales.empty_table_pkey missing",
            "not null constraint sales.empty_table empty_table_id_not_null missing",
            "relation sales.empty_table missing",
            "rows of sales.empty_table missing",
        ),
    ),
    "empty_table_too_much": each(
        "CREATE TABLE sales.surplus ()",
        (
            "owner of table sales.surplus onlyInTarget",
            "table sales.surplus onlyInTarget",
        ),
        (
            "relation sales.surplus onlyInTarget",
            "rows of sales.surplus onlyInTarget",
        ),
    ),
    "sequence_off_by_one": both(
        "SELECT nextval('sales.invoice_number')", "sequence value sales.invoice_number differs"
    ),
    "sequence_called_once": both("SELECT nextval('sales.never_called')", "sequence value sales.never_called differs"),
    "sequence_increment": both(
        "ALTER SEQUENCE sales.invoice_number INCREMENT 6", "sequence sales.invoice_number differs"
    ),
    "large_object_byte": both("SELECT lo_put(70001, 5, '\\x01')", "large object 70001 differs"),
    "large_object_owner": both(
        "ALTER LARGE OBJECT 70002 OWNER TO app",
        "owner of large object 70002 differs",
        "rights on large object 70002 differs",
    ),
    "large_object_right": both("REVOKE SELECT ON LARGE OBJECT 70001 FROM app", "rights on large object 70001 differs"),
    "large_object_missing": both(
        "SELECT lo_unlink(70002)",
        "large object 70002 missing",
        "comment on large object 70002 missing",
        "owner of large object 70002 missing",
        "rights on large object 70002 missing",
    ),
    "table_owner": each(
        "ALTER TABLE public.item OWNER TO app_owner",
        ("owner of table public.item differs",),
        ("relation public.item differs",),
    ),
    "table_right": each(
        "GRANT DELETE ON sales.customer TO app",
        ("rights on table sales.customer differs",),
        ("relation sales.customer differs",),
    ),
    "row_security": each(
        "ALTER TABLE sales.customer DISABLE ROW LEVEL SECURITY",
        ("row security sales.customer missing",),
        ("relation sales.customer differs",),
    ),
    "policy": both("ALTER POLICY own ON sales.customer USING (true)", "policy sales.customer own differs"),
    "column_default": each(
        "ALTER TABLE sales.behind ALTER v SET DEFAULT 'x'",
        ("table sales.behind differs",),
        ("column sales.behind.v differs",),
    ),
    "column_type": each(
        "ALTER TABLE sales.behind ALTER v TYPE varchar",
        ("table sales.behind differs",),
        ("column sales.behind.v differs",),
    ),
    "not_null": each(
        "ALTER TABLE sales.orders ALTER total SET NOT NULL",
        (
            "table sales.orders differs",
            "table sales.orders_2025 differs",
            "table sales.orders_2026 differs",
        ),
        (
            "column sales.orders.total differs",
            "column sales.orders_2025.total differs",
            "column sales.orders_2026.total differs",
            "not null constraint sales.orders orders_total_not_null onlyInTarget",
            "not null constraint sales.orders_2025 orders_total_not_null onlyInTarget",
            "not null constraint sales.orders_2026 orders_total_not_null onlyInTarget",
        ),
    ),
    "column_right": each(
        "GRANT UPDATE (name) ON sales.customer TO auditor",
        ("rights on column sales.customer.name onlyInTarget",),
        ("column sales.customer.name differs",),
    ),
    "constraint": each(
        "ALTER TABLE sales.orders DROP CONSTRAINT orders_total_check",
        (
            "table sales.orders differs",
            "table sales.orders_2025 differs",
            "table sales.orders_2026 differs",
        ),
        (
            "constraint sales.orders orders_total_check missing",
            "constraint sales.orders_2025 orders_total_check missing",
            "constraint sales.orders_2026 orders_total_check missing",
        ),
    ),
    "foreign_key": each(
        "ALTER TABLE sales.orders DROP CONSTRAINT orders_customer_id_fkey",
        ("fk constraint sales.orders orders_customer_id_fkey missing",),
        (
            "constraint sales.orders orders_customer_id_fkey missing",
            "constraint sales.orders_2025 orders_customer_id_fkey missing",
            "constraint sales.orders_2026 orders_customer_id_fkey missing",
        ),
    ),
    "index": each(
        "DROP INDEX sales.orders_by_customer",
        (
            "index attach sales.orders_2025_customer_id_total_idx missing",
            "index attach sales.orders_2026_customer_id_total_idx missing",
            "index sales.orders_2025_customer_id_total_idx missing",
            "index sales.orders_2026_customer_id_total_idx missing",
            "index sales.orders_by_customer missing",
        ),
        (
            "index sales.orders_2025_customer_id_total_idx missing",
            "index sales.orders_2026_customer_id_total_idx missing",
            "index sales.orders_by_customer missing",
        ),
    ),
    "view": each(
        "CREATE OR REPLACE VIEW sales.open_orders AS SELECT * FROM sales.orders WHERE state <> 'paid'",
        ("view sales.open_orders differs",),
        ("view definition sales.open_orders differs",),
    ),
    "materialized_view_empty": each(
        "REFRESH MATERIALIZED VIEW sales.per_customer WITH NO DATA",
        ("state of materialized view sales.per_customer differs",),
        ("relation sales.per_customer differs",),
    ),
    "function_body": each(
        "CREATE OR REPLACE FUNCTION sales.order_total(wanted bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0'",
        ("function sales.order_total(bigint) differs",),
        ("function sales.order_total(wanted bigint) differs",),
    ),
    "function_right": each(
        "REVOKE EXECUTE ON FUNCTION sales.touch() FROM PUBLIC",
        ("rights on function sales.touch() onlyInTarget",),
        ("function sales.touch() differs",),
    ),
    "trigger": both("ALTER TABLE sales.behind DISABLE TRIGGER touch", "trigger sales.behind touch differs"),
    "enum_label": both("ALTER TYPE sales.state ADD VALUE 'lost'", "type sales.state differs"),
    "extension": each(
        "DROP EXTENSION vector CASCADE",
        (
            "comment on extension vector missing",
            "extension vector missing",
            "index public.item_embedding_idx missing",
            "rows of public.item notProven",
            "table public.item differs",
        ),
        (
            "column public.item.embedding missing",
            "column public.item.raw differs",
            "comment on extension vector missing",
            "extension object rights function public.l2_distance(public.vector,public.vector) missing",
            "extension vector missing",
            "index public.item_embedding_idx missing",
            "rows of public.item differs",
        ),
    ),
    "comment": each(
        "COMMENT ON COLUMN sales.customer.name IS NULL",
        ("comment on column sales.customer.name missing",),
        ("comment on table column sales.customer.name missing",),
    ),
    "schema_right": each(
        "REVOKE USAGE ON SCHEMA sales FROM app", ("rights on schema sales missing",), ("schema sales differs",)
    ),
    "default_privileges": each(
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA sales REVOKE SELECT ON TABLES FROM auditor",
        ("default acl sales.DEFAULT PRIVILEGES FOR TABLES of app_owner missing",),
        ("default privileges app_owner in sales on r missing",),
    ),
    "system_function_right": each(
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app",
        ("rights on function pg_catalog.pg_read_file(text) onlyInTarget",),
        ("system object rights function pg_read_file(text) onlyInTarget",),
    ),
    "partition_detached": each(
        "ALTER TABLE sales.orders DETACH PARTITION sales.orders_2025",
        (
            "index attach sales.orders_2025_pkey missing",
            "table attach sales.orders_2025 missing",
        ),
        (
            "constraint sales.orders_2025 orders_2025_pkey differs",
            "not null constraint sales.orders_2025 orders_customer_id_not_null differs",
            "not null constraint sales.orders_2025 orders_id_not_null differs",
            "not null constraint sales.orders_2025 orders_placed_not_null differs",
            "not null constraint sales.orders_2025 orders_state_not_null differs",
            "not null constraint sales.orders_2025 orders_total_not_null differs",
            "relation sales.orders_2025 differs",
        ),
    ),
}
