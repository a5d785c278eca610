"""The folder of one local cloud: whose it is, and whether anything of an earlier one still lives.

Two locks, both dropped by the kernel with their holders, however these end: `cloud.lock` is held by the cloud,
`children.lock` by all its children together (each inherits the descriptor). So a new cloud can tell that the last
child of a killed one has saved and gone, without believing process ids.
"""

import fcntl
import os
import shutil
import time
from pathlib import Path

CHILDREN_GONE_WITHIN_SECONDS = 20
_LOCKS = ("cloud.lock", "children.lock")


class FolderInUseError(Exception):
    """Another live cloud owns the folder."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(
            f"the local cloud of process {owner} is using {folder}; hint: end it with Ctrl-C or: kill {owner}"
        )


class ChildrenAliveError(Exception):
    """The cloud that owned the folder is dead, but something that it started is not."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"processes of a dead local cloud still use {folder} after {CHILDREN_GONE_WITHIN_SECONDS} s; "
            f"hint: find them with fuser {folder / 'children.lock'}"
        )


class StateFolder:
    """A claimed state folder. Release it when the cloud has ended."""

    def __init__(self, path: Path) -> None:
        """Claim the folder, making it if need be.

        Raises:
            FolderInUseError: a live cloud owns it.
            ChildrenAliveError: children of a dead one do not end.
        """
        path.mkdir(parents=True, exist_ok=True)
        self.path = path.resolve()
        self._own = _open(self.path / "cloud.lock")
        if not _lock(self._own):
            owner = (self.path / "cloud.lock").read_text().strip() or "unknown"
            os.close(self._own)
            raise FolderInUseError(self.path, owner)
        os.ftruncate(self._own, 0)
        os.write(self._own, f"{os.getpid()}\n".encode())
        self.children_lock = _open(self.path / "children.lock")
        """Every child inherits this descriptor."""
        give_up_at = time.monotonic() + CHILDREN_GONE_WITHIN_SECONDS
        while not _lock(self.children_lock):
            if time.monotonic() > give_up_at:
                self.release()
                raise ChildrenAliveError(self.path)
            time.sleep(0.05)

    def subfolder(self, name: str, mode: int = 0o700) -> Path:
        """Answer a folder in it, made if need be."""
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
        return folder

    def clear(self) -> None:
        """Remove everything in it but its locks: a lock file that is made anew would be another lock."""
        for path in self.path.iterdir():
            if path.name in _LOCKS:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def release(self) -> None:
        """Give the folder up."""
        os.close(self.children_lock)
        os.close(self._own)


def are_children_gone(folder: Path) -> bool:
    """Tell whether no process of any cloud uses the folder: neither a cloud nor a child."""
    descriptor = _open(folder / "children.lock")
    try:
        return _lock(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def claim_emptied(folder: Path, cloud: Path) -> StateFolder:
    """Claim a folder for as long as a program runs, and empty it once the cloud of an earlier run has ended.

    Args:
        folder: Of the program.
        cloud: Where below it the program's cloud keeps its state.

    Raises:
        FolderInUseError: Another run has it.
        ChildrenAliveError: An earlier one was killed, and something that it started does not end.
    """
    own = StateFolder(folder)
    try:
        StateFolder(cloud).release()
    except (FolderInUseError, ChildrenAliveError):
        own.release()
        raise
    own.clear()
    return own
