"""Functions that find their tables and functions by the application's search_path, which pg_restore empties."""

from tests.rebuild.corpus.model import Check, Database, Source

PATHS, CHECK_READS = "paths", "check_reads_table"

_SQL = """
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE app.rates (code text PRIMARY KEY, rate numeric NOT NULL);
INSERT INTO app.rates VALUES ('a', 1.5), ('b', 2);
CREATE FUNCTION app.clean(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT lower(trim($1)) $$;
-- It calls another function without naming its schema.
CREATE FUNCTION app.normal(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT clean($1) || '!' $$;
CREATE FUNCTION app.normal_pl(v text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN clean(v) || '?'; END $$;
CREATE FUNCTION app.is_fine(v text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN normal(v) <> ''; END $$;
CREATE FUNCTION app.rate_of(v text) RETURNS numeric LANGUAGE plpgsql STABLE
    AS $$ DECLARE found_rate numeric; BEGIN SELECT rate INTO STRICT found_rate FROM rates WHERE code = v; RETURN found_rate; END $$;
CREATE DOMAIN app.fine AS text CHECK (is_fine(VALUE));
CREATE TABLE app.generated (id int PRIMARY KEY, v text, n text GENERATED ALWAYS AS (normal_pl(v)) STORED);
INSERT INTO app.generated (id, v) SELECT n, ' V ' || n FROM generate_series(1, 40) AS n;
CREATE TABLE app.checked (id int PRIMARY KEY, v text CHECK (is_fine(v)));
INSERT INTO app.checked SELECT n, 'v' || n FROM generate_series(1, 30) AS n;
CREATE TABLE app.indexed (id int PRIMARY KEY, v text);
-- 17 and newer fill an index that exists by the session's search_path, but build one by a restricted path.
CREATE INDEX indexed_normal ON app.indexed (normal_pl(v));
CREATE UNIQUE INDEX indexed_unique ON app.indexed (normal_pl(v || '.'));
INSERT INTO app.indexed SELECT n, ' V ' || n FROM generate_series(1, 20) AS n;
CREATE TABLE app.of_domain (id int PRIMARY KEY, v app.fine);
INSERT INTO app.of_domain SELECT n, 'v' || n FROM generate_series(1, 10) AS n;
CREATE TABLE app.parted (v text, id int) PARTITION BY LIST ((normal_pl(v)));
CREATE TABLE app.parted_a PARTITION OF app.parted FOR VALUES IN ('a?');
CREATE TABLE app.parted_rest PARTITION OF app.parted DEFAULT;
INSERT INTO app.parted VALUES (' A', 1), ('b', 2), ('c', 3);
CREATE TABLE app.excluded (v text, during int4range, EXCLUDE USING gist (during WITH &&) WHERE (is_fine(v)));
INSERT INTO app.excluded VALUES ('v', '[1,5)'), ('v', '[5,9)');
CREATE TABLE app.with_default (id int, v text DEFAULT normal_pl('X'));
CREATE VIEW app.shown AS SELECT id, normal_pl(v) AS v FROM app.indexed;
CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.v := clean(NEW.v); RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON app.indexed FOR EACH ROW EXECUTE FUNCTION stamp();
-- Found through public, which is in everybody's path but pg_restore's.
CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION public.thrice(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN twice(n) + n; END $$;
CREATE TABLE public.tripled (n int, t int GENERATED ALWAYS AS (thrice(n)) STORED);
INSERT INTO public.tripled (n) SELECT generate_series(1, 25);
"""
_SQL_OF_16 = """
SET search_path = app, public;
CREATE MATERIALIZED VIEW app.priced AS
    SELECT id, rate_of(CASE WHEN id % 2 = 0 THEN 'a' ELSE 'b' END) AS rate FROM app.indexed;
CREATE UNIQUE INDEX ON app.priced (id);
"""

_CHECK_READS = """
CREATE TABLE public.zone (id int PRIMARY KEY);
INSERT INTO public.zone SELECT generate_series(1, 5);
CREATE FUNCTION public.zone_exists(wanted int) RETURNS boolean LANGUAGE plpgsql
    AS $$ BEGIN RETURN EXISTS (SELECT FROM public.zone WHERE id = wanted); END $$;
CREATE TABLE public.address (id int PRIMARY KEY, zone int CHECK (public.zone_exists(zone)));
INSERT INTO public.address SELECT n, 1 + n % 5 FROM generate_series(1, 60) AS n;
"""


def _rows(table: str, expected: str, what: str, columns: str = "count(*)") -> Check:
    return Check(what=what, database=PATHS, sql=f"SELECT {columns} FROM {table}", expected=expected)


SEARCH_PATHS = Source(
    name="search_paths",
    databases=(Database(name=PATHS, sql=_SQL, sql_of_16=_SQL_OF_16),),
    after=f"ALTER DATABASE {PATHS} SET search_path TO app, public;",
    checks=(
        _rows("app.generated", "40|v 9?", "rows of a table with a generated column", "count(*), max(n)"),
        _rows("app.checked", "30", "rows of a table whose CHECK calls a function"),
        _rows("app.indexed", "20", "rows of a table with indexes on functions"),
        Check(
            what="indexes on functions",
            database=PATHS,
            sql="SELECT relname, indisvalid, indisunique FROM pg_index JOIN pg_class ON oid = indexrelid "
            "WHERE indrelid = 'app.indexed'::regclass AND NOT indisprimary ORDER BY 1",
            expected="indexed_normal|t|f\nindexed_unique|t|t",
            lost_since_17="indexed_normal … refused",
        ),
        _rows("app.of_domain", "10", "rows of a table with a domain whose CHECK calls a function"),
        _rows("app.parted_a", "1|1", "rows in the right partition of an expression key", "count(*), max(id)"),
        _rows("app.parted", "3", "rows of all partitions of an expression key"),
        _rows("app.excluded", "2", "rows of a table whose exclusion constraint calls a function"),
        Check(
            what="an exclusion constraint that calls a function",
            database=PATHS,
            sql="SELECT count(*) FROM pg_constraint WHERE conrelid = 'app.excluded'::regclass AND contype = 'x'",
            expected="1",
            lost_since_17="excluded … refused",
        ),
        Check(
            what="a materialised view whose function reads a table",
            database=PATHS,
            sql="SELECT count(*), sum(rate) FROM app.priced",
            expected="20|35.0",
            lost_since_17="priced … refused",
            majors=frozenset({16}),
        ),
        _rows("public.tripled", "25|975", "rows of a generated column found through public", "count(*), sum(t)"),
        Check(
            what="a default, a view and a trigger that call functions",
            database=PATHS,
            sql="""SELECT (SELECT count(*) FROM app.shown), (SELECT count(*) FROM pg_trigger WHERE tgname = 'stamp'),
                (SELECT count(*) FROM pg_attrdef WHERE adrelid = 'app.with_default'::regclass)""",
            expected="20|1|1",
        ),
    ),
)

CHECKS_THAT_READ = Source(
    name="checks_that_read",
    databases=(Database(name=CHECK_READS, sql=_CHECK_READS),),
    checks=(
        Check(
            what="rows of a table whose CHECK reads a table that comes later",
            database=CHECK_READS,
            sql="SELECT (SELECT count(*) FROM address), (SELECT count(*) FROM zone)",
            expected="60|5",
        ),
    ),
)
