"""One backup from its claim to its recovery point."""

from dataclasses import replace
from datetime import timedelta

from flexvault.domain.job import JobStatus
from flexvault.services import catalog
from flexvault.services.scheduling import tick
from tests.builders import MONDAY, backup_files, protect, run_jobs, tiny_archive, world


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


def test_a_database_of_many_tables_and_a_file_of_a_long_name_are_sealed_too():
    vault = world()
    protect(vault)
    tables = [f"a_table_with_a_rather_long_name_{number:05d}" for number in range(3_000)]
    files = backup_files(**{"x" * 700: tiny_archive(tables=tables)})
    vault.memory.ltr.script = replace(vault.memory.ltr.script, files=files)
    vault.clock.advance_to(MONDAY + timedelta(hours=2))
    tick(vault.vault, vault.memory.orchestrations)
    run_jobs(vault)
    assert vault.jobs()[0].status is JobStatus.COMPLETED, vault.jobs()[0].error
    point = catalog.list_points(vault.vault.ports, vault.instance().key)[0]
    manifest = catalog.read_manifest(vault.vault.ports, point)
    facts = next(file.facts for file in manifest.files if file.kind == "database")
    assert len(facts["tables"]) == len(tables) + 1
