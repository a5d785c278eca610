"""What the demo shows, and whose folder it empties."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobProperties, ImmutabilityPolicy
from rich.console import Console

from local_cloud.demo.screen import Screen
from local_cloud.demo.storage_proof import NotProtectedError, judge, tell_who
from local_cloud.state_folder import FolderInUseError, StateFolder, claim_emptied


def test_a_second_demo_is_refused_and_takes_nothing_from_the_first(tmp_path: Path) -> None:
    first = claim_emptied(tmp_path, tmp_path / "cloud")
    (tmp_path / "kept").write_text("")
    with pytest.raises(FolderInUseError, match=r"kill \d+"):
        claim_emptied(tmp_path, tmp_path / "cloud")
    assert (tmp_path / "kept").exists()

    first.release()
    claim_emptied(tmp_path, tmp_path / "cloud").release()
    assert not (tmp_path / "kept").exists()


def test_a_demo_waits_for_an_earlier_ones_cloud(tmp_path: Path) -> None:
    cloud = StateFolder(tmp_path / "cloud")
    with pytest.raises(FolderInUseError):
        claim_emptied(tmp_path, tmp_path / "cloud")
    cloud.release()
    claim_emptied(tmp_path, tmp_path / "cloud").release()


@pytest.mark.parametrize(("width", "shows_note"), [(160, True), (80, False), (60, False)])
def test_every_width_shows_name_percent_and_time(*, width: int, shows_note: bool) -> None:
    told = io.StringIO()
    console = Console(file=told, force_terminal=True, width=width, color_system=None)
    with Screen(console) as screen, screen.stage("Restore the newest point") as stage:
        stage.proof = "all equal"

    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", told.getvalue())]
    assert all(len(line) <= width for line in lines)
    last = [line for line in lines if "Restore" in line][-1]
    assert re.search(r"Restore the newest point +━+ +100% 0:00:00", last)
    assert any("all equal" in line for line in lines) is shows_note


def version(name: str, policy: ImmutabilityPolicy | None = None) -> Any:
    """A version as Azure's SDK lists it."""
    listed = BlobProperties(name=name)
    listed.immutability_policy = policy or ImmutabilityPolicy(expiry_time=None, policy_mode=None)
    return listed


def until(day: int, mode: str) -> ImmutabilityPolicy:
    return ImmutabilityPolicy(expiry_time=datetime(2026, 12, day, tzinfo=UTC), policy_mode=mode)


def test_the_demo_tells_the_weakest_protection_of_a_points_versions() -> None:
    found = judge([version("a/p.json", until(27, "locked")), version("a/p/a1/c0/f", until(26, "unlocked"))], "p")
    assert (str(found), found.versions) == ("immutable until 2026-12-26 (Unlocked)", 2)
    assert str(judge([version("a/p.json", until(27, "locked"))], "p")) == "immutable until 2026-12-27 (Locked)"


@pytest.mark.parametrize("listed", [[], [version("a/p.json", until(27, "locked")), version("a/p/free")]])
def test_the_demo_fails_when_storage_protects_less_than_all(listed: list[Any]) -> None:
    with pytest.raises(NotProtectedError, match="recovery point p"):
        judge(listed, "p")


def test_the_demo_names_whoever_did_it_as_storage_does() -> None:
    apart = {
        "Put Block From URL": ["writer"],
        "Put Blob": ["retention", "writer"],
        "Set Blob Immutability Policy": ["control"],
    }
    assert tell_who(apart) == "writer copied, retention and writer sealed, control protected, nobody deleted"
    assert tell_who({"Delete Blob Version": ["single"]}).endswith("single deleted")
