"""Say whether a server is in the middle of a rebuild: then what it lacks may still come."""

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


def unfinished_rebuild(client: Client, kit_id: str) -> str:
    """Say what is unfinished and what to do; empty when no rebuild is.

    Raises:
        ClientError: The server cannot be reached.
    """
    if client.value(_IS_THERE) == "0":
        return ""
    try:
        rows = Progress(client, kit_id).read()
    except ConflictError as error:
        return f"{error.message}; {error.hint}"
    except ClientError as error:  # it is being made or dropped at this moment, or is not ours to read
        return f"its database {DATABASE} is there and cannot be read: {error.message}"
    stands = [
        f"{one_line(name)} {_STATES[row.state]}"
        for name, row in sorted(rows.items())
        if name != ROLES and row.state != "done"
    ]
    done = [one_line(name) for name, row in sorted(rows.items()) if name != ROLES and row.state == "done"]
    said = "; ".join([*stands, *([f"done: {', '.join(done)}"] if done else [])]) or "no database is begun"
    return f"{said}; run the same restore command again: it goes on"
