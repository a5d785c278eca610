"""Keep texts that others wrote within what a row and a reader can take."""

LONGEST_MESSAGE = 1_000


def shorten(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Answer the text, cut with a mark when it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 5]} [..]"
