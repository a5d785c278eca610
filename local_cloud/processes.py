"""Child processes that end with their parent, however it ends.

Every child is started through `setpriv`, which sets the parent-death signal after it has dropped privileges (dropping
them would clear it) and then becomes the child. The kernel sends that signal when the *thread* that started the child
ends, so children are started from the main thread only.

What a child prints goes straight into its log, never through a pipe: a pipe would break with the parent, and a child
that says that it is closing (Azurite does) would die of that before it has saved.
"""

import json
import os
import pwd
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any


class ChildEndedError(Exception):
    """A child ended although it is needed."""

    def __init__(self, name: str, exit_status: int, tail: str) -> None:
        self.name = name
        self.exit_status = exit_status
        super().__init__(f"{name} ended with status {exit_status}; the end of its log:\n{tail}")


class ChildNotReadyError(Exception):
    """A child lives but did not become ready in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to start, and how it is ended."""

    name: str
    argv: tuple[str, ...]
    log: Path
    """File that gets standard output and standard error."""
    environment: Mapping[str, str] | None = None
    """The whole environment; None = this process's own."""
    directory: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    """Asks the child to end; also its parent-death signal."""
    account: str | None = None
    """User that the child runs as; None = the one of this process."""
    capability: str | None = None
    """The one capability that a child with another user keeps."""
    inherited: tuple[int, ...] = ()
    """File descriptors that the child keeps open as long as it lives."""
    tail_lines: int = 25
    """How much of its log is quoted when it fails."""


class Child:
    """A started process."""

    def __init__(self, command: Command, *, on_end: Callable[["Child"], None] | None = None) -> None:
        """Start it.

        Args:
            command: What to start.
            on_end: Called from another thread once the child has ended, however it ended.

        Raises:
            RuntimeError: not called from the main thread.
        """
        self.command = command
        self._ready_line: dict[str, Any] | None = None
        self._on_end = on_end
        self._was_asked_to_stop = False
        self._log_start = command.log.stat().st_size if command.log.exists() else 0
        with command.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*tie_to_parent(command), *command.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=command.environment,
                cwd=command.directory,
                pass_fds=command.inherited,
                # Ctrl-C in a terminal reaches the parent only, which ends its children in order.
                start_new_session=True,
            )
        self._waiter = threading.Thread(target=self._wait_for_end, daemon=True, name=f"{command.name}-end")
        self._waiter.start()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is over."""
        return self._process.poll() is not None

    def tail(self) -> str:
        """Answer the last lines that this run wrote to its log."""
        lines = self._output().decode(errors="replace").splitlines()
        return "\n".join(lines[-self.command.tail_lines :]) or "(empty)"

    def raise_if_ended(self) -> None:
        """Raise ChildEndedError when the process is over."""
        if (status := self._process.poll()) is not None:
            raise ChildEndedError(self.command.name, status, self.tail())

    def wait_ready(self, within_seconds: float) -> dict[str, Any]:
        """Wait for the ready line, a JSON object with a true member `ready`, and answer it.

        Raises:
            ChildEndedError: it ended first.
            ChildNotReadyError: it did neither in time.
        """
        self.wait_until(lambda: self._find_ready_line() is not None, within_seconds)
        return self._ready_line or {}

    def wait_until(self, is_ready: Callable[[], bool], within_seconds: float) -> None:
        """Ask `is_ready` until it says so: neither a log nor a port announces a change.

        Raises:
            ChildEndedError: it ended first.
            ChildNotReadyError: it did neither in time.
        """
        give_up_at = time.monotonic() + within_seconds
        while not is_ready():
            self.raise_if_ended()
            if time.monotonic() > give_up_at:
                raise self._not_ready(within_seconds)
            time.sleep(0.02)

    def ask_to_stop(self) -> None:
        """Send the stop signal, once, and return at once.

        A second one is never sent: Azurite would take it for an order to end without saving.
        """
        if not self._was_asked_to_stop:
            self._was_asked_to_stop = True
            self._process.send_signal(self.command.stop_signal)

    def kill(self) -> None:
        """End it without warning, with whatever it started in its own session, and wait."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._waiter.join()

    def stop(self, within_seconds: float = 10) -> None:
        """Ask it to end, wait, and kill it when it does not."""
        self.ask_to_stop()
        try:
            self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._waiter.join()

    def _not_ready(self, within_seconds: float) -> ChildNotReadyError:
        return ChildNotReadyError(
            f"{self.command.name} was not ready within {within_seconds:g} s; the end of its log:\n{self.tail()}"
        )

    def _output(self) -> bytes:
        """Read what this run wrote to its log so far."""
        with self.command.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def _find_ready_line(self) -> dict[str, Any] | None:
        if self._ready_line is None:
            whole_lines = self._output().rpartition(b"\n")[0].splitlines()
            self._ready_line = next(filter(None, map(_parse_ready_line, whole_lines)), None)
        return self._ready_line

    def _wait_for_end(self) -> None:
        self._process.wait()
        if self._on_end:
            self._on_end(self)


def interrupt_on_stop_signals() -> None:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt in the main thread; later ones are ignored.

    A later one would leave a half-ended cloud, and every wait from then on has a bound. A shell starts background jobs
    with SIGINT ignored, which Python keeps unless it is set here.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def stop_all(children: Iterable[Child], within_seconds: float = 10) -> None:
    """Ask all children to end together, then wait for each."""
    children = list(children)
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.stop(within_seconds)


def tie_to_parent(command: Command) -> list[str]:
    """Answer the words before a command that set its parent-death signal and its user.

    Raises:
        RuntimeError: not on the main thread, or `setpriv` is missing.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(f"{command.name} must be started from the main thread: its life hangs on that thread's")
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RuntimeError("setpriv is missing; hint: install util-linux")
    words = [setpriv, "--pdeathsig", command.stop_signal.name.removeprefix("SIG")]
    if command.account is None:
        return [*words, "--"]
    group = str(pwd.getpwnam(command.account).pw_gid)
    words += ["--reuid", command.account, "--regid", group, "--clear-groups"]
    if command.capability:
        only = f"-all,+{command.capability}"
        words += ["--inh-caps", only, "--ambient-caps", only, "--bounding-set", only]
        # Without it access(2), by which a program may look for its own files, goes by the user alone.
        words += ["--securebits", "+no_setuid_fixup"]
    return [*words, "--"]


def _parse_ready_line(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        message: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return message if message.get("ready") is True else None
