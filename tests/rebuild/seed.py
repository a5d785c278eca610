"""A small cluster with everything that a rebuild may lose: what the demo seeds, and a few traps more."""

import psycopg

ODD_DATABASE = 'Bob\'s "ledger" $(id) ünï'
EMPTY_DATABASE = "-empty"
SHOP = "shop"

ROLES = """
CREATE ROLE app_owner NOLOGIN;
CREATE ROLE app LOGIN PASSWORD 'not-a-real-secret' CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00';
CREATE ROLE auditor LOGIN BYPASSRLS NOINHERIT;
CREATE ROLE streamer LOGIN REPLICATION;
CREATE ROLE "Größe; DROP ROLE app; --" CREATEDB CREATEROLE;
CREATE ROLE "my replication robot" LOGIN;
CREATE ROLE team_lead;
GRANT app_owner TO app WITH ADMIN OPTION;
GRANT app_owner TO team_lead WITH SET FALSE GRANTED BY app;
GRANT team_lead TO auditor WITH INHERIT FALSE, SET FALSE;
GRANT pg_monitor TO auditor;
ALTER ROLE app SET search_path TO sales, public;
ALTER ROLE app SET work_mem = '12MB';
ALTER ROLE auditor SET default_transaction_read_only = on;
COMMENT ON ROLE app IS 'the app; it''s
-- not a comment /* nor this';
GRANT SET ON PARAMETER log_min_messages TO app;
"""

SHOP_SQL = """
CREATE EXTENSION vector;
CREATE SCHEMA sales AUTHORIZATION app_owner;
CREATE SCHEMA "Straße" AUTHORIZATION "Größe; DROP ROLE app; --";
SET ROLE app_owner;
CREATE TYPE sales.state AS ENUM ('new', 'paid', 'sent');
CREATE TABLE sales.customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, joined timestamptz NOT NULL,
    score double precision, name_length int GENERATED ALWAYS AS (length(name)) STORED);
INSERT INTO sales.customer (name, joined, score)
    SELECT 'customer ' || n || ' ünïcødé 日本', timestamptz '2026-01-01 00:00+00' + n * interval '1 hour', 1 / n::float
    FROM generate_series(1, 1500) AS n;
CREATE TABLE sales.orders (
    id bigint, customer_id bigint NOT NULL REFERENCES sales.customer, placed date NOT NULL, state sales.state NOT NULL,
    total numeric(12, 2) CHECK (total >= 0), PRIMARY KEY (id, placed)) PARTITION BY RANGE (placed);
CREATE TABLE sales.orders_2025 PARTITION OF sales.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE sales.orders_2026 PARTITION OF sales.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO sales.orders
    SELECT n, 1 + n % 1500, date '2025-06-01' + n % 500, (ARRAY['new', 'paid', 'sent'])[1 + n % 3]::sales.state, n * 1.25
    FROM generate_series(1, 4000) AS n;
CREATE INDEX orders_by_customer ON sales.orders (customer_id) INCLUDE (total);
CREATE VIEW sales.open_orders AS SELECT * FROM sales.orders WHERE state <> 'sent';
CREATE MATERIALIZED VIEW sales.per_customer AS
    SELECT customer_id, count(*) AS orders, sum(total) AS total FROM sales.orders GROUP BY customer_id;
CREATE UNIQUE INDEX ON sales.per_customer (customer_id);
CREATE FUNCTION sales.order_total(wanted bigint) RETURNS numeric LANGUAGE sql STABLE
    AS $$ SELECT sum(total) FROM sales.orders WHERE customer_id = wanted $$;
CREATE TABLE sales.empty_table (id int PRIMARY KEY, note text);
CREATE SEQUENCE sales.invoice_number START 1000 INCREMENT 5;
SELECT nextval('sales.invoice_number') FROM generate_series(1, 3);
CREATE SEQUENCE sales.never_called;
CREATE TABLE sales.behind (id serial PRIMARY KEY, v text);
INSERT INTO sales.behind (id, v) VALUES (50, 'the sequence is behind its table');
ALTER TABLE sales.customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sales.customer TO app USING (score > 0.5);
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA sales TO app;
GRANT USAGE ON SCHEMA sales TO app;
COMMENT ON TABLE sales.customer IS 'people; "quoted" and ''quoted''';
COMMENT ON COLUMN sales.customer.name IS 'as they wrote it';
ALTER DEFAULT PRIVILEGES IN SCHEMA sales GRANT SELECT ON TABLES TO auditor;
CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END $f$;
CREATE TRIGGER touch BEFORE UPDATE ON sales.behind FOR EACH ROW EXECUTE FUNCTION sales.touch();
RESET ROLE;
SET ROLE "Größe; DROP ROLE app; --";
CREATE TABLE "Straße"."Ta""ble; $(x)" ("Spalte; --" text, v text);
INSERT INTO "Straße"."Ta""ble; $(x)" VALUES (E'tab\\there\\nnewline \\\\ backslash', NULL), ('', '\\N');
RESET ROLE;
CREATE TABLE public.item (id int PRIMARY KEY, embedding vector(3), raw bytea);
INSERT INTO public.item SELECT n, ARRAY[n, n / 2, n % 7]::vector, decode(lpad(to_hex(n), 8, '0'), 'hex')
    FROM generate_series(1, 200) AS n;
CREATE INDEX ON public.item USING hnsw (embedding vector_l2_ops);
GRANT CREATE ON SCHEMA public TO team_lead;
CREATE TABLE public.team_note (note text);
ALTER TABLE public.team_note OWNER TO team_lead;
SELECT lo_from_bytea(70001, decode(repeat('00ff', 4000), 'hex')), lo_from_bytea(70002, 'small');
ALTER LARGE OBJECT 70001 OWNER TO app_owner;
GRANT SELECT ON LARGE OBJECT 70001 TO app;
COMMENT ON LARGE OBJECT 70002 IS 'a small one';
"""

SHOP_PROPERTIES = """
ALTER DATABASE shop SET default_transaction_read_only = on;
ALTER DATABASE shop SET statement_timeout = '90s';
ALTER DATABASE shop CONNECTION LIMIT 40;
ALTER ROLE app IN DATABASE shop SET work_mem = '33MB';
REVOKE CONNECT, TEMPORARY ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO app;
COMMENT ON DATABASE shop IS 'the shop''s data';
"""

ODD_SQL = """
CREATE TABLE public.ledger (id int PRIMARY KEY, amount numeric);
INSERT INTO public.ledger SELECT n, n * 0.01 FROM generate_series(1, 300) AS n;
"""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def run(url: str, database: str, sql: str) -> None:
    with psycopg.connect(url, dbname=database, autocommit=True) as connection:
        connection.execute(sql.encode())


def seed(url: str) -> None:
    """Fill a fresh cluster; `url` names a superuser."""
    run(url, "postgres", ROLES)
    run(url, "postgres", "CREATE DATABASE shop OWNER app_owner TEMPLATE template0")
    run(
        url,
        "postgres",
        f"CREATE DATABASE {quoted(ODD_DATABASE)} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'",
    )
    run(url, "postgres", f"ALTER DATABASE {quoted(ODD_DATABASE)} OWNER TO app")
    run(url, "postgres", f"CREATE DATABASE {quoted(EMPTY_DATABASE)} OWNER auditor TEMPLATE template0")
    run(url, SHOP, SHOP_SQL)
    run(url, ODD_DATABASE, ODD_SQL)
    run(url, "postgres", SHOP_PROPERTIES)
