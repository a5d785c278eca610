"""Types, functions, operators, casts, rules, triggers, views, text search: code that lives in a database."""

from tests.rebuild.corpus.model import Check, Database, Source

CODE = "code"

_SQL = r"""
CREATE SCHEMA code;
SET search_path = code;
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
BEGIN; ALTER TYPE mood ADD VALUE 'in between' BEFORE 'happy'; COMMIT;
CREATE TYPE pair AS (a int, b text COLLATE "C");
CREATE DOMAIN mail AS text DEFAULT 'x@y' NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE DOMAIN moods AS mood[] CHECK (array_length(VALUE, 1) < 9);
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE FUNCTION add_up(variadic numbers int[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT sum(n) FROM unnest(numbers) AS n';
CREATE FUNCTION standard(a int, b int DEFAULT 5) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a + b; END;
CREATE FUNCTION looped(n int, OUT doubled int, OUT note text) LANGUAGE plpgsql COST 500 SET work_mem = '8MB'
    SET search_path = code, pg_temp AS $fn$ BEGIN doubled := n * 2; note := $q$it's$q$; END $fn$;
CREATE FUNCTION many() RETURNS TABLE (x int, y text) LANGUAGE plpgsql ROWS 7 AS $$ BEGIN RETURN QUERY SELECT 1, 'one'; END $$;
CREATE PROCEDURE note_it(INOUT v text) LANGUAGE plpgsql AS $$ BEGIN v := v || '!'; END $$;
CREATE AGGREGATE longest(text) (SFUNC = text_larger, STYPE = text);
CREATE FUNCTION mood_to_int(mood) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 'sad' THEN 0 ELSE 1 END $$;
CREATE CAST (mood AS int) WITH FUNCTION mood_to_int(mood) AS ASSIGNMENT;
CREATE FUNCTION same(pair, pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.a = $2.a';
CREATE OPERATOR === (LEFTARG = pair, RIGHTARG = pair, FUNCTION = same, COMMUTATOR = ===);
CREATE COLLATION c_like FROM "C";
CREATE TEXT SEARCH DICTIONARY plain_words (TEMPLATE = pg_catalog.simple, STOPWORDS = english);
CREATE TEXT SEARCH CONFIGURATION words (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH plain_words;
CREATE TABLE thing (id int PRIMARY KEY, m mood DEFAULT 'happy', p pair, ms moods, s span, mail mail, many mood[][],
    r int4multirange, words tsvector GENERATED ALWAYS AS (to_tsvector('code.words', coalesce(mail::text, ''))) STORED,
    price int DEFAULT add_up(1, 2, 3), collated text COLLATE c_like);
INSERT INTO thing (id, m, p, ms, s, mail, many, r, collated)
    SELECT n, 'in between', ROW(n, 'b, "(' || n)::pair, ARRAY['sad', 'it''s ok']::mood[], span(n, n + 0.5), 'the fox@' || n,
        '{{sad,happy}}', '{[1,3),[5,9)}', 'c' FROM generate_series(1, 30) AS n;
CREATE INDEX ON thing USING gin (words);
CREATE INDEX ON thing USING gist (s);
CREATE TABLE log (id int, what text);
CREATE VIEW simple AS SELECT id, m, mail FROM thing WHERE id > 10;
CREATE RULE simple_delete AS ON DELETE TO simple DO INSTEAD INSERT INTO code.log VALUES (OLD.id, 'rule');
CREATE RECURSIVE VIEW numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10;
CREATE VIEW of_view AS SELECT count(*) AS c, sum(n) AS s FROM numbers;
CREATE MATERIALIZED VIEW filled AS SELECT c FROM of_view;
CREATE MATERIALIZED VIEW of_filled AS SELECT c + 1 AS c FROM filled;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS n WITH NO DATA;
CREATE VIEW grouped AS SELECT id, m, mail FROM thing GROUP BY id;
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO code.log VALUES (NEW.id, TG_NAME); RETURN NEW; END $$;
CREATE TRIGGER on_insert AFTER INSERT ON thing FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION noted('arg', '\');
CREATE TRIGGER is_off BEFORE UPDATE OF m ON thing FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TRIGGER of_replica AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION noted();
CREATE TRIGGER of_always AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION noted();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noted();
CREATE FUNCTION all_new() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER of_statement AFTER INSERT ON thing REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION all_new();
ALTER TABLE thing DISABLE TRIGGER is_off, ENABLE REPLICA TRIGGER of_replica, ENABLE ALWAYS TRIGGER of_always;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER on_view INSTEAD OF INSERT ON simple FOR EACH ROW EXECUTE FUNCTION instead();
COMMENT ON FUNCTION looped(int) IS E'first\n\\! touch pwned\n''last''';
COMMENT ON TRIGGER is_off ON thing IS 'it is off';
COMMENT ON CONSTRAINT has_at ON DOMAIN mail IS 'needs @';
"""
_AS_SUPERUSER = """
SET search_path = code;
CREATE FUNCTION internal_abs(int) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'int4abs';
ALTER FUNCTION internal_abs(int) OWNER TO flexadmin;
CREATE FUNCTION in_c() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE OPERATOR FAMILY own_family USING btree;
CREATE OPERATOR CLASS own_class FOR TYPE int4 USING btree FAMILY own_family AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4, int4);
CREATE TYPE shell_type;
CREATE CAST (bigint AS mail) WITH INOUT;
CREATE ACCESS METHOD own_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE public.of_own_heap (n int) USING own_heap;
INSERT INTO public.of_own_heap SELECT generate_series(1, 6);
"""


def _asked(what: str, sql: str, expected: str, lost: str = "") -> Check:
    return Check(what=what, database=CODE, sql=sql, expected=expected, lost=lost)


CODE_SOURCE = Source(
    name="code",
    databases=(Database(name=CODE, sql=_SQL, as_superuser=_AS_SUPERUSER),),
    checks=(
        _asked(
            "rows with enums, composites, domains, ranges, arrays",
            "SELECT count(*), max(p::text), max(ms::text), max(s::text), max(many::text), max(r::text) FROM code.thing",
            '30|(9,"b, ""(9")|{sad,"it\'s ok"}|[9,9.5)|{{sad,happy}}|{[1,3),[5,9)}',
        ),
        _asked(
            "an enum's labels in order",
            "SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum",
            "sad,it's ok,in between,happy",
        ),
        _asked(
            "domains with their constraints and comments",
            "SELECT typdefault, typnotnull, pg_get_constraintdef(c.oid), obj_description(c.oid) FROM pg_type AS t "
            "JOIN pg_constraint AS c ON c.contypid = t.oid AND c.contype = 'c' WHERE typname = 'mail'",
            "'x@y'::text|t|CHECK ((VALUE ~~ '%@%'::text))|needs @",
        ),
        _asked(
            "functions in SQL and PL/pgSQL answer as before",
            "SELECT code.add_up(1, 2), code.standard(1), (code.looped(4)).*, (SELECT y FROM code.many())",
            "3|6|8|it's|one",
        ),
        _asked(
            "settings, cost and comment of a function",
            "SELECT procost, proconfig, obj_description(oid) = E'first\\n\\\\! touch pwned\\n''last''' FROM pg_proc WHERE proname = 'looped'",
            '500|{work_mem=8MB,"search_path=code, pg_temp"}|t',
        ),
        _asked(
            "a procedure, an aggregate, a cast and an operator",
            "SELECT (SELECT prokind FROM pg_proc WHERE proname = 'note_it'), code.longest(v), 'sad'::code.mood::int, "
            "ROW(1, 'x')::code.pair OPERATOR(code.===) ROW(1, 'y')::code.pair FROM unnest(ARRAY['a', 'c', 'b']) AS v",
            "p|c|0|t",
        ),
        _asked(
            "text search with an own configuration and dictionary",
            "SELECT words FROM code.thing WHERE id = 3",
            "'3':3 'fox':2",
        ),
        _asked(
            "views, recursive and grouped by a key",
            "SELECT c, s, (SELECT count(*) FROM code.simple), (SELECT count(*) FROM code.grouped) FROM code.of_view",
            "10|55|20|30",
        ),
        _asked(
            "materialised views, of one another and not filled",
            "SELECT matviewname, ispopulated FROM pg_matviews ORDER BY 1",
            "filled|t\nof_filled|t\nunfilled|f",
        ),
        _asked("what a materialised view holds", "SELECT c FROM code.of_filled", "11"),
        _asked("a rule", "SELECT ev_type, is_instead FROM pg_rewrite WHERE rulename = 'simple_delete'", "4|t"),
        _asked(
            "triggers, disabled, of replicas, always, deferred",
            "SELECT tgname, tgenabled, tgdeferrable, tgnargs FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1",
            "deferred|O|t|0\nis_off|D|f|0\nof_always|A|f|0\nof_replica|R|f|0\nof_statement|O|f|0\non_insert|O|f|2\non_view|O|f|0",
        ),
        _asked("no trigger fired during the restore", "SELECT count(*) FROM code.log", "0"),
        _asked(
            "a default that calls a variadic function",
            "SELECT sum(price), count(*) FROM code.thing WHERE collated = 'c'",
            "180|30",
        ),
        _asked(
            "a function in language internal",
            "SELECT count(*) FROM pg_proc WHERE proname = 'internal_abs'",
            "1",
            lost="internal_abs … refused",
        ),
        _asked(
            "a function in C",
            "SELECT probin FROM pg_proc WHERE proname = 'in_c'",
            "$libdir/plpgsql",
            lost="in_c() … refused",
        ),
        _asked(
            "an operator class",
            "SELECT opcname FROM pg_opclass WHERE opcname = 'own_class'",
            "own_class",
            lost="own_class … refused",
        ),
        _asked(
            "an access method",
            "SELECT amname FROM pg_am WHERE amname = 'own_heap'",
            "own_heap",
            lost="access method own_heap … refused",
        ),
        _asked(
            "a cast without a function",
            "SELECT castmethod FROM pg_cast WHERE casttarget = 'code.mail'::regtype",
            "i",
        ),
        _asked("rows of a table with an own access method", "SELECT count(*) FROM of_own_heap", "6"),
    ),
)
