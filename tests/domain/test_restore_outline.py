"""What a restore tells before it begins: order, facts of each database, and what is left out and why."""

from typing import Any

from flexvault.domain.landing_files import FileKind
from flexvault.domain.restore_outline import MOST_NAMES, OutlineStep, Treatment, outline_restore
from tests.domain.pointing import (
    a_database,
    a_file,
    a_manifest,
    a_roles_file,
    a_verification,
    counted,
    verified,
)

ORDERS = a_database(
    "orders",
    extensions=["hstore", "pgcrypto"],
    largeObjects=2,
    catalogue={
        "subscription": [["", "feed", "app", 10, None]],
        "materializedView": [["public", f"m{number}", "app", number, None] for number in range(MOST_NAMES + 5)],
        "eventTrigger": [["", "guard", "app", 11, None]],
    },
)
BILLING = a_database("billing", size_bytes=50)
MANIFEST = a_manifest(
    ORDERS,
    a_database("postgres", size_bytes=3),
    BILLING,
    a_roles_file(),
    a_file("_schema.sql", FileKind.SCHEMA),
    a_file("_database_new.sql", FileKind.DATABASE),
)


def test_roles_come_first_then_each_database_step_by_step():
    outline = outline_restore(MANIFEST, "night")
    first, *rest = outline.steps
    assert first == (OutlineStep.ROLES, "")
    each = ["CreateDatabase", "PreData", "Data", "PostData", "Settings"]
    assert [(step.value, database) for step, database in rest] == [
        (step, database) for database in ("orders", "billing") for step in each
    ]


def test_a_point_without_roles_begins_with_its_databases():
    outline = outline_restore(a_manifest(ORDERS), "night")
    assert (outline.roles_file, outline.steps[0]) == ("", (OutlineStep.CREATE_DATABASE, "orders"))


def test_each_database_tells_its_file_owner_encoding_extensions_and_sizes():
    outline = outline_restore(MANIFEST, "night")
    orders = outline.databases[0]
    assert (orders.name, orders.file, orders.size_bytes) == ("orders", "night_database_orders.sql", 100)
    assert (orders.owner, orders.encoding, orders.locale) == ("app", "UTF8", {"lcCollate": "C"})
    assert (orders.extensions, orders.tables, orders.large_objects) == (("hstore", "pgcrypto"), 1, 2)
    assert (orders.rows, orders.row_bytes) == (None, None)
    assert outline.size_bytes == MANIFEST.size_bytes


def test_what_is_not_simply_restored_is_named_with_its_reason():
    notes = {note.kind: note for note in outline_restore(MANIFEST, "night").databases[0].notes or ()}
    assert (notes["subscription"].treatment, notes["subscription"].names) == (Treatment.NOT_RESTORED, ("feed",))
    assert "password" in notes["subscription"].reason
    assert notes["eventTrigger"].treatment is Treatment.RESTORED_LAST
    views = notes["materializedView"]
    assert (views.treatment, views.count, len(views.names)) == (Treatment.REFRESHED, MOST_NAMES + 5, MOST_NAMES)
    assert views.names[0] == "public.m0"


def test_databases_of_the_service_and_unread_files_are_left_out_with_the_reason():
    left_out = {one.name: one for one in outline_restore(MANIFEST, "night").left_out}
    assert left_out["postgres"].file == "night_database_postgres.sql"
    assert "every server has it" in left_out["postgres"].reason
    assert left_out[""].file == "night_database_new.sql"
    assert "could be read" in left_out[""].reason
    assert outline_restore(MANIFEST, "night").other_files == ("night_schema.sql",)


def test_of_a_choice_the_rest_is_left_out_and_not_copied():
    outline = outline_restore(MANIFEST, "night", ["billing"])
    assert [one.name for one in outline.databases] == ["billing"]
    assert outline.size_bytes == 50 + 5 + 10
    left_out = {one.name: (one.file, one.reason) for one in outline.left_out}
    assert left_out["orders"] == left_out["postgres"] == ("", "it was not chosen")
    assert left_out[""][0] == ""
    assert outline.roles_file == "night_roles.sql"


def test_a_chosen_database_of_the_service_is_copied_and_not_rebuilt():
    outline = outline_restore(MANIFEST, "night", ["postgres"])
    assert outline.databases == ()
    assert [(one.file, "every server" in one.reason) for one in outline.left_out if one.name == "postgres"] == [
        ("night_database_postgres.sql", True)
    ]


def test_a_deep_verification_tells_rows_and_bytes():
    verification = a_verification(verified(ORDERS, counted(4, 7), counted(6, 3)), verified(BILLING, counted(4, None)))
    outline = outline_restore(MANIFEST, "night", verification=verification)
    assert [(one.rows, one.row_bytes) for one in outline.databases] == [(10, 100), (None, None)]
    assert outline.verification is verification


def test_a_manifest_from_before_the_catalogue_tells_what_it_has():
    facts: dict[str, Any] = {name: value for name, value in ORDERS.facts.items() if name != "catalogue"}
    outline = outline_restore(a_manifest(a_file("_database_orders.sql", FileKind.DATABASE, 9, **facts)), "night")
    assert (outline.databases[0].notes, outline.databases[0].extensions) == (None, ("hstore", "pgcrypto"))


def test_what_never_comes_back_is_said():
    never = " ".join(outline_restore(MANIFEST, "night").never)
    assert [word for word in ("passwords", "security labels", "server parameters") if word not in never] == []


def test_passwords_and_statistics_are_told_as_the_kit_treats_them():
    passwords, statistics = (
        next(text for text in outline_restore(MANIFEST, "night").never if text.startswith(word))
        for word in ("passwords", "statistics")
    )
    assert ("--with-passwords" in passwords, "superuser" in passwords) == (True, True)
    assert "the rebuild kit runs ANALYZE" in statistics
