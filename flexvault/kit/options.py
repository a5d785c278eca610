"""What a person chose on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flexvault.domain.dump_choice import TableName
from flexvault.domain.names import canonical_json


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
        without_extensions: Are left out with all that depends on them.
        search_paths: Database -> search_path for functions, as SQL writes the list.
    """

    databases: tuple[str, ...] = ()
    schemas: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    tables: Mapping[str, tuple[TableName, ...]] = field(default_factory=dict[str, tuple[TableName, ...]])
    into: str = ""
    jobs: int = 2
    updates_roles: bool = False
    with_passwords: bool = False
    with_subscriptions: bool = False
    without_extensions: frozenset[str] = frozenset()
    search_paths: Mapping[str, str] = field(default_factory=dict[str, str])

    def wants(self, database: str) -> bool:
        """Say whether a database is chosen."""
        named = {*self.databases, *self.schemas, *self.tables}
        return not named or database in named

    def choice(self, database: str) -> str:
        """Write what is chosen of a database as text: the same choice, the same text."""
        tables = sorted([table.schema, table.name] for table in self.tables.get(database, ()))
        chosen = [database, sorted(self.schemas.get(database, ())), tables, sorted(self.without_extensions)]
        return canonical_json([*chosen, self.with_subscriptions]).decode()
