"""Recovery points and backups as the vault has them written down."""

from datetime import UTC, datetime
from typing import Any

from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.job import Operation, Step
from flexvault.domain.open_job import OpenJob

INSTANCE, CHAIN = "1" * 32, "chain"
MOMENT = datetime(2026, 1, 5, 2, tzinfo=UTC)


def recorded_point(**changes: Any) -> RecoveryPoint:
    """A sealed point of a scheduled backup."""
    values: dict[str, Any] = {
        "point_id": "2" * 32,
        "instance": INSTANCE,
        "job_id": "3" * 32,
        "recovery_point_time": MOMENT,
        "expiry_time": MOMENT,
        "tag": "Default",
        "policy_name": "daily",
        "policy_seq": 1,
        "size_bytes": 1,
        "manifest_hash": "h",
        "chain": CHAIN,
        "state": "sealed",
        "readers": 0,
        "sealed_at": MOMENT,
    }
    return RecoveryPoint(**{**values, **changes})


def slot_job(slot: datetime) -> OpenJob:
    """The open row of a scheduled backup whose server was looked at."""
    return OpenJob(
        key=f"open-backup-{INSTANCE}",
        job_id="3" * 32,
        operation=Operation.BACKUP,
        instance=INSTANCE,
        step=Step.SEALING,
        next_check_at=slot,
        not_before=slot,
        claimed_at=slot,
        state={"slot": slot.isoformat(), "server": {"chain": CHAIN}},
    )
