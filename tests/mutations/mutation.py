"""A mutation, and how it is applied."""

from dataclasses import dataclass
from pathlib import Path


class DoesNotApplyError(Exception):
    """The text that a mutation replaces is not in its file exactly once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A patch that makes the code wrong."""

    name: str
    """What is broken, as a sentence about behaviour."""
    path: str
    """The file, relative to the repository."""
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: tuple[str, ...]
    """The smallest test files of which one must fail."""

    def apply(self, root: Path) -> str:
        """Answer the file's text with the mutation in it.

        Raises:
            DoesNotApplyError: The code has changed; the mutation must follow.
        """
        text = (root / self.path).read_text(encoding="utf-8")
        found = text.count(self.old)
        if found != 1:
            raise DoesNotApplyError(f"'{self.name}': its text is in {self.path} {found} times; hint: follow the code")
        return text.replace(self.old, self.new)
