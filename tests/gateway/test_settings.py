"""The clock and the switch, as the local cloud changes them while the gateway runs."""

from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest

from local_cloud.certificates import now
from local_cloud.storage_gateway.config import SETTINGS_PATH
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
    assert answer.json() == {"offsetSeconds": 90_000.0, "movesDate": False, "baseNameDelete": "keep"}
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


@pytest.mark.parametrize(
    "body", ['{"offset": 1}', '{"offsetSeconds": "soon"}', '{"baseNameDelete": "maybe"}', "[]", "no"]
)
def test_settings_that_cannot_be_read_change_nothing(world: World, body: str) -> None:
    before = world.call("GET", SETTINGS_PATH, None).json()

    answer = world.call("PUT", SETTINGS_PATH, None, data=body)

    assert answer.status_code == 400
    assert world.call("GET", SETTINGS_PATH, None).json() == before
