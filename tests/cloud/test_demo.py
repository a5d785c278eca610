"""What the demo shows, and whose folder it empties."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from local_cloud.demo.screen import Screen
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
