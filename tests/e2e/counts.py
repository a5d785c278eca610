"""What a job must add, and how far it is."""

from dataclasses import dataclass

from tests.e2e.accounts import Accounts


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What must grow by one."""

    jobs: int
    points: int
    accepted: int


def is_half_copied(accounts: Accounts, job_id: str, step: str) -> bool:
    """Say whether a job's copying step has committed some files, and not all."""
    row = accounts.open_row(job_id)
    committed = [file["is_committed"] for file in accounts.rows("blocks", f"PartitionKey eq '{job_id}'")]
    return row is not None and row["step"] == step and any(committed) and not all(committed)


def require_one_more(before: Counts, after: Counts) -> None:
    """One job, one point and one backup of the server more, and nothing besides."""
    assert after == Counts(jobs=before.jobs + 1, points=before.points + 1, accepted=before.accepted + 1)
