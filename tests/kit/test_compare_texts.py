"""Texts that say the same in other words are equal, and only those."""

import pytest

from flexvault.domain.sql_text import statements
from flexvault.kit.compare_facts import compare_facts
from flexvault.kit.comparison import Comparison, Facts, Named, Tally
from flexvault.kit.definition_text import same_definition
from flexvault.kit.dump_definitions import rights
from flexvault.kit.role_facts import role_facts
from flexvault.kit.row_streams import copy_to_stdout

VARCHAR_LIST = "CHECK (((s)::text = ANY ((ARRAY['a'::character varying, 'b,]('::character varying])::text[])))"

SAME = {
    "same": ("SELECT 1", "SELECT 1"),
    "white_space": ("SELECT a\n   FROM t;", "SELECT a FROM t ;"),
    "cast_list": (
        VARCHAR_LIST,
        "CHECK (((s)::text = ANY (ARRAY[('a'::character varying)::text, ('b,]('::character varying)::text])))",
    ),
    "cast_of_one": ("(ARRAY['a'::character varying])::text[]", "ARRAY[('a'::character varying)::text]"),
    "only": (
        "ALTER FOREIGN TABLE t ALTER COLUMN a OPTIONS (b 'c');",
        "ALTER FOREIGN TABLE ONLY t ALTER COLUMN a OPTIONS (b 'c')",
    ),
    "list_in_a_list": (
        "(ARRAY[(ARRAY['a'::name])::text[]])::text[]",
        "ARRAY[(ARRAY[('a'::name)::text])::text]",
    ),
}
OTHER = {
    "value": ("CHECK ((s = 'a'))", "CHECK ((s = 'b'))"),
    "white_space_in_a_text": ("DEFAULT 'a  b'", "DEFAULT 'a b'"),
    "white_space_in_a_name": ('SELECT "a  b"', 'SELECT "a b"'),
    "body": ("AS $$ SELECT 1 $$", "AS $$ SELECT  1 $$"),
    "capitals": ('SELECT "A"', 'SELECT "a"'),
    "longer_list": (VARCHAR_LIST, VARCHAR_LIST.replace("'a'::character varying, ", "")),
    "other_type": ("(ARRAY['a'::name])::text[]", "(ARRAY['a'::name])::name[]"),
    "order_of_a_list": ("ARRAY['a', 'b']", "ARRAY['b', 'a']"),
    "only_is_a_name": ('ALTER TABLE "ONLY" RENAME TO t', "ALTER TABLE RENAME TO t"),
    "not_closed": ("(ARRAY['a'", "(ARRAY['b'"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_definitions_that_mean_the_same_are_equal(one: str, other: str) -> None:
    assert same_definition(one, other)
    assert same_definition(other, one)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_definitions_that_mean_something_else_differ(one: str, other: str) -> None:
    assert not same_definition(one, other)


COPIES = {
    "plain": ("COPY public.t (a, b) FROM stdin;\n", "", "COPY public.t (a, b) TO STDOUT (ENCODING 'UTF8')"),
    "no_columns": ("COPY public.t  FROM stdin;\n", "", "COPY public.t TO STDOUT (ENCODING 'UTF8')"),
    "hostile_name": (
        'COPY s."FROM stdin;" ("b FROM stdin") FROM stdin;\n',
        "",
        'COPY s."FROM stdin;" ("b FROM stdin") TO STDOUT (ENCODING \'UTF8\')',
    ),
    "part": (
        'COPY s."t (x" (a, "b)") FROM stdin;\n',
        "WHERE a > 1",
        'COPY (SELECT a , "b)" FROM s."t (x" WHERE a > 1) TO STDOUT (ENCODING \'UTF8\')',
    ),
    "two_statements": ("COPY t FROM stdin; DROP TABLE t", "", None),
    "program": ("COPY t FROM PROGRAM 'id'", "", None),
    "quoted_end": ('COPY t FROM "stdin"', "", None),
    "insert": ("INSERT INTO t VALUES (1)", "", None),
    "nothing": ("", "", None),
}


@pytest.mark.parametrize(("statement", "condition", "command"), COPIES.values(), ids=COPIES)
def test_only_the_last_words_of_a_copy_statement_change(statement: str, condition: str, command: str | None) -> None:
    assert copy_to_stdout(statement, encoding="UTF8", condition=condition) == command


def test_rights_do_not_depend_on_their_order_but_on_who_gave_them() -> None:
    one = "GRANT SELECT ON TABLE t TO a;\nSET SESSION AUTHORIZATION b;\nGRANT ALL ON TABLE t TO c;\nRESET SESSION AUTHORIZATION;\nGRANT SELECT ON TABLE t TO d;"
    other = "GRANT SELECT ON TABLE t TO d;\nGRANT SELECT ON TABLE t TO a;\nSET SESSION AUTHORIZATION b;\nGRANT ALL ON TABLE t TO c;\nRESET SESSION AUTHORIZATION;"
    assert rights(one) == rights(other)
    assert rights(one) != rights(one.replace("AUTHORIZATION b", "AUTHORIZATION e"))
    assert len(list(statements(one))) == 5


def role_of(script: str, kind: str, name: str) -> str:
    return role_facts([script]).facts[Named("", kind, name)]


SAME_ROLES = {
    "default_or_said": ("CREATE ROLE a;", "CREATE ROLE a; ALTER ROLE a WITH NOSUPERUSER INHERIT NOLOGIN;", "role", "a"),
    "order_of_attributes": (
        "CREATE ROLE a; ALTER ROLE a WITH LOGIN CREATEDB CONNECTION LIMIT 3;",
        "CREATE ROLE a; ALTER ROLE a WITH CREATEDB CONNECTION LIMIT 3 LOGIN;",
        "role",
        "a",
    ),
    "zone_of_valid_until": (
        "CREATE ROLE a; ALTER ROLE a WITH VALID UNTIL '2031-01-01 00:00:00+00';",
        "CREATE ROLE a; ALTER ROLE a WITH VALID UNTIL '2031-01-01 05:45:00+05:45';",
        "role",
        "a",
    ),
    "password": (
        "CREATE ROLE a; ALTER ROLE a WITH LOGIN PASSWORD 'SCRAM-SHA-256$x' CREATEDB;",
        "CREATE ROLE a; ALTER ROLE a WITH LOGIN CREATEDB;",
        "role",
        "a",
    ),
    "options_of_15_and_16": (
        "CREATE ROLE b; GRANT a TO b GRANTED BY postgres;",
        "CREATE ROLE b; GRANT a TO b WITH INHERIT TRUE GRANTED BY postgres;",
        "membership",
        "a to b",
    ),
    "options_of_a_role_without_inherit": (
        "CREATE ROLE b; ALTER ROLE b WITH NOINHERIT; GRANT a TO b WITH ADMIN OPTION GRANTED BY postgres;",
        "CREATE ROLE b; GRANT a TO b WITH ADMIN TRUE, INHERIT FALSE GRANTED BY postgres;",
        "membership",
        "a to b",
    ),
}


@pytest.mark.parametrize(("one", "other", "kind", "name"), SAME_ROLES.values(), ids=SAME_ROLES)
def test_scripts_that_make_the_same_roles_are_equal(one: str, other: str, kind: str, name: str) -> None:
    assert role_of(one, kind, name) == role_of(other, kind, name)


def test_no_verifier_of_a_password_is_kept() -> None:
    facts = role_facts(["CREATE ROLE a; ALTER ROLE a WITH PASSWORD 'SCRAM-SHA-256$hidden' CONNECTION LIMIT -1;"]).facts
    assert "hidden" not in str(facts)
    assert "CONNECTION LIMIT -1" in facts[Named("", "role", "a")]


def compared(source: Facts, target: Facts, **options: object) -> Comparison:
    tally = Tally(against="the point")
    compare_facts(tally, source, target, **options)  # pyright: ignore[reportArgumentType] - options of the cases below
    return tally.result()


VIEW = Named("shop", "view", "sales.v")


def test_a_text_of_another_major_is_not_proven_and_a_missing_object_is_missing() -> None:
    majors = ("16", "18")
    found = compared({VIEW: "SELECT 1"}, {VIEW: "SELECT 2"}, majors=majors)
    assert [(finding.state, finding.source, finding.target) for finding in found.unproven] == [
        ("notProven", "SELECT 1", "SELECT 2")
    ]
    assert (found.differences, found.is_equal) == ((), False)
    owner = Named("shop", "owner of view", "sales.v")
    assert [f.state for f in compared({owner: "a"}, {owner: "b"}, majors=majors).differences] == ["differs"]
    assert [f.state for f in compared({VIEW: "SELECT 1"}, {}, majors=majors).differences] == ["missing"]


def test_what_may_differ_is_left_out_and_equal_where_it_is_equal() -> None:
    reasons = {VIEW: "the service has it"}
    assert [f.reason for f in compared({VIEW: "a"}, {}, reasons=reasons).not_compared] == ["the service has it"]
    assert compared({VIEW: "a"}, {VIEW: "a"}, reasons=reasons).equal_kinds == {"view": 1}


def test_nothing_compared_is_not_equal() -> None:
    found = Tally(against="the recovery point of a").result()
    assert not found.is_equal
    assert found.verdict() == "nothing was compared: no database of the recovery point of a is in the target"


def test_a_long_value_is_shown_where_it_begins_to_differ_and_whole_in_the_report() -> None:
    body = "x" * 5000
    found = compared({VIEW: f"{body} one"}, {VIEW: f"{body} other"})
    [line] = [finding.line() for finding in found.differences]
    assert len(line) < 500
    assert "one" in line
    assert "other" in line
    assert found.to_json()["differences"][0]["source"] == f"{body} one"


def test_a_line_stays_one_line_whatever_a_name_holds() -> None:
    tally = Tally(against="the point")
    tally.differ(Named("a\nb", "table", "c\r\nd\udcff"), "x\ny", None)
    [line] = [finding.line() for finding in tally.result().differences]
    assert len(line.splitlines()) == 1
    assert "\\xff" in line
    assert tally.result().to_bytes().decode()
