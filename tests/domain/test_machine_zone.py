"""The rules on a machine that lives elsewhere: its own time zone changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

RULES = ("test_decisions.py", "test_schedule.py")
HERE = Path(__file__).parent


def test_the_rules_are_the_same_on_a_machine_in_new_york():
    """In a process of its own, which runs other files than this one."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / name) for name in RULES)]
    environment = {**os.environ, "TZ": "America/New_York"}
    done = subprocess.run(
        command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
