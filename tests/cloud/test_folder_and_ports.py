"""What one cloud owns: its folder and its ports."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from local_cloud.files import write_atomically
from local_cloud.ports import NoFreePortError, Ports
from local_cloud.state_folder import FolderInUseError, StateFolder, are_children_gone


def test_a_second_cloud_is_refused_and_told_whose_the_folder_is(tmp_path: Path) -> None:
    first = StateFolder(tmp_path)
    try:
        with pytest.raises(FolderInUseError, match=f"process {os.getpid()} is using"):
            StateFolder(tmp_path)
    finally:
        first.release()
    StateFolder(tmp_path).release()


def test_a_new_cloud_waits_for_the_children_of_a_dead_one(tmp_path: Path) -> None:
    dead = StateFolder(tmp_path)
    # The child ends half a second after its cloud, as a server that still saves.
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.5)"], pass_fds=[dead.children_lock])
    dead.release()
    assert not are_children_gone(tmp_path)

    successor = StateFolder(tmp_path)

    assert child.wait(1) == 0
    successor.release()


def test_two_clouds_that_start_together_never_choose_one_port(tmp_path: Path) -> None:
    first, second = Ports(tmp_path / "first.json"), Ports(tmp_path / "second.json")

    start = first.take("api", first=23000)

    assert second.take("api", first=start) > start
    first.close()
    second.close()


def test_a_port_in_use_is_passed_over(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        number = busy.getsockname()[1]

        assert ports.take("api", first=number) > number
    ports.close()


def test_a_restarted_cloud_has_its_ports_again(tmp_path: Path) -> None:
    ports = Ports(tmp_path / "ports.json")
    before = {name: ports.take(name) for name in ("blob", "arm")}
    ports.close()

    ports = Ports(tmp_path / "ports.json")

    assert {name: ports.take(name) for name in ("blob", "arm")} == before
    ports.close()


def test_a_range_without_a_free_port_is_an_error(tmp_path: Path) -> None:
    ports, other = Ports(tmp_path / "ports.json", tries=1), Ports(tmp_path / "other.json")
    taken = other.take("api", first=24000)

    with pytest.raises(NoFreePortError, match="no free port for api"):
        ports.take("api", first=taken)
    ports.close()
    other.close()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    with pytest.raises(TypeError):
        write_atomically(path, 1)  # pyright: ignore[reportArgumentType] -- a write that fails half-way

    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"
    assert path.stat().st_mode & 0o777 == 0o600
