"""Child processes: their ready line, their end, and their bond to the parent."""

import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local_cloud.processes import Child, ChildEndedError, ChildNotReadyError, Command, stop_all
from local_cloud.services import ROOT
from tests.cloud.waiting import wait_until


def python(tmp_path: Path, code: str) -> Command:
    tmp_path.mkdir(exist_ok=True)
    return Command(name="child", argv=(sys.executable, "-u", "-c", code), log=tmp_path / "child.log")


READY_THEN_WAIT = 'import signal; print(\'{"ready": true, "port": 5}\'); signal.pause()'


def test_the_ready_line_is_read_and_all_output_is_logged(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "print('{not json'); print('first');" + READY_THEN_WAIT))

    assert child.wait_ready(10) == {"ready": True, "port": 5}
    child.stop()
    assert "first\n" in (tmp_path / "child.log").read_text()


def test_a_child_that_ends_before_it_is_ready_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "import sys; sys.exit('no such port')"))

    with pytest.raises(ChildEndedError, match=r"(?s)child ended with status 1.*no such port"):
        child.wait_ready(10)
    child.stop()


def test_only_this_run_of_a_child_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "child.log").write_text("an older run\n")
    child = Child(python(tmp_path, "raise SystemExit(2)"))

    with pytest.raises(ChildEndedError) as caught:
        child.wait_ready(10)

    assert "older run" not in str(caught.value)
    child.stop()


def test_a_child_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    child = Child(python(tmp_path, "import signal; signal.pause()"))

    with pytest.raises(ChildNotReadyError, match=r"not ready within 0\.1 s"):
        child.wait_ready(0.1)
    child.stop()


def test_a_child_that_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY_THEN_WAIT
    child = Child(python(tmp_path, code))
    child.wait_ready(10)

    child.stop(within_seconds=0.1)

    assert child.has_ended


def test_children_that_end_together_are_asked_only_once(tmp_path: Path) -> None:
    # Like Azurite: the first signal starts the saving, a second one would end it half-way. The second child still saves
    # when the first has ended.
    code = (
        "import signal, time\n"
        "def save(*_):\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "    time.sleep(SECONDS)\n"
        "    print('saved')\n"
        "    raise SystemExit\n"
        "signal.signal(signal.SIGTERM, save)\n"
    )
    codes = {name: f"SECONDS = {seconds}\n{code}{READY_THEN_WAIT}" for name, seconds in {"a": 0.1, "b": 0.6}.items()}
    children = [Child(python(tmp_path / name, own_code)) for name, own_code in codes.items()]
    for child in children:
        child.wait_ready(10)

    stop_all(children)

    assert all("saved" in child.tail() for child in children)


def test_an_end_is_announced(tmp_path: Path) -> None:
    ended: queue.SimpleQueue[Child] = queue.SimpleQueue()
    child = Child(python(tmp_path, READY_THEN_WAIT), on_end=ended.put)
    child.wait_ready(10)

    child.kill()

    assert ended.get(timeout=5) is child


def test_children_are_refused_outside_the_main_thread(tmp_path: Path) -> None:
    errors: list[RuntimeError] = []

    def start() -> None:
        try:
            Child(python(tmp_path, "pass"))
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(errors[0])


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_a_child_gets_its_stop_signal_when_its_parent_is_killed(tmp_path: Path, stop_signal: signal.Signals) -> None:
    note = tmp_path / "note"
    grandchild = (
        f"import pathlib, signal; signal.signal({int(stop_signal)}, lambda *_: exit(pathlib.Path({str(note)!r})"
        f".write_text('stopped') and 0)); {READY_THEN_WAIT}"
    )
    parent_code = (
        "import pathlib, signal, sys\n"
        "from local_cloud.processes import Child, Command\n"
        f"argv = (sys.executable, '-u', '-c', {grandchild!r})\n"
        f"command = Command(name='grandchild', argv=argv, log=pathlib.Path({str(tmp_path / 'grandchild.log')!r}),\n"
        f"                  stop_signal=signal.Signals({int(stop_signal)}))\n"
        "Child(command).wait_ready(10)\n" + READY_THEN_WAIT
    )
    parent = Child(python(tmp_path, parent_code))
    parent.wait_ready(10)

    parent.kill()

    wait_until(lambda: note.exists() and note.read_text() == "stopped", 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_signal_interrupts_also_what_a_shell_started_in_the_background(number: signal.Signals) -> None:
    program = """
import signal, sys
from local_cloud.processes import interrupt_on_stop_signals
interrupt_on_stop_signals()
try:
    print("ready", flush=True)
    signal.pause()
except KeyboardInterrupt:
    signal.raise_signal(signal.SIGINT)  # a second Ctrl-C while everything is ended
    print("ended", flush=True)
"""
    with subprocess.Popen(
        ["bash", "-c", 'trap "" INT; exec "$0" "$@"', sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "ended\n"
    assert process.returncode == 0
