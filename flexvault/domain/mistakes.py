"""Collect every mistake of an input instead of stopping at the first."""

from collections.abc import Mapping
from typing import Any

from flexvault.domain.errors import InvalidInputError


class Mistakes:
    """What is wrong with an input, each with its JSON path."""

    def __init__(self) -> None:
        self.found: list[InvalidInputError] = []

    def wrong(self, path: str, message: str, code: str | None = None) -> None:
        """Remember a mistake."""
        self.found.append(InvalidInputError(message, target=path, code=code))

    def text(self, holder: Mapping[str, Any], path: str, member: str) -> str:
        """Read a text that must be there and not be empty."""
        value = holder.get(member)
        if isinstance(value, str) and value:
            return value
        self.wrong(f"{path}.{member}" if path else member, "is missing or not a text")
        return ""

    def finish(self, what: str, target: str = "") -> None:
        """Refuse the whole when there were mistakes.

        Args:
            what: What was read, such as `policy`.
            target: JSON path of the whole, if it has one.

        Raises:
            InvalidInputError: Every mistake is a detail.
        """
        if self.found:
            text = "; ".join(f"{mistake.target}: {mistake.message}" for mistake in self.found)
            hint = "correct the named members and send the request again"
            details = tuple(self.found)
            raise InvalidInputError(f"the {what} cannot be used: {text}", target=target, hint=hint, details=details)
