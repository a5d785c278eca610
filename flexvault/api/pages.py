"""Pages of a list: the token names the last element of the page before, so that nothing is shown twice or left out."""

import re
from base64 import b64decode, urlsafe_b64encode

from flexvault.domain.errors import InvalidInputError


def write_token(last: str) -> str:
    """Make the `$skipToken` that continues after an element."""
    return urlsafe_b64encode(last.encode()).decode()


def read_token(token: str, form: re.Pattern[str]) -> str:
    """Answer the element after which a page begins; empty for the first page.

    Raises:
        InvalidInputError: The token is none that the vault made.
    """
    if not token:
        return ""
    try:
        last = b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except ValueError:
        last = ""
    if not form.fullmatch(last):
        hint = "follow nextLink as it was sent, or begin without a $skipToken"
        raise InvalidInputError("the $skipToken is none that the vault made", target="$skipToken", hint=hint)
    return last
