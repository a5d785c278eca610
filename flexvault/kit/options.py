"""What a person chose on the command line: the same choices for all commands that look at what is restored."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from flexvault.domain.dump_choice import TableName
from flexvault.domain.names import canonical_json
from flexvault.domain.sql_text import readable

DEFAULT_JOBS: Final = 2
MANY_INTO_ONE: Final = "--into names one database, and several are restored"
LONGEST_NAME_BYTES: Final = 63
"""PostgreSQL cuts longer ones without an error (NAMEDATALEN)."""
_MOST_JOBS: Final = 64
_GUARD: Final = "\0"
_NAMES: Final = {
    "--database": 1,
    "--schema": 2,
    "--table": 3,
    "--into": 1,
    "--keep-role": 1,
    "--without-extension": 1,
    "--search-path": 2,
}
"""Options whose values are names, which may begin with a dash, and how many they take."""


class Commands(Protocol):
    """Where a command is added: what `add_subparsers` of an argument parser answers."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of a rebuild.

    Attributes:
        databases: Exact names; empty for all.
        schemas: Database -> schemas; only these are restored of it.
        tables: Database -> tables; only these are restored of it.
        into: Name of the new database in place of the only one that is restored; empty for its own.
        jobs: Streams of data, and jobs of pg_restore for indexes and keys.
        updates_roles: Roles that exist get the backup's attributes.
        kept_roles: Stay as they are.
        only_roles: Only the roles are made.
        allows_source: The target may be the source itself.
        without_extensions: Are left out with all that depends on them.
        search_paths: Database -> search_path for functions, as SQL writes the list.
    """

    databases: tuple[str, ...] = ()
    schemas: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tables: Mapping[str, tuple[TableName, ...]] = field(default_factory=dict[str, tuple[TableName, ...]])
    into: str = ""
    jobs: int = DEFAULT_JOBS
    updates_roles: bool = False
    kept_roles: frozenset[str] = frozenset()
    only_roles: bool = False
    allows_source: bool = False
    with_passwords: bool = False
    with_subscriptions: bool = False
    without_extensions: frozenset[str] = frozenset()
    search_paths: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def named(self) -> frozenset[str]:
        """Databases that were named in any way; none for all."""
        return frozenset({*self.databases, *self.schemas, *self.tables})

    def wants(self, database: str) -> bool:
        """Say whether a database is chosen."""
        return not self.named or database in self.named

    def wants_listed(self, database: str) -> bool:
        """Say it of a name as a manifest writes it, with bytes that are no letters escaped."""
        return not self.named or database in {readable(name) for name in self.named}

    def is_partial(self, database: str) -> bool:
        """Say whether only some objects of a database are chosen."""
        return bool(self.schemas.get(database) or self.tables.get(database))

    def choice(self, database: str) -> str:
        """Write what is chosen of a database as text: the same choice, the same text."""
        tables = sorted([table.schema, table.name] for table in self.tables.get(database, ()))
        chosen = [database, sorted(self.schemas.get(database, ())), tables, sorted(self.without_extensions)]
        return canonical_json([*chosen, self.with_subscriptions]).decode()


def add_command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    """Add a command that works on what is chosen, with the options that choose it: see `choices_of`."""
    command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
    add = command.add_argument
    add("--files", type=Path, metavar="FOLDER", help="where the files of the restore lie; else the kit's parent folder")
    add_names(command, "--database", ("NAME",), "only this one; repeatable")
    add_names(command, "--schema", ("DATABASE", "SCHEMA"), "only this schema of it; repeatable")
    add_names(command, "--table", ("DATABASE", "SCHEMA", "TABLE"), "only this table of it; repeatable")
    add("--into", type=_new_database, metavar="NAME", help="name of the new database, when one is restored")
    add("--jobs", type=_jobs, default=DEFAULT_JOBS, metavar="N", help=f"tables at once ({DEFAULT_JOBS})")
    return command


def add_names(command: argparse.ArgumentParser, option: str, names: tuple[str, ...], text: str) -> None:
    """Add an option that takes names and may be repeated."""
    if len(names) == 1:
        command.add_argument(option, action="append", type=_name, default=[], metavar=names[0], help=text)
    else:
        command.add_argument(
            option, action="append", type=_name, default=[], nargs=len(names), metavar=names, help=text
        )


def choices_of(chosen: argparse.Namespace) -> Options:
    """Read what all commands can choose."""
    schemas: dict[str, tuple[str, ...]] = {}
    for database, schema in chosen.schema:
        schemas[database] = (*schemas.get(database, ()), schema)
    tables: dict[str, tuple[TableName, ...]] = {}
    for database, schema, table in chosen.table:
        tables[database] = (*tables.get(database, ()), TableName(schema, table))
    return Options(
        databases=tuple(chosen.database), schemas=schemas, tables=tables, into=chosen.into or "", jobs=chosen.jobs
    )


def protect(words: Sequence[str]) -> list[str]:
    """Keep names that begin with a dash from being read as options; `_name` takes the guard away."""
    guarded: list[str] = []
    left = 0
    for word in words:
        guarded.append(_GUARD + word if left else word)
        left = left - 1 if left else _NAMES.get(word, 0)
    return guarded


def _name(text: str) -> str:
    return text.removeprefix(_GUARD)


def _new_database(text: str) -> str:
    name = _name(text)
    if not name:
        raise argparse.ArgumentTypeError("a database needs a name")
    size = len(name.encode("utf-8", "surrogateescape"))
    if size > LONGEST_NAME_BYTES:
        raise argparse.ArgumentTypeError(
            f"PostgreSQL takes names of at most {LONGEST_NAME_BYTES} bytes, this one has {size}"
        )
    return name


def _jobs(text: str) -> int:
    if text.isdigit() and 1 <= int(text) <= _MOST_JOBS:
        return int(text)
    raise argparse.ArgumentTypeError(f"a number from 1 to {_MOST_JOBS}")
