"""How all Azure clients wait, repeat and give up: short and bounded, because Durable repeats the whole step."""

from http import HTTPStatus
from typing import Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline import PipelineResponse
from azure.core.pipeline.policies import RetryPolicy
from azure.storage.blob import LinearRetry

_RETRIES = 3

TIMEOUTS = {"connection_timeout": 10, "read_timeout": 60}
"""Seconds."""
COPY_READ_TIMEOUT_SECONDS = 120
"""Storage answers a copy from a URL only when the whole block has arrived."""


class UnhurriedRetryPolicy(RetryPolicy[Any, Any]):
    """Repeat short failures only: a pause that the service asks for is a durable timer's, not a thread's."""

    def __init__(self) -> None:
        super().__init__(retry_total=_RETRIES, retry_backoff_max=5)

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Refuse to repeat what names its own pause."""
        answer = response.http_response
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or "Retry-After" in answer.headers:
            return False
        return super().is_retry(settings, response)


def blob_options() -> dict[str, Any]:
    """Answer the options of every blob client."""
    # The SDK's own pauses are 15 s and more: over three repetitions a step would seem dead.
    return {"retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=_RETRIES), **TIMEOUTS}


def table_options() -> dict[str, Any]:
    """Answer the options of every table client."""
    return {"retry_total": _RETRIES, "retry_backoff_max": 5, **TIMEOUTS}


def status_of(error: AzureError) -> int:
    """Answer the HTTP status behind an SDK error; 0 when nothing was answered."""
    return (error.status_code or 0) if isinstance(error, HttpResponseError) else 0


def is_refused(error: AzureError) -> bool:
    """Answer whether the service refused the identity."""
    return status_of(error) in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def is_throttled(error: AzureError) -> bool:
    """Answer whether the service asked for a pause."""
    return status_of(error) == HTTPStatus.TOO_MANY_REQUESTS


def is_passing(error: AzureError) -> bool:
    """Answer whether nothing was answered, or a failure of the service's own."""
    status = status_of(error)
    return not status or status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def error_code_of(error: AzureError) -> str:
    """Answer storage's own error code; "" when there is none."""
    found: Any = getattr(error, "error_code", None)
    response: Any = getattr(error, "response", None)
    if found is None and response is not None:
        found = response.headers.get("x-ms-error-code")
    return str(getattr(found, "value", found) or "")


def retry_after_of(error: AzureError) -> int | None:
    """Answer the seconds that the service asked for; a date or nothing is None."""
    response: Any = getattr(error, "response", None)
    value = str(response.headers.get("Retry-After", "")) if response is not None else ""
    return int(value) if value.isdecimal() else None
