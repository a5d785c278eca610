"""How large a thing may be that a client sends and that is kept in one row: its text has at most 32 K characters."""

import json
from typing import Any

from flexvault.domain.errors import InvalidInputError


def require_small(properties: Any, what: str, name: str, largest: int) -> None:
    """Refuse properties whose JSON is longer than there is room for.

    Raises:
        InvalidInputError: With both lengths.
    """
    length = len(json.dumps(properties))
    if length > largest:
        raise InvalidInputError(
            f"the {what} '{name}' has {length} characters of JSON; at most {largest} can be kept",
            target=name,
            hint="send a shorter body",
        )
