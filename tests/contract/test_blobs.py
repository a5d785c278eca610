"""What every keeper of blobs promises: landing account, vault account, restore target."""

import base64
from datetime import timedelta

import pytest

from flexvault.domain import blob_names, crc64
from flexvault.domain.errors import AlreadyExistsError, InvalidInputError, NotAuthorizedError, NotFoundError
from flexvault.ports import BlockRange, VaultCleaner, VaultWriter
from tests.contract.conftest import Blobs

DUMP = bytes(range(256)) * 40
MISSING = "missing/blob.json"


def block(container: str, name: str, offset: int, length: int) -> BlockRange:
    return BlockRange(container=container, name=name, offset=offset, length=length)


def promote(blobs: Blobs, data: bytes, path: str, metadata: dict[str, str]) -> list[str]:
    """Copy a landing file of two blocks into the vault account."""
    container = blobs.landing_with(dump=data)
    half = len(data) // 2
    checksums = [
        blobs.writer.stage_block(path, 0, block(container, "dump", 0, half)),
        blobs.writer.stage_block(path, 1, block(container, "dump", half, len(data) - half)),
    ]
    blobs.writer.commit(path, 2, metadata)
    return checksums


# Landing -------------------------------------------------------------------------------------------------------------


def test_a_landing_container_may_be_created_and_deleted_twice(blobs: Blobs) -> None:
    container = f"l{blobs.number}twice"

    blobs.landing.create_container(container)
    blobs.landing.create_container(container)
    assert container in [found.name for found in blobs.landing.list_containers()]

    blobs.landing.delete_container(container)
    blobs.landing.delete_container(container)
    assert container not in [found.name for found in blobs.landing.list_containers()]


def test_a_list_of_containers_says_when_each_was_changed(blobs: Blobs) -> None:
    container = blobs.landing_with()

    found = {found.name: found for found in blobs.landing.list_containers()}[container]

    assert found.size_bytes == 0
    assert found.last_modified is not None
    assert found.last_modified.tzinfo is not None


def test_landed_files_are_listed_by_name_with_size_and_etag(blobs: Blobs) -> None:
    container = blobs.landing_with(b_roles=b"12", a_dump=DUMP)

    files = blobs.landing.list_files(container)

    assert [(file.name, file.size_bytes) for file in files] == [("a_dump", len(DUMP)), ("b_roles", 2)]
    assert all(file.etag.startswith('"') for file in files)


def test_a_file_that_is_written_again_has_another_etag(blobs: Blobs) -> None:
    container = blobs.landing_with(dump=DUMP)
    first = blobs.landing.list_files(container)[0].etag
    blobs.landing.delete_container(container)
    container = f"{container}again"
    blobs.landing.create_container(container)

    blobs.land(container, "dump", DUMP)

    assert blobs.landing.list_files(container)[0].etag != first


def test_the_files_of_a_missing_container_are_an_error_and_not_none(blobs: Blobs) -> None:
    with pytest.raises(NotFoundError) as raised:
        blobs.landing.list_files(f"l{blobs.number}missing")

    assert raised.value.code == "ContainerNotFound"


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        pytest.param(0, 5, DUMP[:5], id="head"),
        pytest.param(100, 50, DUMP[100:150], id="middle"),
        pytest.param(len(DUMP) - 5, 5, DUMP[-5:], id="tail"),
        pytest.param(len(DUMP) - 5, 100, DUMP[-5:], id="over the end"),
        pytest.param(len(DUMP), 100, b"", id="at the end"),
        pytest.param(len(DUMP) + 7, 100, b"", id="past the end"),
        pytest.param(0, 0, b"", id="nothing"),
    ],
)
def test_a_part_of_a_file_is_read(blobs: Blobs, offset: int, length: int, expected: bytes) -> None:
    container = blobs.landing_with(dump=DUMP)

    assert blobs.landing.read(container, "dump", offset, length) == expected


def test_an_empty_file_reads_as_nothing(blobs: Blobs) -> None:
    container = blobs.landing_with(empty=b"")

    assert blobs.landing.read(container, "empty", 0, 5) == b""


def test_a_missing_file_is_named(blobs: Blobs) -> None:
    container = blobs.landing_with()

    with pytest.raises(NotFoundError, match="'nothing'") as raised:
        blobs.landing.read(container, "nothing", 0, 5)

    assert raised.value.code == "BlobNotFound"


def test_a_grant_has_one_url_per_container_and_prints_none(blobs: Blobs) -> None:
    grant = blobs.landing.issue_grant(["one", "two"], "racwl", timedelta(hours=12))

    assert [url.partition("?")[0].rsplit("/", 1)[1] for url in grant.reveal()] == ["one", "two"]
    assert "?" not in repr(grant)


# Vault ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["writer", "cleaner"])
def creator(request: pytest.FixtureRequest, blobs: Blobs) -> VaultWriter | VaultCleaner:
    """The two ports that create blobs, each under the same promise."""
    return blobs.writer if request.param == "writer" else blobs.cleaner


def test_a_created_blob_is_found_and_read(blobs: Blobs, creator: VaultWriter | VaultCleaner) -> None:
    path = f"{blobs.prefix}/1.json"

    created = creator.create(blob_names.JOURNAL, path, b"entry")

    found = blobs.reader.find(blob_names.JOURNAL, path)
    assert found is not None
    assert (found.name, found.size_bytes, found.etag, found.version_id) == (path, 5, created.etag, created.version_id)
    assert blobs.reader.read(blob_names.JOURNAL, path) == b"entry"


def test_a_second_create_of_a_name_is_refused(blobs: Blobs, creator: VaultWriter | VaultCleaner) -> None:
    path = f"{blobs.prefix}/1.json"
    creator.create(blob_names.JOURNAL, path, b"first")

    with pytest.raises(AlreadyExistsError):
        creator.create(blob_names.JOURNAL, path, b"second")

    assert blobs.reader.read(blob_names.JOURNAL, path) == b"first"


def test_a_missing_blob_is_found_as_nothing_but_reading_it_fails(blobs: Blobs) -> None:
    assert blobs.reader.find(blob_names.MANIFESTS, MISSING) is None
    with pytest.raises(NotFoundError) as raised:
        blobs.reader.read(blob_names.MANIFESTS, MISSING)

    assert raised.value.code == "BlobNotFound"


def test_a_missing_container_is_never_nothing(blobs: Blobs) -> None:
    with pytest.raises(NotFoundError) as found:
        blobs.reader.find("nowhere", MISSING)
    with pytest.raises(NotFoundError) as listed:
        list(blobs.reader.list_blobs("nowhere", ""))
    with pytest.raises((NotFoundError, NotAuthorizedError)):  # its right to delete is on two containers alone
        blobs.cleaner.delete("nowhere", MISSING)

    assert {raised.value.code for raised in (found, listed)} == {"ContainerNotFound"}


def test_a_part_of_a_blob_is_read(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/1.json"
    blobs.writer.create(blob_names.JOURNAL, path, DUMP)

    assert blobs.reader.read(blob_names.JOURNAL, path, offset=10, length=7) == DUMP[10:17]
    assert blobs.reader.read(blob_names.JOURNAL, path, offset=10) == DUMP[10:]


def test_a_list_holds_the_prefix_only_in_name_order(blobs: Blobs) -> None:
    for name in ("b", "a", "c/d"):
        blobs.writer.create(blob_names.JOURNAL, f"{blobs.prefix}/{name}", b"x")
    blobs.writer.create(blob_names.JOURNAL, f"{blobs.prefix}0/other", b"x")

    listed = blobs.reader.list_blobs(blob_names.JOURNAL, f"{blobs.prefix}/")

    assert [found.name for found in listed] == [f"{blobs.prefix}/{name}" for name in ("a", "b", "c/d")]


def test_a_promoted_file_equals_what_landed(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/a1/c0/o'brien söhne?.sql"

    checksums = promote(blobs, DUMP, path, {"flexvault_job": "job/a1"})

    found = blobs.reader.find(blob_names.POINTS, path)
    assert found is not None
    assert found.size_bytes == len(DUMP)
    assert found.metadata == {"flexvault_job": "job/a1"}
    assert blobs.reader.read(blob_names.POINTS, path) == DUMP
    assert all(len(base64.b64decode(checksum)) == 8 for checksum in checksums)
    listed = next(iter(blobs.reader.list_blobs(blob_names.POINTS, blobs.prefix)))
    assert (listed.etag, listed.metadata) == (found.etag, found.metadata)


@pytest.mark.parametrize("size", [1, 7, 8, 100, 1024, 5000, 70_001])
def test_the_checksum_of_a_block_is_its_crc64(blobs: Blobs, size: int) -> None:
    data = (DUMP * 8)[:size]
    container = blobs.landing_with(dump=data)

    answered = blobs.writer.stage_block(f"{blobs.prefix}/file", 0, block(container, "dump", 0, size))

    assert answered == crc64.checksum(data)


def test_the_blocks_of_a_promoted_file_are_listed_in_order(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/file"
    promote(blobs, DUMP[:101], path, {})

    assert list(blobs.reader.list_blocks(blob_names.POINTS, path)) == [50, 51]


def test_a_blob_that_was_written_whole_has_no_blocks_and_neither_has_an_empty_file(blobs: Blobs) -> None:
    blobs.writer.create(blob_names.MANIFESTS, f"{blobs.prefix}/1.json", b"whole")
    blobs.writer.commit(f"{blobs.prefix}/empty", 0, {})

    assert list(blobs.reader.list_blocks(blob_names.MANIFESTS, f"{blobs.prefix}/1.json")) == []
    assert list(blobs.reader.list_blocks(blob_names.POINTS, f"{blobs.prefix}/empty")) == []


def test_the_blocks_of_a_missing_blob_are_an_error_and_not_none(blobs: Blobs) -> None:
    with pytest.raises(NotFoundError) as raised:
        blobs.reader.list_blocks(blob_names.POINTS, MISSING)

    assert raised.value.code == "BlobNotFound"


def test_folders_are_listed_once_each_and_in_order_and_whole_blobs_are_none(blobs: Blobs) -> None:
    for name in (f"{blobs.prefix}b/1", f"{blobs.prefix}a/1", f"{blobs.prefix}a/2/3", f"{blobs.prefix}c"):
        blobs.writer.create(blob_names.JOURNAL, name, b"x")

    listed = [found for found in blobs.reader.list_folders(blob_names.JOURNAL) if found.startswith(blobs.prefix)]

    assert listed == [f"{blobs.prefix}a", f"{blobs.prefix}b"]
    with pytest.raises(NotFoundError):
        list(blobs.reader.list_folders("nowhere"))


def test_equal_blocks_have_equal_checksums_and_others_have_not(blobs: Blobs) -> None:
    container = blobs.landing_with(dump=b"same" * 100 + b"same" * 100 + b"diff" * 100)
    path = f"{blobs.prefix}/file"

    first, again, other = (
        blobs.writer.stage_block(path, index, block(container, "dump", index * 400, 400)) for index in range(3)
    )

    assert first == again != other


def test_a_block_may_be_staged_again(blobs: Blobs) -> None:
    container = blobs.landing_with(dump=DUMP)
    path = f"{blobs.prefix}/file"

    blobs.writer.stage_block(path, 0, block(container, "dump", 0, 10))
    blobs.writer.stage_block(path, 0, block(container, "dump", 10, 10))
    blobs.writer.commit(path, 1, {})

    assert blobs.reader.read(blob_names.POINTS, path) == DUMP[10:20]


def test_staged_blocks_alone_are_no_blob(blobs: Blobs) -> None:
    container = blobs.landing_with(dump=DUMP)
    path = f"{blobs.prefix}/file"

    blobs.writer.stage_block(path, 0, block(container, "dump", 0, 10))

    assert blobs.reader.find(blob_names.POINTS, path) is None
    assert list(blobs.reader.list_blobs(blob_names.POINTS, blobs.prefix)) == []


def test_a_second_commit_is_refused_and_changes_nothing(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/file"
    promote(blobs, DUMP, path, {"flexvault_job": "job/a1"})

    with pytest.raises(AlreadyExistsError):
        blobs.writer.commit(path, 2, {"flexvault_job": "job/a2"})

    found = blobs.reader.find(blob_names.POINTS, path)
    assert found is not None
    assert found.metadata == {"flexvault_job": "job/a1"}


def test_a_commit_of_blocks_that_were_never_staged_is_refused(blobs: Blobs) -> None:
    with pytest.raises(InvalidInputError) as raised:
        blobs.writer.commit(f"{blobs.prefix}/file", 2, {})

    assert raised.value.inner_code == "InvalidBlockList"


def test_a_file_of_no_blocks_is_empty(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/empty"

    blobs.writer.commit(path, 0, {"flexvault_job": "job/a1"})

    assert blobs.reader.read(blob_names.POINTS, path) == b""


def test_a_copy_of_a_missing_source_fails_without_naming_its_signature(blobs: Blobs) -> None:
    container = blobs.landing_with()

    with pytest.raises(NotFoundError) as raised:
        blobs.writer.stage_block(f"{blobs.prefix}/file", 0, block(container, "nothing", 0, 10))

    assert "sig" not in str(raised.value)


def test_a_deleted_blob_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    path = f"{blobs.prefix}/1.json"
    blobs.writer.create(blob_names.MANIFESTS, path, b"x")

    blobs.cleaner.delete(blob_names.MANIFESTS, path)
    blobs.cleaner.delete(blob_names.MANIFESTS, path)

    assert blobs.reader.find(blob_names.MANIFESTS, path) is None


# Restore target ------------------------------------------------------------------------------------------------------


def restore(blobs: Blobs, path: str, name: str, size: int) -> list[str]:
    half = size // 2
    ranges = ((0, half), (half, size - half))
    return [
        blobs.target.stage_block(blobs.restore_url, name, index, block(blob_names.POINTS, path, offset, length))
        for index, (offset, length) in enumerate(ranges)
    ]


def test_a_restored_file_has_the_checksums_that_its_promotion_had(blobs: Blobs) -> None:
    path, name = f"{blobs.prefix}/file", f"{blobs.prefix}_database_orders.sql"
    promoted = promote(blobs, DUMP, path, {})

    restored = restore(blobs, path, name, len(DUMP))
    blobs.target.commit(blobs.restore_url, name, 2, {"flexvault_job": "job/a1"})

    assert restored == promoted
    (found,) = blobs.target.list_blobs(blobs.restore_url, blobs.prefix)
    assert (found.name, found.size_bytes, found.metadata) == (name, len(DUMP), {"flexvault_job": "job/a1"})


def test_a_restored_blob_is_overwritten_by_its_etag_only(blobs: Blobs) -> None:
    path, name = f"{blobs.prefix}/file", f"{blobs.prefix}file"
    promote(blobs, DUMP, path, {})
    blobs.target.create(blobs.restore_url, name, b"half", {"flexvault_job": "job/a1"})
    (own,) = blobs.target.list_blobs(blobs.restore_url, name)

    restore(blobs, path, name, len(DUMP))
    with pytest.raises(AlreadyExistsError):
        blobs.target.commit(blobs.restore_url, name, 2, {})
    blobs.target.commit(blobs.restore_url, name, 2, {}, etag=own.etag)
    restore(blobs, path, name, len(DUMP))
    with pytest.raises(AlreadyExistsError):
        blobs.target.commit(blobs.restore_url, name, 2, {}, etag=own.etag)

    (found,) = blobs.target.list_blobs(blobs.restore_url, name)
    assert found.size_bytes == len(DUMP)


def test_a_small_restored_blob_is_created_once(blobs: Blobs) -> None:
    name = f"{blobs.prefix}_rebuild/README.md"
    blobs.target.create(blobs.restore_url, name, b"kit", {"flexvault_job": "job/a1"})

    with pytest.raises(AlreadyExistsError):
        blobs.target.create(blobs.restore_url, name, b"other", {})

    (found,) = blobs.target.list_blobs(blobs.restore_url, name)
    assert (found.size_bytes, found.metadata) == (3, {"flexvault_job": "job/a1"})


def test_an_account_that_nobody_names_is_not_asked_for(blobs: Blobs) -> None:
    assert blobs.target.find_account(blobs.restore_url, "") is None


def test_a_target_that_does_not_exist_is_named(blobs: Blobs) -> None:
    url = f"{blobs.restore_url}missing"

    with pytest.raises(NotFoundError, match="restoresmissing") as raised:
        blobs.target.probe(url, "")

    assert raised.value.code == "ContainerNotFound"
