"""The clock and the switch, as the local cloud changes them while the gateway runs."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from local_cloud.storage_gateway.config import CALLERS_PATH, SETTINGS_PATH
from tests.e2e.waiting import wait_for
from tests.gateway.test_signatures import sign
from tests.gateway.world import World, refused


def date_of(world: World) -> timedelta:
    """How far the Date header runs ahead, to a minute."""
    apart = parsedate_to_datetime(world.call("GET", "/vault/?comp=list").headers["Date"]) - now()
    return timedelta(minutes=round(apart / timedelta(minutes=1)))


def test_the_clock_of_policies_is_moved_with_the_date_or_without(world: World, name: str) -> None:
    version = world.write(name)
    world.protect(name, days=1)
    world.blob(name).delete_blob()
    ahead = timedelta(days=1, hours=1)

    answer = world.call("PUT", SETTINGS_PATH, None, json={"offsetSeconds": ahead.total_seconds()})
    shown = answer.json()
    assert (shown["offsetSeconds"], shown["movesDate"], shown["baseNameDelete"]) == (90_000.0, False, "keep")
    assert date_of(world) == timedelta()
    world.blob(name, version=version).delete_blob()

    world.call("PUT", SETTINGS_PATH, None, json={"movesDate": True})
    assert date_of(world) == ahead
    # Tokens and signatures go by the unmoved clock.
    assert world.blob(world.new_name()).upload_blob(b"x")["version_id"] > version


def test_the_switch_is_changed_while_the_gateway_runs(world: World, name: str) -> None:
    world.write(name)
    world.protect(name)

    world.call("PUT", SETTINGS_PATH, None, json={"baseNameDelete": "refuse"})
    with refused(409, "BlobImmutableDueToPolicy"):
        world.blob(name).delete_blob()
    world.call("PUT", SETTINGS_PATH, None, json={"baseNameDelete": "keep"})
    world.blob(name).delete_blob()


def test_copies_are_held_until_they_are_let_go(world: World, name: str) -> None:
    source, target = world.blob(name), world.blob(world.new_name(), "writer")
    source.upload_blob(b"content")
    url = sign(world, name)
    try:
        shown = world.call("PUT", SETTINGS_PATH, None, json={"holdCopiesAfter": 1}).json()
        assert (shown["holdCopiesAfter"], shown["copiesHeld"]) == (1, 0)
        target.stage_block_from_url("1", url, 0, 3)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(target.stage_block_from_url, "2", url, 3, 4)
            wait_for(lambda: world.call("GET", SETTINGS_PATH, None).json()["copiesHeld"] == 1, "the held copy")
            assert source.download_blob().readall() == b"content", "nothing else is held"
            assert not held.done()
            world.call("PUT", SETTINGS_PATH, None, json={"holdCopiesAfter": None})
            held.result(30)
    finally:
        world.call("PUT", SETTINGS_PATH, None, json={"holdCopiesAfter": None})
    target.commit_block_list(["1", "2"])
    assert target.download_blob().readall() == b"content"


def test_reads_are_held_until_they_are_let_go(world: World, name: str) -> None:
    blob = world.blob(name)
    blob.upload_blob(b"content")
    try:
        world.call("PUT", SETTINGS_PATH, None, json={"holdReadsAfter": 1})
        assert blob.download_blob().readall() == b"content"
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(lambda: blob.download_blob().readall())
            wait_for(lambda: world.call("GET", SETTINGS_PATH, None).json()["readsHeld"] == 1, "the held read")
            world.blob(world.new_name()).upload_blob(b"nothing else is held")
            assert not held.done()
            world.call("PUT", SETTINGS_PATH, None, json={"holdReadsAfter": None})
            assert held.result(30) == b"content"
    finally:
        world.call("PUT", SETTINGS_PATH, None, json={"holdReadsAfter": None})


def test_it_is_told_who_did_what_and_nothing_of_who_was_refused(world: World, name: str) -> None:
    world.blob(name, "writer").upload_blob(b"content")
    world.protect(name)
    with refused(403, "AuthorizationPermissionMismatch"):
        world.blob(name, "writer").delete_immutability_policy()
    world.blob(name, "control").delete_immutability_policy()

    done = world.call("GET", CALLERS_PATH, None).json()[MAIN.vault]

    assert "writer" in done["Put Blob"]
    assert "control" in done["Set Blob Immutability Policy"]
    assert "control" in done["Delete Blob Immutability Policy"]
    assert "writer" not in done["Delete Blob Immutability Policy"]


@pytest.mark.parametrize(
    "body",
    [
        '{"offset": 1}',
        '{"offsetSeconds": "soon"}',
        '{"baseNameDelete": "maybe"}',
        '{"holdCopiesAfter": -1}',
        '{"holdCopiesAfter": "soon"}',
        '{"holdReadsAfter": -1}',
        "[]",
        "no",
    ],
)
def test_settings_that_cannot_be_read_change_nothing(world: World, body: str) -> None:
    before = world.call("GET", SETTINGS_PATH, None).json()

    answer = world.call("PUT", SETTINGS_PATH, None, data=body)

    assert answer.status_code == 400
    assert world.call("GET", SETTINGS_PATH, None).json() == before
