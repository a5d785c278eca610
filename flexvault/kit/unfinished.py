"""Say whether a server is in the middle of a rebuild: then what it lacks may still come."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from flexvault.domain.errors import ConflictError
from flexvault.domain.sql_text import one_line
from flexvault.kit.client import Client, ClientError
from flexvault.kit.progress import DATABASE, ROLES, Progress, State

_IS_THERE: Final = f"SELECT count(*) FROM pg_catalog.pg_database WHERE datname = '{DATABASE}'"
_STATES: Final[dict[State, str]] = {
    "intent": "is not made yet",
    "made": "has no data yet",
    "data": "has a part of its data",
    "loaded": "has its data, not yet all keys, indexes and rights",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """A rebuild that did not end.

    Attributes:
        said: What is unfinished and what to do.
        databases: Those that are; nothing when it is not known, or when no database is begun.
    """

    said: str
    databases: frozenset[str] | None = None

    def concerns(self, chosen: Collection[str]) -> bool:
        """Say whether it makes a comparison of some databases, or of all where none is named, no proof."""
        return not chosen or self.databases is None or not self.databases.isdisjoint(chosen)


def unfinished_rebuild(client: Client, kit_id: str) -> Unfinished | None:
    """Look for the database in which a rebuild notes how far it is.

    Raises:
        ClientError: The server cannot be reached.
    """
    if client.value(_IS_THERE) == "0":
        return None
    try:
        rows = Progress(client, kit_id).read()
    except ConflictError as error:
        return Unfinished(said=f"{error.message}; {error.hint}")
    except ClientError as error:  # it is being made or dropped at this moment, or is not ours to read
        return Unfinished(said=f"its database {DATABASE} is there and cannot be read: {error.message}")
    databases: dict[str, State] = {name: row.state for name, row in sorted(rows.items()) if name != ROLES}
    parts = [f"{one_line(name)} {_STATES[state]}" for name, state in databases.items() if state != "done"]
    done = [one_line(name) for name, state in databases.items() if state == "done"]
    parts += [f"done: {', '.join(done)}"] if done else []
    said = f"{'; '.join(parts) or 'no database is begun'}; run the same restore command again: it goes on"
    begun = frozenset(name for name, state in databases.items() if state != "done")
    return Unfinished(said=said, databases=begun if databases else None)
