"""How the activities of each orchestration answer, in order: the stories that golden histories tell."""

from collections.abc import Callable
from typing import Any

from flexvault.domain.job import Step
from flexvault.messages import StepAnswer, StepRequest
from orchestrators.apply_retention import apply_retention
from orchestrators.back_up_server import back_up_server
from orchestrators.configure_protection import configure_protection
from orchestrators.reconcile import reconcile
from orchestrators.restore_recovery_point import restore_recovery_point
from orchestrators.verify_recovery_point import verify_recovery_point
from tests.orchestrators.replaying import BEGIN, INSTANCE, Outcome, Play


class FunctionTimeoutException(Exception):  # noqa: N818 - the host's own name
    """What an activity fails with when the host ended it."""


class FunctionInvocationException(Exception):  # noqa: N818 - the host's own name
    """What an activity fails with when its worker died."""


class ActivityError(Exception):
    """What the app's own activities fail with."""


def payload(step: Step, *, generation: int = 1, not_before: float = 0.0) -> dict[str, Any]:
    """What a start sends."""
    request = StepRequest(
        open_key="open-backup-i", job_id=INSTANCE, generation=generation, step=step, not_before=not_before
    )
    return request.to_json()


def answers(*outcomes: StepAnswer | Exception) -> Play:
    """Answer one call after the other."""
    left = list(outcomes)

    def activity(_name: str, _body: Any) -> Outcome:
        outcome = left.pop(0)
        return outcome if isinstance(outcome, Exception) else outcome.to_json()

    return activity


def go(step: Step | None, wait: float = 0.0) -> StepAnswer:
    """Go on with a step."""
    return StepAnswer(next=step, wait_seconds=wait)


type Story = tuple[Callable[..., Any], dict[str, Any], Callable[[], Play]]

STORIES: dict[str, Story] = {
    "backup": (
        back_up_server,
        payload(Step.PREPARING, not_before=BEGIN.timestamp() + 90),
        lambda: answers(
            go(Step.STARTING),
            go(Step.POLLING, 180),
            go(Step.POLLING, 600),
            go(Step.PROMOTING),
            go(Step.PROMOTING),
            go(Step.SEALING),
            go(None),
        ),
    ),
    "backup_second_attempt": (
        back_up_server,
        payload(Step.PREPARING),
        lambda: answers(
            go(Step.STARTING),
            go(Step.STARTING, 5),
            go(Step.STARTING, 175.5),
            go(Step.PREPARING),
            go(Step.STARTING),
            go(Step.POLLING, 180),
            go(Step.PROMOTING),
            go(Step.SEALING),
            go(Step.CLOSING, 1),
            go(None),
        ),
    ),
    "backup_taken_over": (
        back_up_server,
        payload(Step.POLLING, generation=3),
        lambda: answers(go(Step.PROMOTING), StepAnswer(next=None, superseded=True)),
    ),
    "backup_through_host_errors": (
        back_up_server,
        payload(Step.PROMOTING),
        lambda: answers(
            *[FunctionTimeoutException("the host ended it")] * 4,
            go(Step.SEALING),
            ActivityError("seal_point: ServiceUnavailable (transient): 503"),
            go(None),
        ),
    ),
    "restore": (
        restore_recovery_point,
        payload(Step.PROBING),
        lambda: answers(go(Step.COPYING), go(Step.COPYING), go(Step.FINISHING), go(None)),
    ),
    "configure": (
        configure_protection,
        payload(Step.GRANTING),
        lambda: answers(go(Step.VERIFYING), go(Step.VERIFYING, 10), go(Step.RECORDING), go(None)),
    ),
    "retention": (
        apply_retention,
        payload(Step.PLANNING),
        lambda: answers(go(Step.EXECUTING), go(Step.EXECUTING), go(None)),
    ),
    "verify": (
        verify_recovery_point,
        payload(Step.INDEXING),
        lambda: answers(
            go(Step.INDEXING), go(Step.COUNTING), go(Step.COUNTING), go(Step.COUNTING), go(Step.CONCLUDING), go(None)
        ),
    ),
    "reconcile": (
        reconcile,
        {},
        lambda: lambda _name, _body: {"taken_over": [], "closed": [], "removed_containers": 0},
    ),
}
