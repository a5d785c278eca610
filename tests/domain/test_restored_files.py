"""Which files a restore copies, and under which names."""

import pytest

from flexvault.domain.errors import InvalidInputError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.restored_files import list_databases, list_restored, require_databases
from tests.domain.pointing import a_database, a_file, a_roles_file

ODD = "a 'b', \"c\"/%"
FILES = (
    a_database("orders"),
    a_database("Orders", label="orders"),
    a_database(ODD, label="a"),
    a_database("postgres"),
    a_roles_file(),
    a_file("_tablespace.sql", FileKind.TABLESPACE),
    a_file("_schema.sql", FileKind.SCHEMA),
    a_file("_database_new.sql", FileKind.DATABASE),
    a_file("_strange.bin", FileKind.UNKNOWN),
)


def names(*databases: str) -> list[str]:
    return [one.name for one in list_restored("night", FILES, databases)]


def test_without_a_choice_every_file_is_restored():
    assert len(names()) == len(FILES)


def test_of_a_choice_the_archives_and_the_servers_own_files_are_restored_under_the_names_of_a_full_restore():
    assert names("Orders") == [
        "night_2_database_orders.sql",
        "night_roles.sql",
        "night_tablespace.sql",
        "night_schema.sql",
    ]
    assert set(names("Orders", ODD)) < set(names())
    assert [one.ordinal for one in list_restored("night", FILES, ["Orders"])] == [1, 4, 5, 6]


def test_a_database_of_the_service_can_be_chosen_as_a_file():
    assert "night_database_postgres.sql" in names("postgres")


def test_databases_are_listed_by_their_exact_names():
    assert list_databases(FILES) == ("Orders", ODD, "orders", "postgres")


@pytest.mark.parametrize("wrong", ["ORDERS", "orders ", "order", "new", "", "_roles.sql", "x" * 5000])
def test_a_database_that_is_not_there_is_named_with_those_that_are(wrong: str):
    with pytest.raises(InvalidInputError) as refused:
        require_databases("p1", FILES, ["orders", wrong], "restoreTargetInfo.databases")
    assert refused.value.target == "restoreTargetInfo.databases"
    assert repr(wrong)[:200] in refused.value.message
    assert "'Orders'" in refused.value.message
    assert "'postgres'" in refused.value.message
    assert len(refused.value.message) < 1_000


def test_of_very_many_databases_an_error_names_the_first():
    files = [a_database(f"d{number:03d}") for number in range(200)]
    with pytest.raises(InvalidInputError, match=r"'d019' and 180 more"):
        require_databases("p1", files, ["x"], "databases")


def test_databases_that_are_there_are_accepted():
    require_databases("p1", FILES, ["orders", ODD], "databases")
    require_databases("p1", FILES, [], "databases")


def test_names_in_an_error_stand_as_they_are_and_cannot_steer_a_terminal():
    files = [a_database("O'Brien\\x"), a_database('say "hi"')]
    with pytest.raises(InvalidInputError) as refused:
        require_databases("p", files, ["a\x1b[2J\nb"], "databases")
    assert refused.value.message == (
        "recovery point p has no database 'a\\x1b[2J\\nb'; it has 'O'Brien\\x', 'say \"hi\"'"
    )
