"""Records of slots that got no backup, and of pauses of a schedule, in which there are no slots."""

import json
from datetime import datetime
from enum import StrEnum

from flexvault.domain.instance import ProtectionState


class WhyMissed(StrEnum):
    """Why there was no backup."""

    CONTROL_PLANE_DOWN = "ControlPlaneDown"
    """The app did not run."""
    PREVIOUS_BACKUP_RUNNING = "PreviousBackupRunning"
    """The backup before had not ended."""
    SUSPENDED = "Suspended"
    """Backups were suspended; nothing was missed, but for a slot that had its job already."""
    STOPPED = "Stopped"
    """Protection was stopped; nothing was missed, but for a slot that had its job already."""


WHILE_PAUSED = {
    ProtectionState.SUSPENDED: WhyMissed.SUSPENDED,
    ProtectionState.STOPPED: WhyMissed.STOPPED,
    ProtectionState.SOFT_DELETED: WhyMissed.STOPPED,  # an undeleted one is a stopped one
}


def dump_missed(first: datetime, last: datetime, count: int | None, why: WhyMissed) -> str:
    """Write a record: first and last missed slot and how many, or begin and end of a pause and nothing."""
    return json.dumps({"first": first.isoformat(), "last": last.isoformat(), "count": count, "reason": why.value})
