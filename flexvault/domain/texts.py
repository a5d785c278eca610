"""Keep texts that others wrote within what a row and a reader can take."""

from flexvault.domain.errors import InvalidInputError

LONGEST_MESSAGE = 1_000
LONGEST_REASON = 1_000


def shorten(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Answer the text, cut with a mark when it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 5]} [..]"


def quoted(name: str, longest: int = LONGEST_MESSAGE) -> str:
    """Show a name in single quotes as it is, quotes and backslashes too; what cannot be printed as an escape."""
    shown = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in shorten(name, longest))
    return f"'{''.join(shown)}'"


def require_reason(reason: str, of: str, hint: str) -> None:
    """Require that a person said why.

    Raises:
        InvalidInputError: The reason is missing or too long.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON:
        text = f"the reason of {of} has 1 to {LONGEST_REASON} characters, this one has {len(reason)}"
        raise InvalidInputError(text, target="reason", hint=hint)
