"""How answers are shown: tables for people, the vault's own JSON for scripts."""

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flexvault_cli.errors import CliError
from flexvault_cli.wire import Json, dig_list

PIPE_WIDTH = 240
GAP = 1
NARROWEST = 8
"""A column that may fold stays at least this wide."""
WHOLE = ("id", "name")
"""Columns that people copy from: never folded."""

type Columns = Mapping[str, Callable[[Json], object]]


def show_rows(
    rows: Sequence[Json],
    columns: Columns,
    *,
    as_json: bool,
    dropped_first: Sequence[str] = (),
    empty: str = "nothing found",
    console: Console | None = None,
) -> None:
    """Print resources: one table row each, or a JSON list.

    Args:
        rows: The resources.
        columns: How each column is read.
        as_json: Print the vault's JSON.
        dropped_first: Columns that go, one after the other, while the terminal is too narrow for all.
        empty: What to print in place of a table without rows.
        console: Where to print the table; standard output unless given.
    """
    if as_json:
        show_json(rows)
        return
    if not rows:
        print(empty)
        return
    console = console or _console()
    cells = {name: [_cell(read(row)) for row in rows] for name, read in columns.items()}
    for name in dropped_first:
        if _width(cells) > console.width:
            del cells[name]
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, GAP, 0, 0))
    for name in cells:
        table.add_column(name, overflow="fold", no_wrap=name in WHOLE)
    for row in zip(*cells.values(), strict=True):
        table.add_row(*row)
    least = _width({name: cells[name] for name in cells if name in WHOLE}) + (NARROWEST + GAP) * len(cells)
    # Wider than the terminal rather than with an id cut off: the terminal wraps the line, and the id can be copied.
    console.width = max(console.width, least)
    console.print(table)


def show_one(resource: Json, fields: Columns, *, as_json: bool) -> None:
    """Print one resource: a line for each field that it has, or its JSON."""
    if as_json:
        show_json(resource)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, read in fields.items():
        value = read(resource)
        if value not in (None, "", []):
            table.add_row(name, _cell(value))
    _console().print(table)


def show_json(answer: object) -> None:
    """Print the vault's JSON."""
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def show_lines(lines: Sequence[str]) -> None:
    """Print lines of text between or below tables."""
    for line in lines:
        print(line)


def show_error_lines(lines: Sequence[str]) -> None:
    """Print lines of text on standard error, where standard output is for something that is read by a program."""
    for line in lines:
        print(line, file=sys.stderr)


def show_error(error: CliError, actions: Collection[str]) -> None:
    """Print code, message and what to do next, on standard error."""
    print(f"error: {error.code}: {error.message}" if error.code else f"error: {error.message}", file=sys.stderr)
    for action in actions:
        print(f"recommended: {action}", file=sys.stderr)


def show_warnings(checked: Json) -> None:
    """Print what a check of the vault warns of, and what to do about it, on standard error."""
    for detail in dig_list(checked, "warningDetails"):
        warned: Json = detail.get("warning") or {}
        print(f"warning: {warned.get('code')}: {warned.get('message')}", file=sys.stderr)
        for action in dig_list(warned, "recommendedAction"):
            print(f"recommended: {action}", file=sys.stderr)


def show_progress(text: str) -> None:
    """Print what is going on, on standard error, so that it never mixes with the answer."""
    print(text, file=sys.stderr)


def error_console() -> Console:
    """Answer where tables go while standard output is read by a program."""
    return Console(stderr=True) if sys.stderr.isatty() else Console(stderr=True, width=PIPE_WIDTH)


def _console() -> Console:
    # Without a terminal rich assumes 80 columns and would fold ids that scripts want whole.
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def _width(cells: Mapping[str, Sequence[Text]]) -> int:
    """Answer how wide a table is that folds nothing."""
    return sum(max(len(name), *(_longest_line(cell) for cell in column)) + GAP for name, column in cells.items())


def _longest_line(cell: Text) -> int:
    return max((len(line) for line in cell.plain.splitlines()), default=0)


def _cell(value: object) -> Text:
    """Names and messages are shown as they are: square brackets in them are no markup."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return Text("\n".join("" if item is None else str(item) for item in items))
