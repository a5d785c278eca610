"""The poisoning guard's comparison: what of a backup is suspect, and how it is told."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain.manifest import Manifest, ManifestFile
from flexvault.domain.poisoning import find_suspicion
from flexvault.domain.suspicion import MOST_NAMED, Suspicion
from tests.domain.pointing import a_file, a_manifest


def file(suffix: str, size_bytes: int, kind: str = "database", **facts: Any) -> ManifestFile:
    return a_file(suffix, kind, size_bytes, **facts)


def database(name: str, size_bytes: int) -> ManifestFile:
    return file(f"_database_{name}.sql", size_bytes, database=name)


def roles() -> ManifestFile:
    return file("_roles.sql", 0, "roles")


def manifest(*files: ManifestFile, point_id: str = "new") -> Manifest:
    return replace(a_manifest(*files), point_id=point_id)


def judge(before: list[ManifestFile], after: list[ManifestFile]) -> Suspicion | None:
    return find_suspicion(manifest(*after, roles()), manifest(*before, roles(), point_id="old"))


@pytest.mark.parametrize(
    ("before", "after", "is_suspect"),
    [
        pytest.param(1_000, 401, False, id="a byte less than 60 %"),
        pytest.param(1_000, 400, True, id="60 %"),
        pytest.param(1_000, 0, True, id="everything"),
        pytest.param(1_000, 1_000, False, id="nothing"),
        pytest.param(1_000, 5_000, False, id="it grew"),
        pytest.param(0, 0, False, id="there was nothing to lose"),
        pytest.param(3, 1, True, id="66 % of three bytes"),
    ],
)
def test_a_fall_of_60_percent_is_suspect(before: int, after: int, *, is_suspect: bool):
    found = judge([database("orders", before)], [database("orders", after)])
    assert (found is not None) is is_suspect


def test_all_files_together_count():
    before, after = [database("a", 900), database("b", 100)], [database("a", 900), database("b", 1)]
    assert judge(before, after) is None


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        pytest.param(["a", "b"], ["a"], ("b",), id="one"),
        pytest.param(["a", "b", "c"], ["b"], ("a", "c"), id="two, by name"),
        pytest.param(["a", "Ä/ö"], ["a"], ("Ä/ö",), id="by its exact name"),
        pytest.param(["a"], ["a", "b"], None, id="one more"),
        pytest.param(["a", "A"], ["a"], ("A",), id="names differ by case"),
        pytest.param(["a", "postgres", "azure_maintenance", "azure_sys"], ["a"], None, id="system databases"),
        pytest.param(["a", "template0", "template1"], ["a"], None, id="templates"),
    ],
)
def test_databases_that_are_gone_are_suspect(before: list[str], after: list[str], missing: tuple[str, ...] | None):
    big = database("big", 10**6)
    found = judge([big, *(database(name, 1) for name in before)], [big, *(database(name, 1) for name in after)])
    assert (found.missing if found else None) == missing


def test_a_database_whose_archive_cannot_be_read_is_there_by_its_file_name():
    before = [database("größe 1", 100)]
    assert judge(before, [file("_database_gr%C3%B6%C3%9Fe%201.sql", 100)]) is None


def test_in_an_unknown_layout_only_the_size_counts():
    before = [database("a", 100)]
    assert judge(before, [file("_all.dump", 100, "unknown")]) is None
    found = judge(before, [file("_all.dump", 40, "unknown")])
    assert found is not None
    assert found.missing == ()


def test_many_databases_are_counted_and_some_are_named():
    found = judge([database(f"d{n:03}", 1) for n in range(500)], [database("d000", 500)])
    assert found is not None
    assert (len(found.missing), found.missing_count) == (MOST_NAMED, 499)
    assert "499 database(s) are gone: d001, d002" in found.describe()
    assert f"and {499 - MOST_NAMED} more" in found.describe()


def test_it_is_told_what_fell_from_what_to_what():
    found = judge([database("a", 1_000), database("b", 9_000)], [database("a", 1_000)])
    assert found is not None
    assert found.describe() == (
        "its size fell by 90 %, from 10000 to 1000 bytes; 1 database(s) are gone: b; compared with recovery point old"
    )


def test_a_manifest_keeps_its_suspicion_and_an_older_one_has_none():
    found = judge([database("a", 10)], [database("a", 1)])
    stored = replace(manifest(database("a", 1)), suspicion=found).to_bytes()
    assert Manifest.from_bytes(stored).suspicion == found
    older = json.loads(manifest().to_bytes())
    del older["suspicion"]
    assert Manifest.from_bytes(json.dumps(older).encode()).suspicion is None


@given(before=st.integers(0, 10**15), after=st.integers(0, 10**15))
def test_a_fall_is_suspect_exactly_from_60_percent_on(before: int, after: int):
    found = judge([database("a", before)], [database("a", after)])
    assert (found is not None) is (before > 0 and 10 * after <= 4 * before)
