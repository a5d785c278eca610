"""What a security rule of the templates is: what is checked, why, and one change that must be caught."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.infra.cloud import Cloud


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        name: Its id in the tests' output: the rule as a phrase.
        why: What goes wrong without it.
        find: Names every resource that breaks it.
        file: Template that the mutation changes.
        old: Text that the mutation replaces, once.
        new: The replacement, which must break the rule.
    """

    name: str
    why: str
    find: Callable[[Cloud], list[str]]
    file: str
    old: str
    new: str


def make_rule(name: str, why: str, find: Callable[[Cloud], list[str]], file: str, change: tuple[str, str]) -> Rule:
    return Rule(name=name, why=why, find=find, file=file, old=change[0], new=change[1])
