"""One backup from its claim to its recovery point."""

from datetime import timedelta

from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.scheduling import tick
from tests.builders import MONDAY, protect, run_jobs, world


def test_a_due_slot_becomes_a_sealed_recovery_point():
    vault = world()
    protect(vault)
    vault.clock.advance_to(MONDAY + timedelta(hours=2))
    tick(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    job = vault.jobs()[0]
    assert job.status is JobStatus.COMPLETED, job
    points = catalog.list_points(vault.vault.ports, vault.instance().key)
    assert [point.job_id for point in points] == [job.job_id]
    assert vault.open_jobs() == []
