"""What the demo shows: live bars in a terminal, plain lines elsewhere, a table at the end."""

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDE = 110
"""From this many columns on there is room for a note beside the bar."""
NAME_WIDTH = 25
WIDE_BAR, SMALLEST_BAR = 30, 5
BESIDE_BAR = NAME_WIDTH + 16
"""Columns of a line without its bar: name, percent, time, gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage that was gone through."""

    name: str
    seconds: float
    proof: str


class Screen:
    """Shows stages as they run and remembers them for the table."""

    def __init__(self, console: Console | None = None) -> None:
        """Show on a console; standard output unless given."""
        self._console = console or Console()
        is_wide = self._console.width >= WIDE
        columns: list[ProgressColumn] = [
            TextColumn(f"{{task.description:<{NAME_WIDTH}}}"),
            BarColumn(bar_width=WIDE_BAR if is_wide else max(SMALLEST_BAR, self._console.width - BESIDE_BAR)),
            TaskProgressColumn(),
            TimeElapsedColumn(),
        ]
        # In a narrow terminal a note would push out bar, percent and time; the table at the end has its whole text.
        if is_wide:
            columns.append(TextColumn("{task.fields[note]}"))
        self._progress = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._stages: list[Stage] = []

    def __enter__(self) -> Self:
        """Begin to show."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self._progress.stop()

    @contextmanager
    def stage(self, name: str) -> Generator["RunningStage"]:
        """Show one stage while the block lasts."""
        started = time.monotonic()
        task = self._progress.add_task(name, total=100.0, note="")

        def show(percent: float, note: str) -> None:
            self._progress.update(task, completed=percent, note=note)
            if not self._console.is_terminal and note:
                print(f"  {name}: {percent:3.0f} % {note}", flush=True)

        if not self._console.is_terminal:
            print(name, flush=True)
        running = RunningStage(show)
        yield running
        seconds = time.monotonic() - started
        self._stages.append(Stage(name=name, seconds=seconds, proof=running.proof))
        self._progress.update(task, completed=100.0, note=running.proof)
        if not self._console.is_terminal:
            print(f"  {name}: done in {seconds:.1f} s{f', {running.proof}' if running.proof else ''}", flush=True)

    def summarise(self, title: str) -> None:
        """Print what was proven and how long each stage took."""
        self._progress.stop()
        table = Table(title=title, title_justify="left")
        table.add_column("stage")
        table.add_column("seconds", justify="right")
        table.add_column("what was proven")
        for stage in self._stages:
            table.add_row(stage.name, f"{stage.seconds:.1f}", stage.proof)
        table.add_row("all", f"{sum(stage.seconds for stage in self._stages):.1f}", "", style="bold")
        self._console.print(table)


class RunningStage:
    """A stage that is being gone through."""

    def __init__(self, show: Callable[[float, str], None]) -> None:
        self._show = show
        self._shown = ""
        self.proof = ""

    def show(self, percent: float, note: str) -> None:
        """Show how far it is; the same note is shown once."""
        if note != self._shown or percent >= 100:  # noqa: PLR2004 - percent
            self._shown = note
            self._show(percent, note)
        else:
            self._show(percent, "")

    def show_job(self, job: dict[str, Any]) -> None:
        """Show a job's own progress, from its sub-tasks."""
        tasks: list[dict[str, Any]] = job.get("extendedInfo", {}).get("subTasks") or []
        shares = [_percent(task) for task in tasks]
        running = (str(task["taskName"]) for task in tasks if task["taskStatus"] == "InProgress")
        current = next(running, str(job["status"]))
        self.show(sum(shares) / len(shares) if shares else 0.0, current)


def _percent(task: dict[str, Any]) -> float:
    if task["taskStatus"] == "Completed":
        return 100.0
    found = re.match(r"\d+(\.\d+)?", str(task.get("taskProgress") or ""))
    return float(found[0]) if found else 0.0
