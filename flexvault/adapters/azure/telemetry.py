"""Custom events for Application Insights, by way of the log.

The Functions worker exports log records; one that carries `microsoft.custom_event.name` arrives as a custom event.
Source: https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-add-modify
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from flexvault.domain.redaction import redact
from flexvault.ports import Scalar

_EVENT_NAME = "microsoft.custom_event.name"
_PREFIX = "flexvault."


class AzureTelemetry:
    """Sends events through the logger `flexvault.events`."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("flexvault.events")

    def emit(self, event: str, facts: Mapping[str, Scalar]) -> None:
        """Send one event; every fact becomes the property `flexvault.{name}`."""
        # Prefixed names can never collide with the members of a log record, which logging would refuse.
        extra = {f"{_PREFIX}{name.removeprefix(_PREFIX)}": _property(value) for name, value in facts.items()}
        shown = redact(event)
        self._logger.info(shown, extra={_EVENT_NAME: shown, **extra})


def _property(value: Scalar) -> str | int | float | bool:
    if isinstance(value, datetime):
        return value.isoformat()
    return redact(value) if isinstance(value, str) else value
