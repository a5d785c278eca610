"""What a check says."""

from dataclasses import dataclass

from flexvault.domain.sql_text import one_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is in the way, or one to know.

    Attributes:
        hint: What to do next.
        is_error: Nothing is restored before it is gone.
    """

    text: str
    hint: str = ""
    is_error: bool = True

    def __str__(self) -> str:
        word = "in the way" if self.is_error else "note"
        return f"{word}: {one_line(self.text)}" + (f"; hint: {one_line(self.hint)}" if self.hint else "")


def problem(text: str, hint: str = "") -> Finding:
    """Say what is in the way."""
    return Finding(text=text, hint=hint)


def note(text: str, hint: str = "") -> Finding:
    """Say what to know."""
    return Finding(text=text, hint=hint, is_error=False)
