"""Pages of a list: the token names the last element of the page before, so that nothing is shown twice or left out.

Every list is answered here: in an order that a text (an element's *place*) decides, so that what comes or goes between
two pages moves no other element.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.domain.errors import InvalidInputError

LARGEST_PAGE = 1_000
_KEPT = ("$filter", "$top", "state", "now", "database", "schema", "kind")
"""What the next page is asked with again, beside the api-version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which page of a list a client asks for."""

    after: str
    """Place of the last element of the page before; empty for the first page."""
    size: int

    @property
    def to_read(self) -> int:
        """Answer how many elements must be read: one more than shown, which tells that there is a next page."""
        return self.size + 1


def read_page(call: Call, form: re.Pattern[str], *, has_filter: bool = False) -> Page:
    """Read `$top` and `$skipToken`.

    Args:
        call: The call.
        form: What every place of this list looks like.
        has_filter: The list knows a `$filter`; elsewhere only an empty one is accepted.

    Raises:
        InvalidInputError: One of them cannot be used.
    """
    if not has_filter and call.query.get("$filter", "").strip():
        raise InvalidInputError(
            f"the list '{call.path}' takes no $filter",
            target="$filter",
            hint="leave it out and choose in the answer; recovery points can be filtered by startDate and endDate",
        )
    return Page(after=read_token(call.query.get("$skiptoken", ""), form), size=_read_top(call))


def answer_page[Element](
    call: Call,
    page: Page,
    found: Iterable[Element],
    place: Callable[[Element], str],
    show: Callable[[Element], Mapping[str, Any]],
) -> Answer:
    """Answer a page and the link to the next one.

    Args:
        call: The call.
        page: Which page it is.
        found: What comes after the page before, in order; no more is taken of it than the page needs.
        place: Where an element stands: unique, and sorted as the list is.
        show: Writes an element; only those of the page.
    """
    elements = list(islice(found, page.to_read))
    shown = elements[: page.size]
    body: dict[str, Any] = {"value": [show(element) for element in shown]}
    if len(elements) > len(shown):
        kept = {name: call.query[name] for name in _KEPT if call.query.get(name)}
        body["nextLink"] = call.links.to(call.path, {**kept, "$skipToken": write_token(place(shown[-1]))})
    return Answer(body=body)


def list_nothing(call: Call) -> Answer:
    """List none: clients ask whether there are any before they do anything else."""
    return answer_page(call, read_page(call, _NO_PLACE), (), str, dict)


_NO_PLACE = re.compile(r"(?!)")


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


def _read_top(call: Call) -> int:
    text = call.query.get("$top", "").strip()
    if not text:
        return call.page_size
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= LARGEST_PAGE:
        raise InvalidInputError(
            f"'{text[:20]}' is no $top: a page has 1 to {LARGEST_PAGE} elements",
            target="$top",
            hint=f"send a whole number from 1 to {LARGEST_PAGE}, or leave it out; follow nextLink for more",
        )
    return int(text)


_NUMBER = re.compile(r"[0-9]{1,4}")
