"""How answers are shown: tables for people, the vault's own JSON for scripts."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flexvault_cli.errors import CliError
from flexvault_cli.wire import Json

PIPE_WIDTH = 240

type Columns = Mapping[str, Callable[[Json], object]]


def show_rows(rows: Sequence[Json], columns: Columns, *, as_json: bool) -> None:
    """Print resources: one table row each, or a JSON list."""
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    if not rows:
        print("nothing found")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(read(row)) for read in columns.values()))
    _console().print(table)


def show_one(resource: Json, fields: Columns, *, as_json: bool) -> None:
    """Print one resource: a line for each field that it has, or its JSON."""
    if as_json:
        print(json.dumps(resource, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, read in fields.items():
        value = read(resource)
        if value not in (None, "", []):
            table.add_row(name, _cell(value))
    _console().print(table)


def show_error(error: CliError) -> None:
    """Print code, message and what to do next, on standard error."""
    print(f"error: {error.code}: {error.message}" if error.code else f"error: {error.message}", file=sys.stderr)
    for action in error.actions:
        print(f"recommended: {action}", file=sys.stderr)


def show_progress(text: str) -> None:
    """Print what is going on, on standard error, so that it never mixes with the answer."""
    print(text, file=sys.stderr)


def _console() -> Console:
    # Without a terminal rich assumes 80 columns and would fold ids that scripts want whole.
    return Console() if sys.stdout.isatty() else Console(width=PIPE_WIDTH)


def _cell(value: object) -> Text:
    """Names and messages are shown as they are: square brackets in them are no markup."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return Text("\n".join("" if item is None else str(item) for item in items))
