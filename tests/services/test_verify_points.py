"""Manifests and files: what is not as it was sealed is found, whatever was done to it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.services.promote import OWNER
from flexvault.services.verify_page import Order
from tests.builders import World
from tests.services.living import (
    blobs,
    codes,
    live,
    lived,
    newest_manifest,
    newest_point,
    own_key,
    read,
    read_entry,
    remove,
    subjects,
    verify,
    write_over,
)

JOURNAL, MANIFESTS, POINTS = blob_names.JOURNAL, blob_names.MANIFESTS, blob_names.POINTS


def _remove_file(world: World) -> None:
    remove(world, POINTS, newest_manifest(world).files[0].path)


def _harm(world: World, data: list[bytes] | None = None, **facts: Any) -> None:
    """Make the first file of the newest point another one in place: other blocks, none at all, another owner."""
    path = newest_manifest(world).files[0].path
    blocks = data or [read(world, POINTS, path)]
    sizes = () if facts.pop("is_whole", False) else tuple(map(len, blocks))
    world.memory.storage.spoil(VAULT, POINTS, path, b"".join(blocks), blocks=sizes, **facts)


def _put_whole(world: World) -> None:
    _harm(world, is_whole=True)


def _other_blocks(world: World) -> None:
    data = read(world, POINTS, newest_manifest(world).files[0].path)
    _harm(world, [data[:1], data[1:]])


def _other_owner(world: World) -> None:
    _harm(world, metadata={OWNER: "somebody"})


def _longer(world: World) -> None:
    _harm(world, [read(world, POINTS, newest_manifest(world).files[0].path) + b"x"])


@pytest.mark.parametrize(
    ("harm", "code"),
    [
        pytest.param(_remove_file, "FileMissing", id="removed"),
        pytest.param(_put_whole, "BlockListDiffers", id="written whole with the same bytes"),
        pytest.param(_other_blocks, "BlockListDiffers", id="committed of other blocks with the same bytes"),
        pytest.param(_longer, "FileDiffers", id="longer"),
        pytest.param(_other_owner, "FileDiffers", id="of another owner"),
    ],
)
def test_a_file_that_is_not_as_it_was_sealed_is_found(harm: Callable[[World], None], code: str) -> None:
    lived = live(2)
    subject = f"points/{newest_manifest(lived).files[0].path}"
    harm(lived)

    assert subject in subjects(verify(lived), code)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 10**6), change=st.integers(1, 255))
def test_a_byte_that_was_changed_behind_the_same_blocks_is_found_by_reading_them(place: int, change: int) -> None:
    lived_vault = lived()
    path = newest_manifest(lived_vault).files[0].path
    stored = read(lived_vault, POINTS, path)
    changed = bytearray(stored)
    changed[place % len(changed)] ^= change

    _harm(lived_vault, [bytes(changed)])
    try:
        quick, deep = verify(lived_vault), verify(lived_vault, Order(is_deep=True))
    finally:
        _harm(lived_vault, [stored])

    assert (quick.findings, subjects(deep, "BlockDiffers")) == ([], [f"points/{path}"])


def test_a_manifest_that_is_gone_is_missed() -> None:
    lived = live(2)
    path = blob_names.manifest_path(own_key(lived), newest_point(lived))
    remove(lived, MANIFESTS, path)

    assert subjects(verify(lived), "ManifestMissing") == [f"manifests/{path}"]


def test_a_manifest_of_a_deleted_point_is_told() -> None:
    lived = live(40)
    gone = next(
        str(entry.body["point_id"])
        for path in blobs(lived, JOURNAL, f"{own_key(lived)}/")
        if (entry := read_entry(lived, path)).type == "PointDeleted"
    )
    write_over(lived, MANIFESTS, blob_names.manifest_path(own_key(lived), gone), b"{}")

    assert codes(verify(lived)) == ["ManifestOfDeletedPoint"]


def test_a_manifest_under_the_name_of_a_point_that_was_never_sealed_is_found() -> None:
    lived = live(2)
    stray = newest_manifest(lived).to_bytes()
    write_over(lived, MANIFESTS, blob_names.manifest_path(own_key(lived), "0" * 32), stray)

    report = verify(lived)

    assert codes(report) == ["ManifestNotJournalled", "ManifestUnreadable"]
