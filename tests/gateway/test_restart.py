"""What the gateway knows outlives it, and Azurite."""

from pathlib import Path

from tests.contract.surroundings import run_azurite
from tests.gateway.world import World, in_days, refused


def test_versions_policies_and_blocks_outlive_gateway_and_azurite(tmp_path: Path) -> None:
    window = in_days(-0.1), in_days(1)
    with run_azurite(tmp_path) as azurite, (world := World(azurite=azurite)).open:
        first = world.write("a/file", b"first")
        until = world.protect("a/file", mode="Locked")
        second = world.write("a/file", b"second", metadata={"kept": "yes"})
        world.blob("a/file", "control", version=second).set_legal_hold(True)
        world.blob("a/staged").stage_block("1", b"block")
        key = world.service("writer").get_user_delegation_key(*window)

    with run_azurite(tmp_path, again=True) as azurite, (world := World(azurite=azurite)).open:
        old, new = world.versions("a/file", "immutabilitypolicy", "legalhold", "metadata")
        assert (old.version_id, old.immutability_policy.expiry_time) == (first, until)
        assert (new.version_id, new.has_legal_hold, new.metadata) == (second, True, {"kept": "yes"})
        assert world.blob("a/file", version=first).download_blob().readall() == b"first"
        with refused(403, "OperationNotAllowedOnRootBlob"):
            world.blob("a/file", version=second).delete_blob()
        world.blob("a/staged").commit_block_list(["1"])
        assert world.blob("a/staged").download_blob().readall() == b"block"
        # The key that was handed out still signs: it is derived again.
        assert world.service("writer").get_user_delegation_key(*window).value == key.value
        assert world.write("a/file", b"third") > second
