"""Try a mutation on a copy of the tree, so that nobody who works in the real one meets it."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutations.mutation import Mutation

ROOT = Path(__file__).parent.parent.parent
LINKED = (".venv", ".tools", "local_cloud/azurite/node_modules")
"""What was set up and is not changed by tests: too large to be copied."""
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", ".tools", ".local", "node_modules", "__pycache__", ".*_cache", ".hypothesis"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of one trial."""

    has_passed: bool
    """Every test passed."""
    has_failed: bool
    """Tests ran, and one failed; a broken import, for example, is neither."""
    seconds: float
    noticed_by: str
    """The first test that failed, or nothing."""
    output: str
    """The end of what pytest said."""


@contextmanager
def copied_tree() -> Generator[Path]:
    """Copy the tree as it is now; the copy goes with the block."""
    with TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=NOT_COPIED, symlinks=True)
        for linked in LINKED:
            if (ROOT / linked).exists():
                (copy / linked).symlink_to(ROOT / linked)
        yield copy


def run_unchanged(tree: Path, mutations: Sequence[Mutation]) -> Verdict:
    """Run every test file that is going to judge, on the code as it is: a test that fails anyway judges nothing."""
    return _run(tree, sorted({test for mutation in mutations for test in mutation.tests}))


def try_mutation(tree: Path, mutation: Mutation) -> Verdict:
    """Apply a mutation, run its tests, and take it back.

    Raises:
        DoesNotApplyError: The code has changed.
    """
    file = tree / mutation.path
    original = file.read_bytes()
    file.write_text(mutation.apply(tree), encoding="utf-8")
    try:
        return _run(tree, mutation.tests)
    finally:
        file.write_bytes(original)


def _run(tree: Path, tests: Sequence[str]) -> Verdict:
    started = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        cwd=tree,
        # A file changes twice within a second: bytecode of the one text must not be taken for the other's.
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", finished.stdout, re.MULTILINE)
    return Verdict(
        has_passed=finished.returncode == pytest.ExitCode.OK,
        has_failed=finished.returncode == pytest.ExitCode.TESTS_FAILED,
        seconds=time.monotonic() - started,
        noticed_by=failed[1] if failed else "",
        output=(finished.stdout + finished.stderr)[-3000:],
    )
