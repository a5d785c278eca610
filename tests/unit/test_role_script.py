"""Each statement of a roles script gets its verdict; nothing vanishes, and no password is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.role_script import RoleStatement, decode_script, plan_roles
from flexvault.domain.sql_text import name_of, on_terminal, quote_literal, quote_name, statements, with_standard_strings

VERIFIER = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk=:c2VydmVy="


def plan(
    script: str, *, major: int = 17, superuser: bool = False, admin: str = "flexadmin", passwords: bool = False
) -> tuple[RoleStatement, ...]:
    return plan_roles(
        script, target_major=major, administrator=admin, has_superuser=superuser, with_passwords=passwords
    )


STATEMENTS: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "semicolon_in_a_name": ('CREATE ROLE "a;b"; CREATE ROLE c;', [("CREATE", "ROLE", '"a;b"'), ("CREATE", "ROLE", "c")]),
    "quote_in_a_name": ('CREATE ROLE "a""b;";', [("CREATE", "ROLE", '"a""b;"')]),
    "semicolon_in_a_string": ("COMMENT ON ROLE a IS 'x;''y';", [("COMMENT", "ON", "ROLE", "a", "IS", "'x;''y'")]),
    "comment_over_lines": ("COMMENT ON ROLE a IS 'x\n-- y\n/* z';", [("COMMENT", "ON", "ROLE", "a", "IS", "'x\n-- y\n/* z'")]),
    "escape_string": (r"COMMENT ON ROLE a IS E'x\';y';", [("COMMENT", "ON", "ROLE", "a", "IS", r"E'x\';y'")]),
    "backslash_in_a_plain_string": ("SELECT 'a\\'; SELECT 1;", [("SELECT", "'a\\'"), ("SELECT", "1")]),
    "dollar_string": ("SELECT $a$ ; $b$ ; $a$; SELECT 1;", [("SELECT", "$a$ ; $b$ ; $a$"), ("SELECT", "1")]),
    "empty_dollar_tag": ("SELECT $$;$$;", [("SELECT", "$$;$$")]),
    "nested_comment": ("/* a /* b; */ c; */ SELECT 1;", [("SELECT", "1")]),
    "line_comment": ("-- a; 'b\nSELECT 1; -- c", [("SELECT", "1")]),
    "psql_lines": ("\\restrict aB'c\nSELECT 1;\n\\unrestrict aB'c\n", [("SELECT", "1")]),
    "no_last_semicolon": ("SELECT 1", [("SELECT", "1")]),
    "empty_statements": (";;\n;", []),
    "unicode_name": ("CREATE ROLE größe;", [("CREATE", "ROLE", "größe")]),
    "unicode_escape": ("SELECT U&'d\\0061;';", [("SELECT", "U&'d\\0061;'")]),
    "unfinished_string": ("SELECT 'a; SELECT 1;", [("SELECT", "'a; SELECT 1;")]),
    "unfinished_comment": ("SELECT 1; /* a; SELECT 2;", [("SELECT", "1")]),
    "nonconforming_strings": (
        "SET standard_conforming_strings = off; SELECT 'a\\';b'; SET standard_conforming_strings = on; SELECT '\\';",
        [
            ("SET", "standard_conforming_strings", "=", "off"),
            ("SELECT", "E'a\\';b'"),
            ("SET", "standard_conforming_strings", "=", "on"),
            ("SELECT", "'\\'"),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("script", "expected"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_script_is_cut_into_statements(script: str, expected: list[tuple[str, ...]]) -> None:
    assert list(statements(script)) == expected


@given(st.text(st.characters(exclude_characters="\0")), st.text(st.characters(exclude_characters="\0")))
def test_a_quoted_name_and_text_come_back_whole(name: str, text: str) -> None:
    script = f"COMMENT ON ROLE {quote_name(name)} IS {quote_literal(text)};"
    ((*_, role, _, comment),) = statements(script)
    assert name_of(role) == name
    assert comment[1:-1].replace("''", "'") == text


# id -> (statement, keyword arguments of plan, verdict, sql, part of the reason)
CASES: dict[str, tuple[str, dict[str, object], str, str | None, str]] = {
    "create": ("CREATE ROLE app;", {}, "apply", 'CREATE ROLE "app"', ""),
    "create_admin": ("CREATE ROLE flexadmin;", {}, "skip", None, "administrator of the target"),
    "create_reserved": ("CREATE ROLE azure_pg_admin;", {}, "skip", None, "of its own"),
    "create_replication": ("CREATE ROLE replication;", {}, "skip", None, "of its own"),
    "create_name_that_contains_reserved": ('CREATE ROLE "my replication";', {}, "apply", 'CREATE ROLE "my replication"', ""),
    "create_azuresu_reader": ("CREATE ROLE azuresu_reader;", {}, "apply", 'CREATE ROLE "azuresu_reader"', ""),
    "create_replication_with_superuser": ("CREATE ROLE replication;", {"superuser": True}, "apply", 'CREATE ROLE "replication"', ""),
    "no_op_negatives_are_dropped": (
        "ALTER ROLE app WITH NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB LOGIN NOREPLICATION NOBYPASSRLS;", {},
        "rewrite", 'ALTER ROLE "app" WITH INHERIT NOCREATEROLE NOCREATEDB LOGIN', "NOSUPERUSER, NOREPLICATION, NOBYPASSRLS",
    ),
    "superuser_keeps_all": (
        "ALTER ROLE app WITH SUPERUSER NOINHERIT REPLICATION BYPASSRLS;", {"superuser": True, "major": 14},
        "apply", 'ALTER ROLE "app" WITH SUPERUSER NOINHERIT REPLICATION BYPASSRLS', "",
    ),
    "bypassrls_kept_from_16": ("ALTER ROLE app WITH LOGIN BYPASSRLS;", {"major": 16}, "apply", 'ALTER ROLE "app" WITH LOGIN BYPASSRLS', ""),
    "bypassrls_lost_up_to_15": ("ALTER ROLE app WITH LOGIN BYPASSRLS;", {"major": 15}, "partial", 'ALTER ROLE "app" WITH LOGIN', "not restored: BYPASSRLS"),
    "superuser_lost": ("ALTER ROLE app WITH SUPERUSER LOGIN;", {}, "partial", 'ALTER ROLE "app" WITH LOGIN', "not restored: SUPERUSER"),
    "nothing_left": ("ALTER ROLE app WITH SUPERUSER;", {}, "lost", None, "not restored: SUPERUSER"),
    "only_defaults_left": ("ALTER ROLE app WITH NOSUPERUSER;", {}, "skip", None, "NOSUPERUSER"),
    "limit_and_until": (
        "ALTER ROLE app WITH LOGIN CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00';", {},
        "apply", "ALTER ROLE \"app\" WITH LOGIN CONNECTION LIMIT 7 VALID UNTIL '2031-01-01 00:00:00+00'", "",
    ),
    "negative_limit": ("ALTER ROLE app WITH CONNECTION LIMIT -1;", {}, "apply", 'ALTER ROLE "app" WITH CONNECTION LIMIT -1', ""),
    "password_dropped": (f"ALTER ROLE app WITH LOGIN PASSWORD '{VERIFIER}';", {}, "partial", 'ALTER ROLE "app" WITH LOGIN', "PASSWORD"),
    "password_kept": (
        f"ALTER ROLE app WITH LOGIN PASSWORD '{VERIFIER}';", {"passwords": True},
        "apply", f"ALTER ROLE \"app\" WITH LOGIN PASSWORD '{VERIFIER}'", "",
    ),
    "unknown_attribute": ("ALTER ROLE app WITH LOGIN FLYING;", {}, "unknown", None, "ALTER ROLE app"),
    "setting": ("ALTER ROLE app SET search_path TO 'a', 'b';", {}, "apply", "ALTER ROLE app SET search_path TO 'a', 'b'", ""),
    "setting_of_the_admin": ("ALTER ROLE flexadmin SET work_mem TO '1MB';", {}, "skip", None, "administrator"),
    "setting_in_a_database": (
        "ALTER ROLE app IN DATABASE shop SET work_mem TO '1MB';", {},
        "ask", "ALTER ROLE app IN DATABASE shop SET work_mem TO '1MB'", "inside a database",
    ),
    "role_named_set": ('ALTER ROLE "SET" WITH LOGIN;', {}, "apply", 'ALTER ROLE "SET" WITH LOGIN', ""),
    "comment": ("COMMENT ON ROLE app IS 'a\n-- b';", {}, "apply", "COMMENT ON ROLE app IS 'a\n-- b'", ""),
    "comment_on_reserved": ("COMMENT ON ROLE azuresu IS 'x';", {}, "skip", None, "comment"),
    "membership": ("GRANT a TO b;", {}, "apply", 'GRANT "a" TO "b"', ""),
    "membership_by_the_service": ("GRANT a TO b WITH INHERIT TRUE GRANTED BY azuresu;", {}, "rewrite", 'GRANT "a" TO "b" WITH INHERIT TRUE', "granted by azuresu"),
    "membership_options_up_to_15": (
        "GRANT a TO b WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY c;", {"major": 15},
        "partial", 'GRANT "a" TO "b" WITH ADMIN OPTION', "INHERIT FALSE, SET FALSE",
    ),
    "harmless_options_up_to_15": ("GRANT a TO b WITH INHERIT TRUE GRANTED BY c;", {"major": 15}, "rewrite", 'GRANT "a" TO "b"', "granted by c"),
    "grantor_kept_with_superuser": (
        "GRANT a TO b WITH INHERIT TRUE GRANTED BY c;", {"superuser": True},
        "apply", 'GRANT "a" TO "b" WITH INHERIT TRUE GRANTED BY "c"', "",
    ),
    "administrators_right": ("GRANT azure_pg_admin TO b;", {}, "ask", 'GRANT "azure_pg_admin" TO "b"', "administrator"),
    "right_of_the_service": ("GRANT replication TO b;", {}, "lost", None, "only the service"),
    "predefined_role": ("GRANT pg_monitor TO b;", {}, "apply", 'GRANT "pg_monitor" TO "b"', ""),
    "reserved_connections": ("GRANT pg_use_reserved_connections TO b;", {}, "lost", None, "only the service"),
    "membership_of_the_admin": ("GRANT a TO flexadmin;", {}, "skip", None, "in a; the administrator"),
    "parameter": ("GRANT SET ON PARAMETER work_mem TO b;", {}, "lost", None, "server parameters"),
    "parameter_with_superuser": ("GRANT SET ON PARAMETER work_mem TO b;", {"superuser": True}, "apply", "GRANT SET ON PARAMETER work_mem TO b", ""),
    "entra_role": (
        "SECURITY LABEL FOR pgaadauth ON ROLE \"a@b.c\" IS 'aadauth,oid=1,type=user';", {},
        "ask", "SECURITY LABEL FOR pgaadauth ON ROLE \"a@b.c\" IS 'aadauth,oid=1,type=user'", "Entra",
    ),
    "something_else": ("DROP ROLE app;", {}, "unknown", None, "DROP ROLE app"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "target", "verdict", "sql", "reason"), CASES.values(), ids=CASES)
def test_a_statement_gets_its_verdict(
    statement: str, target: dict[str, object], verdict: str, sql: str | None, reason: str
) -> None:
    (planned,) = plan(statement, **target)  # pyright: ignore[reportArgumentType] - a table of keyword arguments
    assert (planned.verdict, planned.sql) == (verdict, sql)
    assert reason in planned.reason
    assert bool(planned.reason) == bool(reason)


def test_session_settings_are_no_role_statements() -> None:
    assert plan("SET default_transaction_read_only = off;\nSET client_encoding = 'UTF8';\n") == ()


def test_a_grantor_that_was_a_superuser_is_not_kept() -> None:
    script = "ALTER ROLE old_admin WITH SUPERUSER; GRANT a TO b GRANTED BY old_admin;"
    assert plan(script, superuser=True)[1].sql == 'GRANT "a" TO "b"'


@pytest.mark.parametrize(("major", "kept"), [(15, False), (16, True)])
def test_without_superuser_a_grantor_is_kept_who_was_given_the_right_before(major: int, *, kept: bool) -> None:
    script = "GRANT a TO b WITH ADMIN OPTION GRANTED BY c; GRANT a TO d GRANTED BY b; GRANT x TO d GRANTED BY b;"
    sql = [item.sql or "" for item in plan(script, major=major)]
    assert [" GRANTED BY " in text for text in sql] == [False, kept, False]


def test_only_three_verdicts_are_run() -> None:
    planned = plan(
        "CREATE ROLE a; GRANT azure_pg_admin TO a; GRANT x TO a GRANTED BY y; DROP ROLE a; CREATE ROLE azuresu;"
    )
    assert [item.is_run for item in planned] == [True, False, True, False, False]


LEAKS = {
    "attribute_order_unknown": f"ALTER ROLE app WITH FLYING PASSWORD '{VERIFIER}';",
    "unknown_verb": f"CREATE USER app PASSWORD '{VERIFIER}';",
    "name_is_missing": f"ALTER ROLE '{VERIFIER}';",
    "quote_never_closed": f"ALTER ROLE \"app WITH PASSWORD '{VERIFIER}';",
    "stray_quote_before": f"COMMENT ON ROLE a IS 'x'y'; ALTER ROLE app WITH PASSWORD '{VERIFIER}';",
    "password_first": f"PASSWORD '{VERIFIER}' ROLE app;",
}


@pytest.mark.parametrize("superuser", [True, False])
@pytest.mark.parametrize("script", LEAKS.values(), ids=LEAKS)
def test_no_password_is_told_by_a_statement_that_cannot_be_read(script: str, *, superuser: bool) -> None:
    for planned in plan(script, superuser=superuser):
        for text in (planned.sql or "", planned.reason, planned.role):
            assert "SCRAM" not in text
            assert "c3RvcmVk" not in text


words = st.sampled_from(
    ["CREATE", "ALTER", "ROLE", "GRANT", "REVOKE", "TO", "FROM", "WITH", "SET", "IN", "DATABASE", "GRANTED", "BY", "ON",
     "COMMENT", "IS", "SECURITY", "LABEL", "PARAMETER", "PASSWORD", "CONNECTION", "LIMIT", "VALID", "UNTIL", "a", '"b"',
     "'c'", ";", ",", "-", "1", "LOGIN", "SUPERUSER", "NOSUPERUSER", "OPTION", "ADMIN"]
)  # fmt: skip


@given(st.lists(words, max_size=14), st.booleans(), st.sampled_from([13, 15, 16, 18]))
def test_no_order_of_words_breaks_the_planner(tokens: list[str], superuser: bool, major: int) -> None:
    for planned in plan(" ".join(tokens), superuser=superuser, major=major):
        assert planned.is_run == (planned.verdict in {"apply", "rewrite", "partial"})
        assert planned.reason or planned.verdict == "apply"


@given(st.text(max_size=60))
def test_any_text_gets_verdicts(script: str) -> None:
    plan(script)


ENCODINGS = {
    "utf8": ("SET client_encoding = 'UTF8';\nCREATE ROLE größe;".encode(), "größe"),
    "latin1": ("SET client_encoding = 'LATIN1';\nCREATE ROLE größe;".encode("latin-1"), "größe"),
    "none_named": ("CREATE ROLE größe;".encode(), "größe"),
    "bytes_of_no_encoding": (b"SET client_encoding = 'SQL_ASCII';\nCREATE ROLE caf\xe9;", "caf\udce9"),
}


@pytest.mark.parametrize(("content", "name"), ENCODINGS.values(), ids=ENCODINGS)
def test_a_script_is_decoded_as_it_says(content: bytes, name: str) -> None:
    assert plan(decode_script(content))[-1].role == name


def test_membership_in_the_targets_administrator_or_another_superuser_is_asked_for():
    script = (
        "CREATE ROLE flexadmin;\nCREATE ROLE dba;\nCREATE ROLE evil;\nGRANT flexadmin TO evil;\nGRANT dba TO evil;\n"
    )
    plans = plan_roles(
        script, target_major=18, administrator="flexadmin", has_superuser=True, superusers={"flexadmin", "dba"}
    )
    assert [item.verdict for item in plans if item.role == "evil"] == ["apply", "ask", "ask"]
    same = script + "ALTER ROLE dba WITH SUPERUSER;\n"
    plans = plan_roles(
        same, target_major=18, administrator="flexadmin", has_superuser=True, superusers={"flexadmin", "dba"}
    )
    assert [item.verdict for item in plans if item.role == "evil"] == ["apply", "ask", "apply"]


def test_strings_with_backslash_escapes_mean_the_same_afterwards():
    script = r"""COMMENT ON TABLE "a\\b" IS 'C:\\new ''x'' \\'; SELECT E'a\\b', $$it's \\ $$; -- 'one\\' """
    expected = r"""COMMENT ON TABLE "a\\b" IS 'C:\new ''x'' \'; SELECT E'a\\b', $$it's \\ $$; -- 'one\\' """
    assert with_standard_strings(script) == expected


def test_a_terminal_obeys_nothing_but_line_breaks():
    assert on_terminal("a\x1b]0;x\x07  b\nc") == "a\\x1b]0;x\\x07  b\nc"
