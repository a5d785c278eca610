"""Versions of the vault account: what each call makes of them, and what a list shows."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import md5
from pathlib import Path

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, ContentSettings, StandardBlobTier

from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from local_cloud.storage_gateway.call import BlobKey
from local_cloud.storage_gateway.ledger import HIDDEN, Ledger
from tests.gateway.world import World, refused


def test_every_write_is_a_version_that_is_read_by_its_id(world: World, name: str) -> None:
    ids = [world.write(name, f"{number}".encode()) for number in range(3)]

    assert ids == sorted(set(ids))
    assert [world.blob(name, version=version).download_blob().readall() for version in ids] == [b"0", b"1", b"2"]
    listed = world.versions(name)
    assert [blob.version_id for blob in listed] == ids
    assert [blob.is_current_version for blob in listed] == [None, None, True]
    assert world.blob(name).get_blob_properties().version_id == ids[-1]


def test_a_version_that_never_was_is_not_found(world: World, name: str) -> None:
    world.write(name)

    with pytest.raises(ResourceNotFoundError):
        world.blob(name, version="2020-01-01T00:00:00.0000000Z").get_blob_properties()


def test_facts_of_a_version_are_its_own(world: World, name: str) -> None:
    settings = ContentSettings(content_type="text/plain", cache_control="no-cache", content_disposition="inline")
    first = world.write(name, b"first", metadata={"number": "1"}, content_settings=settings)
    world.write(name, b"other", metadata={"number": "2"})

    found = world.blob(name, version=first).get_blob_properties()

    assert (found.metadata, found.size) == ({"number": "1"}, 5)
    assert found.content_settings.content_type == "text/plain"
    assert found.content_settings.content_md5 == md5(b"first", usedforsecurity=False).digest()
    assert found.content_settings.cache_control == "no-cache"
    got = world.blob(name, version=first).download_blob().properties
    assert (got.etag, got.metadata, got.content_settings.content_type) == (found.etag, found.metadata, "text/plain")
    listed = world.versions(name, "metadata")
    assert [blob.metadata["number"] for blob in listed] == ["1", "2"]
    assert listed[0].content_settings.content_disposition == "inline"


def test_metadata_alone_makes_a_version_with_the_same_bytes(world: World, name: str) -> None:
    first = world.write(name, metadata={"a": "1"})

    second = world.blob(name).set_blob_metadata({"a": "2"})["version_id"]

    assert [world.blob(name, version=v).get_blob_properties().metadata["a"] for v in (first, second)] == ["1", "2"]
    world.blob(name).delete_blob()
    world.blob(name, version=first).delete_blob()
    assert world.blob(name, version=second).download_blob().readall() == b"content"


def test_create_only_writes_have_one_winner(world: World, name: str) -> None:
    def create(number: int) -> bytes | None:
        data = f"{number}".encode() * 1000
        try:
            world.blob(name).upload_blob(data, overwrite=False)
        except ResourceExistsError:
            return None
        return data

    with ThreadPoolExecutor(8) as pool:
        (won,) = filter(None, pool.map(create, range(1, 9)))

    assert len(world.versions(name)) == 1
    assert world.blob(name).download_blob().readall() == won


def test_of_two_commits_of_the_same_blocks_one_wins_and_its_bytes_stay(world: World, name: str) -> None:
    for block in ("1", "2"):
        world.blob(name).stage_block(block, block.encode())

    def commit(blocks: str) -> bytes | None:
        try:
            condition = {"match_condition": MatchConditions.IfMissing}
            world.blob(name).commit_block_list([BlobBlock(block) for block in blocks], **condition)
        except ResourceExistsError:
            return None
        return blocks.encode()

    with ThreadPoolExecutor(4) as pool:
        (won,) = filter(None, pool.map(commit, ["12", "21", "1", "2"]))

    assert world.blob(name).download_blob().readall() == won


def test_a_write_by_etag_changes_only_what_was_seen(world: World, name: str) -> None:
    world.write(name, b"first")
    etag = world.blob(name).get_blob_properties().etag
    if_seen = {"etag": etag, "match_condition": MatchConditions.IfNotModified}

    world.blob(name).upload_blob(b"second", overwrite=True, **if_seen)
    with pytest.raises(ResourceModifiedError):
        world.blob(name).upload_blob(b"third", overwrite=True, **if_seen)
    with pytest.raises(ResourceModifiedError):
        world.blob(world.new_name()).upload_blob(b"new", overwrite=True, **if_seen)

    assert world.blob(name).download_blob().readall() == b"second"


def test_a_file_of_many_blocks_is_read_whole_and_in_parts(world: World, name: str) -> None:
    data = bytes(range(256)) * 12_000  # three blocks of the SDK
    version = world.write(name, data, max_concurrency=3)
    committed, uncommitted = world.blob(name).get_block_list("all")
    world.write(name, b"later")
    blob = world.blob(name, version=version)

    assert blob.download_blob(max_concurrency=3).readall() == data
    assert blob.download_blob(1_000_000, 100_000).readall() == data[1_000_000:1_100_000]
    assert ([block.size for block in committed], uncommitted) == ([1 << 20, 1 << 20, len(data) - (2 << 20)], [])


def test_staged_blocks_show_nowhere_but_in_their_list(world: World, name: str) -> None:
    world.blob(name).stage_block("1", b"block")

    assert not world.blob(name).exists()
    assert world.versions(name) == []
    committed, uncommitted = world.blob(name).get_block_list("all")
    assert (committed, [block.id for block in uncommitted]) == ([], ["1"])

    world.write(name, b"whole")  # put-blob: uncommitted blocks are gone with it
    with refused(400, "InvalidBlockList"):
        world.blob(name).commit_block_list(["1"])
    assert world.blob(name).download_blob().readall() == b"whole"


def test_an_earlier_version_is_brought_back_by_a_copy(world: World, name: str) -> None:
    first = world.write(name, b"first", metadata={"kept": "yes"})
    world.write(name, b"second")

    world.blob(name).start_copy_from_url(f"{world.blob(name).url}?versionid={first}", requires_sync=True)

    assert world.blob(name).download_blob().readall() == b"first"
    assert world.blob(name).get_blob_properties().metadata == {"kept": "yes"}
    assert len(world.versions(name)) == 3


def test_an_archived_version_is_not_read(world: World, name: str) -> None:
    world.write(name)
    world.blob(name).set_standard_blob_tier(StandardBlobTier.ARCHIVE)

    with refused(409, "BlobArchived"):
        world.blob(name).download_blob()
    assert world.blob(name).get_blob_properties().blob_tier == "Archive"


def test_a_list_is_of_current_blobs_in_order_and_hides_what_carries_them(world: World) -> None:
    root = world.new_name().partition("/")[0]
    for name in ("b", "a/2", "a/1", "ä", "c&<"):
        world.write(f"{root}/{name}")
        world.write(f"{root}/{name}")
    world.blob(f"{root}/b").delete_blob()

    names = [blob.name for blob in world.container().list_blobs(f"{root}/")]

    assert names == [f"{root}/{name}" for name in ("a/1", "a/2", "c&<", "ä")]
    assert not [blob.name for blob in world.container().list_blobs() if blob.name.startswith(HIDDEN)]


@pytest.mark.parametrize("page", [1, 2, 5000])
def test_pages_of_folders_and_versions_show_each_once(world: World, page: int) -> None:
    root = world.new_name().partition("/")[0]
    for name in ("a/1", "a/2", "b", "c/1", "d"):
        world.write(f"{root}/{name}")
    second = world.write(f"{root}/b")

    folders = list(world.container().walk_blobs(f"{root}/", delimiter="/", results_per_page=page))
    versions = list(world.container().list_blobs(f"{root}/", include=["versions"], results_per_page=page))

    assert sorted(found.name for found in folders) == [f"{root}/{name}" for name in ("a/", "b", "c/", "d")]
    assert [found.name for found in versions] == [f"{root}/{name}" for name in ("a/1", "a/2", "b", "b", "c/1", "d")]
    assert versions[3].version_id == second


def test_a_container_that_is_missing_is_not_an_empty_one(world: World) -> None:
    with refused(404, "ContainerNotFound"):
        list(world.container(container="nowhere").list_blobs())
    with refused(404, "ContainerNotFound"):
        world.blob("any", container="nowhere").get_blob_properties()
    with refused(404, "ContainerNotFound"):
        world.blob("any", container="nowhere").upload_blob(b"x")


def test_versions_of_one_moment_are_told_apart_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    ledger, key, moment = Ledger(tmp_path / "versions.db"), BlobKey(MAIN.vault, "points", "file"), now()

    made = [ledger.add(key, at, "hidden", size=0) for at in (moment, moment, moment - timedelta(hours=1))]
    ledger.close()

    assert [version.version_id for version in made] == sorted({version.version_id for version in made})
    assert len({version.etag for version in made}) == len(made)
