"""Values that a careless way through text would change."""

import hashlib

from tests.rebuild.corpus.model import Check, Database, Source

DATA = "values"
LONG_LINE = 3_000_000

_SQL = rf"""
CREATE TABLE copy_traps (id int PRIMARY KEY, v text, w text);
INSERT INTO copy_traps VALUES (1, E'\\.', E'\\.\n'), (2, '', NULL), (3, NULL, ''), (4, '\N', 'NULL'), (5, E'tab\there', E'\t'),
    (6, E'new\nline', E'\n'), (7, E'carriage\rreturn', E'\r\n'), (8, E'back\\slash', E'\\'), (9, ' ', '  x  '),
    (10, E'\\! touch pwned', E'\n\\! touch pwned\n\\.\n'), (11, E'\b\f\x0b\x01\x7f', E'\u200b'), (12, 'ünï日本🐘', E'\U0010FFFF'),
    (13, '$$', ':v'), (14, E'''quoted''', '"'), (15, repeat('x', {LONG_LINE}), NULL);
CREATE TABLE only_end (v text);
INSERT INTO only_end VALUES (E'\\.');
CREATE TABLE only_empty (v text);
INSERT INTO only_empty VALUES (''), (NULL), ('');
CREATE TABLE numbers (id int PRIMARY KEY, f4 real, f8 double precision, n numeric, m money, b bytea, bits bit varying);
INSERT INTO numbers VALUES (1, 0.1, 0.1, 0.1, 1234.56, '\x00ff0a5c2e', B'10101'), (2, 'NaN', 'Infinity', 'NaN', -0.01, '', B''),
    (3, '-0', '-Infinity', 'Infinity', 92233720368547758.07, '\x5c2e0a', NULL), (4, 3.4028235e38, 2.2250738585072014e-308, 1e-30, 0, decode(repeat('5c', 4000), 'hex'), B'1'),
    (5, 1.17549435e-38, 1.7976931348623157e308, 123456789012345678901234567890.123456789, 0, NULL, B'0'), (6, 1::real / 3, 1::float8 / 3, 1.10, 0, '\x', B'0');
CREATE TABLE times (id int PRIMARY KEY, ts timestamp, tz timestamptz, d date, t time, ttz timetz, i interval);
INSERT INTO times VALUES
    (1, '2026-03-29 02:30:00.123456', '2026-10-25 02:30:00.000001+02', '0044-03-15 BC', '24:00', '12:00:00.5+05:30', '1 year 2 mons -3 days 04:05:06.789'),
    (2, 'infinity', '-infinity', 'infinity', '00:00', '00:00+15:59', '-1 mons +1 day -00:00:00.000001'),
    (3, '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00', '5874897-12-31', '23:59:59.999999', '23:59:59-15:59', '178000000 years');
CREATE TABLE structured (id int PRIMARY KEY, j json, jb jsonb, x text[], a int[], h inet, c cidr, m macaddr, u uuid, p point, po polygon, q tsquery, xid8 xid8, l pg_lsn);
INSERT INTO structured VALUES (1, '{{"b": 1,  "a": "\u00e9\n", "b": 2}}', '{{"b": 1e400, "a": [null, "\\"]}}', ARRAY['', NULL, '"', '\', 'a,b', '{{}}', 'NULL'],
    '[0:1][5:6]={{{{1,2}},{{3,4}}}}', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '12345678-1234-1234-1234-123456789abc', '(0.1,1e-300)', '((0,0),(1,1),(1,0))',
    '''it''''s'' & !x:*', '123456789012', '16/B374D848');
"""
_SETTINGS = """
ALTER DATABASE "values" SET timezone TO 'Asia/Kathmandu';
ALTER DATABASE "values" SET datestyle TO 'SQL, DMY';
ALTER DATABASE "values" SET intervalstyle TO 'iso_8601';
ALTER DATABASE "values" SET extra_float_digits TO -15;
ALTER DATABASE "values" SET bytea_output TO 'escape';
"""

_PLAIN = "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3; SET bytea_output = 'hex'; "


def _asked(what: str, sql: str, expected: str) -> Check:
    return Check(what=what, database=DATA, sql=_PLAIN + sql, expected=expected)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


DATA_SOURCE = Source(
    name="data",
    databases=(Database(name=DATA, sql=_SQL),),
    after=_SETTINGS,
    checks=(
        _asked("a row of nothing but COPY's end mark", r"SELECT v = E'\\.', count(*) OVER () FROM only_end", "t|1"),
        _asked("empty texts and NULLs", "SELECT count(*), count(v), count(nullif(v, '')) FROM only_empty", "3|2|0"),
        _asked(
            "texts that COPY has marks for",
            "SELECT id, encode(convert_to(v, 'UTF8'), 'hex'), encode(convert_to(w, 'UTF8'), 'hex') FROM copy_traps WHERE id IN (1, 2, 3, 4, 5, 6, 7, 8, 10) ORDER BY 1",
            "1|5c2e|5c2e0a\n2||NULL\n3|NULL|\n4|5c4e|4e554c4c\n5|7461620968657265|09\n6|6e65770a6c696e65|0a\n"
            "7|63617272696167650d72657475726e|0d0a\n8|6261636b5c736c617368|5c\n"
            "10|5c2120746f7563682070776e6564|0a5c2120746f7563682070776e65640a5c2e0a",
        ),
        _asked(
            "control characters and rare ones",
            r"SELECT v = E'\b\f\x0b\x01\x7f', w = E'\u200b', (SELECT v = 'ünï日本🐘' AND w = E'\U0010FFFF' FROM copy_traps WHERE id = 12) FROM copy_traps WHERE id = 11",
            "t|t|t",
        ),
        _asked(
            "a line of three million characters",
            "SELECT length(v), md5(v) FROM copy_traps WHERE id = 15",
            f"{LONG_LINE}|{_md5('x' * LONG_LINE)}",
        ),
        _asked(
            "floats to the last bit",
            "SELECT f4, f8 FROM numbers ORDER BY id",
            "0.1|0.1\nNaN|Infinity\n-0|-Infinity\n3.4028235e+38|2.2250738585072014e-308\n"
            "1.1754944e-38|1.7976931348623157e+308\n0.33333334|0.3333333333333333",
        ),
        _asked(
            "numerics with their scale",
            "SELECT n FROM numbers ORDER BY id",
            "0.1\nNaN\nInfinity\n0.000000000000000000000000000001\n123456789012345678901234567890.123456789\n1.10",
        ),
        _asked(
            "money", "SELECT m::numeric FROM numbers WHERE id < 4 ORDER BY id", "1234.56\n-0.01\n92233720368547758.07"
        ),
        _asked(
            "bytea and bits",
            "SELECT encode(b, 'hex'), bits FROM numbers WHERE id IN (1, 2, 3) ORDER BY id",
            "00ff0a5c2e|10101\n|\n5c2e0a|NULL",
        ),
        _asked(
            "timestamps and dates to their limits",
            "SELECT ts, tz, d FROM times ORDER BY id",
            "2026-03-29 02:30:00.123456|2026-10-25 00:30:00.000001+00|0044-03-15 BC\ninfinity|-infinity|infinity\n"
            "4713-01-01 00:00:00 BC|294276-12-31 23:59:59.999999+00|5874897-12-31",
        ),
        _asked(
            "times and intervals",
            "SELECT t, ttz, i FROM times ORDER BY id",
            "24:00:00|12:00:00.5+05:30|1 year 2 mons -3 days +04:05:06.789\n00:00:00|00:00:00+15:59|-1 mons +1 day -00:00:00.000001\n"
            "23:59:59.999999|23:59:59-15:59|178000000 years",
        ),
        _asked(
            "json as it was written and jsonb",
            """SELECT j::text = E'{"b": 1,  "a": "\\\\u00e9\\\\n", "b": 2}', jb->'a', length(jb::text) FROM structured""",
            't|[null, "\\\\"]|427',
        ),
        _asked(
            "arrays with bounds, quotes and NULLs",
            "SELECT x, a FROM structured",
            '{"",NULL,"\\"","\\\\","a,b","{}","NULL"}|[0:1][5:6]={{1,2},{3,4}}',
        ),
        _asked(
            "addresses, shapes and others",
            "SELECT h, c, m, u, p, po, q, xid8, l FROM structured",
            "::1/64|10.0.0.0/8|08:00:2b:01:02:03|12345678-1234-1234-1234-123456789abc|(0.1,1e-300)|((0,0),(1,1),(1,0))|"
            "'it''s' & !'x':*|123456789012|16/B374D848",
        ),
    ),
)
