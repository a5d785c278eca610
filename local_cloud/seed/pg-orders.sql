-- The server pg-orders: what a shop's server looks like after some years, with one of everything that a backup must
-- bring back. Runs once, in psql, as superuser, on an empty server. The same data every time.

SET client_min_messages = warning;

-- Roles -------------------------------------------------------------------------------------------------------------

CREATE ROLE shop_owner NOLOGIN;
CREATE ROLE shop_read NOLOGIN;
CREATE ROLE shop_write NOLOGIN;
GRANT shop_read TO shop_write;
CREATE ROLE shop_app LOGIN PASSWORD 'local-only-1' CONNECTION LIMIT 20;
GRANT shop_write TO shop_app;
CREATE ROLE "Ana Lytics" LOGIN PASSWORD 'local-only-2' VALID UNTIL '2031-01-01 00:00:00+00';
GRANT shop_read TO "Ana Lytics" WITH INHERIT TRUE, SET FALSE;
CREATE ROLE auditor LOGIN BYPASSRLS PASSWORD 'local-only-3';
CREATE ROLE deployer LOGIN CREATEDB CREATEROLE PASSWORD 'local-only-4';
GRANT shop_owner TO deployer WITH ADMIN OPTION;
CREATE ROLE größe LOGIN CONNECTION LIMIT 0;
COMMENT ON ROLE auditor IS 'reads every row, also those hidden by policies';
ALTER ROLE shop_app SET search_path = shop, public;
ALTER ROLE shop_app SET statement_timeout = '30s';
ALTER ROLE "Ana Lytics" SET default_transaction_read_only = on;

-- Databases ---------------------------------------------------------------------------------------------------------

CREATE DATABASE orders OWNER shop_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' CONNECTION LIMIT 50;
COMMENT ON DATABASE orders IS 'the shop''s orders';
ALTER DATABASE orders SET timezone = 'Europe/Berlin';
ALTER DATABASE orders SET work_mem = '8MB';
ALTER ROLE auditor IN DATABASE orders SET row_security = off;
REVOKE CONNECT, TEMPORARY ON DATABASE orders FROM PUBLIC;
GRANT CONNECT ON DATABASE orders TO shop_read, auditor;
GRANT CREATE, TEMPORARY ON DATABASE orders TO shop_write WITH GRANT OPTION;

CREATE DATABASE "Kunden ""Süd"" 'alt'" OWNER deployer TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';

-- orders ------------------------------------------------------------------------------------------------------------

\connect orders
SET client_min_messages = warning;
SET timezone = 'UTC';

CREATE EXTENSION vector;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE SCHEMA billing AUTHORIZATION shop_owner;
CREATE SCHEMA "Logistik & Lager" AUTHORIZATION shop_owner;
COMMENT ON SCHEMA shop IS 'what customers see';

SET ROLE shop_owner;
SET search_path = shop;

CREATE TYPE order_state AS ENUM ('new', 'paid', 'shipped', 'returned');
CREATE DOMAIN email AS text CHECK (VALUE ~ '^[^@ ]+@[^@ ]+$');

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email email NOT NULL UNIQUE,
    region text NOT NULL,
    joined_at timestamptz NOT NULL,
    notes jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE customers IS 'people who bought something, Ärger inbegriffen';
COMMENT ON COLUMN customers.notes IS 'free-form';

CREATE TABLE products (
    sku text PRIMARY KEY,
    title text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price >= 0),
    tax_rate numeric(4, 3) NOT NULL DEFAULT 0.190,
    gross_price numeric(12, 2) GENERATED ALWAYS AS (round(price * (1 + tax_rate), 2)) STORED,
    tags text[] NOT NULL DEFAULT '{}',
    embedding public.vector(3)
);

CREATE SEQUENCE order_numbers START 1 CACHE 1;
CREATE TABLE orders (
    id bigint PRIMARY KEY DEFAULT nextval('order_numbers'),
    customer_id bigint NOT NULL REFERENCES customers (id),
    state order_state NOT NULL DEFAULT 'new',
    placed_at timestamptz NOT NULL,
    total numeric(12, 2) NOT NULL DEFAULT 0
);
ALTER SEQUENCE order_numbers OWNED BY orders.id;

CREATE TABLE order_lines (
    order_id bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    line smallint NOT NULL,
    sku text NOT NULL REFERENCES products (sku) DEFERRABLE INITIALLY DEFERRED,
    quantity integer NOT NULL CHECK (quantity > 0),
    price numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE never_used (id integer PRIMARY KEY, remark text);

INSERT INTO customers (name, email, region, joined_at, notes)
SELECT (ARRAY['Zoë Ångström', 'Иван Петров', '山田 花子', 'O''Brien, Pat', 'María-José Núñez', 'Łukasz Żak'])[1 + n % 6] || ' ' || n,
       'kunde' || n || '@shop.example', (ARRAY['nord', 'süd', 'ost', 'west'])[1 + n % 4],
       timestamptz '2021-01-01 08:00+00' + n * interval '13 hours',
       jsonb_build_object('visits', n % 97, 'emoji', chr(128512 + n % 40))
FROM generate_series(1, 2000) AS n;

INSERT INTO products (sku, title, price, tags, embedding)
SELECT 'SKU-' || lpad(n::text, 5, '0'), 'Artikel № ' || n, n % 500 + 0.99, ARRAY['t' || n % 7, 'größe ' || n % 5],
       ('[' || n % 10 || ',' || n % 20 || ',' || n % 30 || ']')::public.vector
FROM generate_series(1, 500) AS n;

INSERT INTO orders (customer_id, state, placed_at)
SELECT 1 + n * 7 % 2000, (enum_range(NULL::order_state))[1 + n % 4], timestamptz '2024-01-01 00:00+00' + n * interval '97 minutes'
FROM generate_series(1, 6000) AS n;

INSERT INTO order_lines
SELECT o.id, line, 'SKU-' || lpad((1 + (o.id * line) % 500)::text, 5, '0'), 1 + (o.id + line) % 4, (o.id * line) % 500 + 0.99
FROM orders AS o CROSS JOIN generate_series(1, 3) AS line;

UPDATE orders AS o SET total = sums.total
FROM (SELECT order_id, sum(quantity * price) AS total FROM order_lines GROUP BY order_id) AS sums
WHERE sums.order_id = o.id;

-- Behind its table, as after an import with explicit ids: a restore must bring the sequence back as it was, not mended.
INSERT INTO orders (id, customer_id, placed_at) VALUES (7001, 1, '2024-12-24 18:00+00');
SELECT setval('order_numbers', 6500, true) \g /dev/null

CREATE INDEX orders_of_customer ON orders (customer_id, placed_at DESC);
CREATE INDEX orders_open ON orders (placed_at) WHERE state = 'new';
CREATE INDEX customers_by_name ON customers (lower(name));
CREATE INDEX customers_by_note ON customers USING gin (notes);
CREATE INDEX products_near ON products USING hnsw (embedding public.vector_l2_ops);

CREATE FUNCTION total_of(customer bigint) RETURNS numeric LANGUAGE sql STABLE
    AS $$ SELECT coalesce(sum(total), 0) FROM shop.orders WHERE customer_id = customer $$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.notes := NEW.notes || jsonb_build_object('touched', true);
    RETURN NEW;
END $$;
CREATE TRIGGER customers_touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();

CREATE VIEW open_orders AS SELECT o.id, c.name, o.total FROM orders AS o JOIN customers AS c ON c.id = o.customer_id WHERE o.state = 'new';
CREATE MATERIALIZED VIEW sales_by_month AS
    SELECT date_trunc('month', placed_at AT TIME ZONE 'UTC') AS month, count(*) AS orders, sum(total) AS total FROM orders GROUP BY 1;
CREATE UNIQUE INDEX sales_by_month_key ON sales_by_month (month);

ALTER TABLE customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_region ON customers FOR SELECT TO shop_read USING (region = current_setting('shop.region', true));

-- Partitions, in another schema, with a name that needs quotes.
CREATE TABLE billing.invoices (
    id uuid NOT NULL,
    order_id bigint NOT NULL REFERENCES orders (id),
    issued_on date NOT NULL,
    amount numeric(12, 2) NOT NULL,
    PRIMARY KEY (id, issued_on)
) PARTITION BY RANGE (issued_on);
CREATE TABLE billing.invoices_2024 PARTITION OF billing.invoices FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE billing."invoices 2025+" PARTITION OF billing.invoices FOR VALUES FROM ('2025-01-01') TO (MAXVALUE);
INSERT INTO billing.invoices
SELECT md5('invoice ' || id)::uuid, id, (placed_at AT TIME ZONE 'UTC')::date, total FROM orders WHERE id % 2 = 0;

CREATE TABLE "Logistik & Lager"."Fächer" ("Fach-Nr." integer PRIMARY KEY, "größe" text, sku text REFERENCES products (sku), "Maß" int4range);
INSERT INTO "Logistik & Lager"."Fächer" SELECT n, 'Größe ' || n % 3, 'SKU-' || lpad(n::text, 5, '0'), int4range(n, n + 10) FROM generate_series(1, 300) AS n;
CREATE TABLE "Logistik & Lager".photos (sku text PRIMARY KEY REFERENCES products (sku), picture bytea NOT NULL);
INSERT INTO "Logistik & Lager".photos
SELECT 'SKU-' || lpad(n::text, 5, '0'), (SELECT decode(string_agg(md5(n || '-' || part), ''), 'hex') FROM generate_series(1, 300) AS part)
FROM generate_series(1, 200) AS n;

GRANT USAGE ON SCHEMA shop, billing TO shop_read;
GRANT SELECT ON ALL TABLES IN SCHEMA shop, billing TO shop_read;
GRANT INSERT, UPDATE, DELETE ON orders, order_lines TO shop_write;
GRANT UPDATE (state) ON orders TO "Ana Lytics";
GRANT USAGE ON SEQUENCE order_numbers TO shop_write;
REVOKE EXECUTE ON FUNCTION total_of(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION total_of(bigint) TO shop_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO shop_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT USAGE ON SEQUENCES TO shop_write;

SELECT lo_from_bytea(0, decode(repeat('464c4558', 20000), 'hex')) AS contract \gset
COMMENT ON LARGE OBJECT :contract IS 'the lease, scanned';
GRANT SELECT ON LARGE OBJECT :contract TO shop_read;
CREATE TABLE billing.contracts (title text PRIMARY KEY, scan oid NOT NULL);
INSERT INTO billing.contracts VALUES ('lease', :contract);
RESET ROLE;

-- The second database -----------------------------------------------------------------------------------------------

\connect "Kunden ""Süd"" 'alt'"
SET client_min_messages = warning;
SET ROLE deployer;
CREATE SCHEMA archiv;
CREATE TABLE archiv.kunden (nr serial PRIMARY KEY, name text NOT NULL, seit date);
INSERT INTO archiv.kunden (name, seit) SELECT 'Müller ' || n, date '1999-12-31' + n FROM generate_series(1, 400) AS n;
GRANT USAGE ON SCHEMA archiv TO "größe";
GRANT SELECT ON archiv.kunden TO "größe";
RESET ROLE;
