"""The facts that every log record carries while something is worked at: a request's ids, a job's."""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

PREFIX = "flexvault."
_FACTS: ContextVar[Mapping[str, str]] = ContextVar("flexvault_facts", default={})  # noqa: B039 - never changed in place


@contextmanager
def facts(more: Mapping[str, str]) -> Generator[None]:
    """Let every record of this thread carry some facts more, until the end of the block."""
    token = _FACTS.set({**_FACTS.get(), **more})
    try:
        yield
    finally:
        _FACTS.reset(token)


def add_facts(record: logging.LogRecord) -> None:
    """Add the present facts to a record; what it carries already stays."""
    for name, value in _FACTS.get().items():
        # Prefixed names can never collide with a record's own members.
        record.__dict__.setdefault(f"{PREFIX}{name}", value)
