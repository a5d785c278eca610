"""The vault's tags under ARM's limits.

Source: https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources
"""

from typing import Any

from flexvault.domain.json_values import as_object
from flexvault.domain.mistakes import Mistakes

MOST_TAGS, LONGEST_NAME, LONGEST_VALUE = 50, 512, 256
FORBIDDEN = frozenset("<>%&\\?/")


def read_tags(sent: Any, mistakes: Mistakes) -> dict[str, str]:
    """Read tags as a client sends them, in its spelling; what is wrong is remembered."""
    members = as_object(sent)
    if members is None:
        mistakes.wrong("tags", "must be an object of texts")
        return {}
    if len(members) > MOST_TAGS:
        mistakes.wrong("tags", f"has {len(members)} tags, at most {MOST_TAGS} are allowed")
    seen: set[str] = set()
    for name, value in members.items():
        shown = name[:_SHOWN]
        if not name.strip() or len(name) > LONGEST_NAME or FORBIDDEN & set(name):
            mistakes.wrong(f"tags.{shown}", f"needs a name of 1 to {LONGEST_NAME} characters without <>%&\\?/")
        if not isinstance(value, str) or len(value) > LONGEST_VALUE:
            mistakes.wrong(f"tags.{shown}", f"must be a text of at most {LONGEST_VALUE} characters")
        if name.lower() in seen:
            mistakes.wrong(f"tags.{shown}", "is there twice: names of tags compare without regard to case")
        seen.add(name.lower())
    return {str(name): str(value) for name, value in members.items()}


_SHOWN = 60
