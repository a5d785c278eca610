"""What people see of a running job: its sub-tasks, in Azure Backup's shape."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain.job import Operation, Step
from flexvault.domain.texts import shorten

_NAMES: Mapping[Operation, Sequence[tuple[Step, str]]] = {
    Operation.BACKUP: (
        (Step.PREPARING, "Prepare landing"),
        (Step.STARTING, "Trigger Backup"),
        (Step.POLLING, "Back up server"),
        (Step.PROMOTING, "Promote to vault"),
        (Step.SEALING, "Seal recovery point"),
    ),
    Operation.RESTORE: (
        (Step.PROBING, "Check restore target"),
        (Step.COPYING, "Trigger Restore"),
        (Step.FINISHING, "Write rebuild kit"),
    ),
    Operation.CONFIGURE: (
        (Step.GRANTING, "Grant roles"),
        (Step.VERIFYING, "Verify roles"),
        (Step.RECORDING, "Record protection"),
    ),
    Operation.RETENTION: ((Step.PLANNING, "Plan"), (Step.EXECUTING, "Execute plan")),
    Operation.VERIFY: (
        (Step.INDEXING, "Read every file"),
        (Step.COUNTING, "Count rows"),
        (Step.CONCLUDING, "Record result"),
    ),
}


def sub_tasks(operation: Operation, at: Step, percent: float = 0.0, *, failed: bool = False) -> list[dict[str, Any]]:
    """List a job's sub-tasks while one step runs; at Closing all are over."""
    steps = [step for step, _ in _NAMES[operation]]
    current = steps.index(at) if at in steps else len(steps)
    tasks: list[dict[str, Any]] = []
    for index, (_, name) in enumerate(_NAMES[operation]):
        status, done = "NotStarted", 0.0
        if index < current:
            status, done = "Completed", 100.0
        elif index == current:
            status, done = ("Failed" if failed else "InProgress"), percent
        tasks.append({"id": index + 1, "name": name, "status": status, "percent": round(done, 1)})
    return tasks


def warning(code: str, text: str, resource: str, remedy: str = "") -> dict[str, Any]:
    """Write a warning: a code, a sentence that names the object, the object, and what to do where that is known."""
    written = {"code": code, "message": shorten(text), "resource": shorten(resource)}
    return {**written, "remedy": shorten(remedy)} if remedy else written
