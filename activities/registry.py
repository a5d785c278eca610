"""The only edge between Durable and the services: JSON in and out, errors redacted.

Durable stores the text of every exception that leaves an activity, its cause's too: only our own, redacted errors
leave, and `from None`. Permanent errors have become outcomes before; what is raised here is repeated.
"""

import logging
from collections.abc import Callable
from typing import Any

from flexvault.bootstrap import get_vault
from flexvault.domain.errors import TransientError, VaultError
from flexvault.domain.job import Step
from flexvault.messages import ACTIVITIES, StepRequest
from flexvault.services.effects import run

logger = logging.getLogger(__name__)


class ActivityError(Exception):
    """What leaves an activity: a code and a sentence of ours, no SDK's text, no cause."""


def run_step_activity(step: Step, payload: Any) -> dict[str, Any]:
    """Run one step for Durable."""
    request = StepRequest.from_json({**payload, "step": step.value})
    return redacted(ACTIVITIES[step], lambda: run(get_vault(), request).to_json())


def redacted[Answer](name: str, body: Callable[[], Answer]) -> Answer:
    """Call a body so that only our own errors leave it.

    Raises:
        ActivityError: Durable repeats the activity by its retry policy.
    """
    try:
        return body()
    except VaultError as error:
        logger.warning("activity %s will be repeated: %s", name, error.code)
        hint = "transient" if isinstance(error, TransientError) else "permanent"
        text = f"{name}: {error.code} ({hint}): {error.message}"
    except Exception as error:  # noqa: BLE001 - the edge: nothing else may leave an activity
        logger.error("activity %s failed: %s at %s", name, type(error).__name__, _origin(error))  # noqa: TRY400 - a traceback may hold a SAS
        text = f"{name}: {type(error).__name__} at {_origin(error)}"
    raise ActivityError(text) from None


def _origin(error: BaseException) -> str:
    """Name the line of ours where an unexpected error came from, without its text."""
    trace, place = error.__traceback__, "an unknown place"
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.split(".", maxsplit=1)[0] in {"flexvault", "activities"}:
            place = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
