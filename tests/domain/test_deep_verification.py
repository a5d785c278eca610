"""The result of a deep verification and the catalogue of a manifest are read back as they were written."""

from datetime import UTC, datetime

import pytest

from flexvault.domain.deep_verification import DeepVerification, VerifiedFile, VerifiedObjects, VerifiedRows
from flexvault.domain.dump_catalogue import Catalogue, DatabaseObject
from flexvault.domain.errors import IntegrityError
from flexvault.domain.verification import Finding, Verdict

RESULT = DeepVerification(
    instance="i" * 32,
    point_id="p" * 32,
    number=2,
    job_id="j",
    manifest_hash="a" * 64,
    started_at=datetime(2026, 3, 1, 2, tzinfo=UTC),
    completed_at=datetime(2026, 3, 1, 3, tzinfo=UTC),
    verdict=Verdict.BROKEN,
    findings=(Finding(code="FileMissing", subject="points/x", message="it is gone"),),
    files=(
        VerifiedFile(
            path="i/p/a1/c0/x",
            suffix="_database_shop.sql",
            size_bytes=7,
            sha256="",
            database="shop",
            rows=(
                VerifiedRows(schema="s", name="t", dump_id=3, rows=5, size_bytes=50, digest="ab"),
                VerifiedRows(schema="s", name="u", dump_id=4, rows=None, size_bytes=None, digest="", not_counted="lz4"),
            ),
            large_objects=VerifiedObjects(count=1, size_bytes=2, digest="cd"),
            index_path="i/p.verification-2.index-0.json",
            index_sha256="b" * 64,
        ),
        VerifiedFile(path="i/p/a1/c0/y", suffix="_roles.sql", size_bytes=1, sha256="c" * 64),
    ),
)


def test_a_result_is_read_back_as_it_was_written() -> None:
    assert DeepVerification.from_bytes(RESULT.to_bytes()) == RESULT


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"verdict": "Fine"}'])
def test_what_is_no_result_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as refused:
        DeepVerification.from_bytes(data)
    assert refused.value.code == "VerificationDiffers"


def test_a_manifest_keeps_the_catalogue_but_not_millions_of_large_objects() -> None:
    table = DatabaseObject(kind="table", schema="s", name="t", owner="app", dump_id=3, data_id=9)
    broken = DatabaseObject(kind="view", schema="s", name="v\udcff", owner="", dump_id=4)
    large = DatabaseObject(kind="largeObject", schema="", name="70001", owner="app", dump_id=5)
    stored = Catalogue(objects=(table, broken, large), owners=("app",)).to_json()
    assert stored == {"table": [["s", "t", "app", 3, 9]], "view": [["s", "v\\xff", "", 4, None]]}
    assert Catalogue.from_json(stored).of_kind("table") == (table,)


def test_a_kind_that_is_not_known_is_no_catalogue() -> None:
    with pytest.raises(ValueError, match="spaceship"):
        Catalogue.from_json({"spaceship": []})
