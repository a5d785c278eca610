"""Custom events for Application Insights, by way of the log; and what every record and trace of some work carries.

The Functions worker exports log records; one that carries `microsoft.custom_event.name` arrives as a custom event.
Source: https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-add-modify
"""

import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import trace

from flexvault.adapters.log_facts import PREFIX, facts
from flexvault.domain.redaction import redact
from flexvault.ports import Scalar

_EVENT_NAME = "microsoft.custom_event.name"


class AzureTelemetry:
    """Sends events through the logger `flexvault.events`."""

    def __init__(self, tracer: trace.Tracer | None = None) -> None:
        """Take the process's tracer, unless told; it does nothing where nobody exports spans."""
        self._logger = logging.getLogger("flexvault.events")
        self._tracer = tracer or trace.get_tracer("flexvault")

    def emit(self, event: str, facts: Mapping[str, Scalar]) -> None:
        """Send one event; every fact becomes the property `flexvault.{name}`."""
        # Prefixed names can never collide with the members of a log record, which logging would refuse.
        extra = {f"{PREFIX}{name.removeprefix(PREFIX)}": _property(value) for name, value in facts.items()}
        shown = redact(event)
        self._logger.info(shown, extra={_EVENT_NAME: shown, **extra})

    @contextmanager
    def within(self, more: Mapping[str, str]) -> Generator[None]:
        """Put facts on the present span and on every log record of this thread until the end of the block.

        The worker's own context holds only the host's span, which takes no attributes from here: then a span of ours
        goes below it.
        """
        attributes = {f"{PREFIX}{name}": redact(value) for name, value in more.items()}
        span = trace.get_current_span()
        with facts(more):
            if span.is_recording():
                span.set_attributes(attributes)
                yield
            else:
                # What is raised has been handled where it counts, and its text may be somebody else's.
                with self._tracer.start_as_current_span(
                    "flexvault", attributes=attributes, record_exception=False, set_status_on_exception=False
                ):
                    yield


def _property(value: Scalar) -> str | int | float | bool:
    if isinstance(value, datetime):
        return value.isoformat()
    return redact(value) if isinstance(value, str) else value
