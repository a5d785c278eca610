"""A request is found by its ids: in its answer, in every log record, in the trace, in the journal and in its job."""

import logging
from dataclasses import replace

import pytest

from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.log_redaction import install
from flexvault.domain.job import Operation
from flexvault.services.vault import Vault
from tests.api.doors import INSTANCE, POLICY_ID, VAULT_ID, Door, backup_body, policy_body
from tests.services.invariants import entries

CORRELATION = "11111111-2222-3333-4444-555555555555"
CLIENT = "66666666-7777-8888-9999-aaaaaaaaaaaa"
SENT = {"x-ms-correlation-request-id": CORRELATION, "x-ms-client-request-id": CLIENT}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)
    install()
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture
def door() -> Door:
    """Its telemetry is the one that Azure has."""
    made = Door()
    ports = replace(made.world.memory.ports, telemetry=AzureTelemetry())
    return Door(world=replace(made.world, vault=Vault(settings=made.world.vault.settings, ports=ports)))


def ids_of(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name.endswith("_id")}


def test_every_record_of_a_request_carries_its_ids(door: Door, log: pytest.LogCaptureFixture) -> None:
    answer = door.send("PUT", POLICY_ID, policy_body(), person="reader", headers=SENT)
    assert [record.getMessage().split()[0] for record in log.records] == ["AccessRefused", "PUT"]
    for record in log.records:
        assert ids_of(record) == {
            "flexvault.request_id": answer.header("x-ms-request-id"),
            "flexvault.correlation_id": CORRELATION,
            "flexvault.client_request_id": CLIENT,
        }


def test_ids_that_are_no_plain_ids_are_not_taken_over(door: Door, log: pytest.LogCaptureFixture) -> None:
    headers = {"x-ms-correlation-request-id": "a b c d e f g", "x-ms-client-request-id": "x" * 300}
    answer = door.send("GET", VAULT_ID, headers=headers)
    own = answer.header("x-ms-request-id")
    assert [ids_of(record) for record in log.records] == [
        {"flexvault.request_id": own, "flexvault.correlation_id": own}
    ]


def test_a_jobs_steps_are_logged_with_the_correlation_id_of_its_request(
    door: Door, log: pytest.LogCaptureFixture
) -> None:
    door.grant_roles()
    door.protect()
    assert door.send("POST", f"{INSTANCE}/backup", backup_body(), headers=SENT).status == 202
    log.clear()
    door.run_jobs()
    (completed,) = [record for record in log.records if record.getMessage() == "JobCompleted"]
    (job_id,) = [job.job_id for job in door.world.jobs() if job.operation is Operation.BACKUP]
    assert ids_of(completed) == {"flexvault.job_id": job_id, "flexvault.correlation_id": CORRELATION}
    assert entries(door.world, door.world.instance().key)[-1].actor["correlation_id"] == CORRELATION
