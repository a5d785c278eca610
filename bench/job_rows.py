"""Jobs in the tables as the app writes them, and an adapter that counts what reading them costs on the wire."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableServiceClient

from flexvault.adapters.azure.pipeline import table_options
from flexvault.adapters.azure.tables import AzureRows
from flexvault.adapters.memory.build import memory_ports
from flexvault.api.call import Call, Links
from flexvault.api.jobs import get_job, list_jobs
from flexvault.api.resource_ids import ResourceIds
from flexvault.api.table import OPERATIONS
from flexvault.api.tokens import Caller
from flexvault.api.wire import Request
from flexvault.domain import names, row_keys
from flexvault.domain.job import JobStatus, Operation
from flexvault.domain.open_job import JobRecord
from flexvault.ports import Insert, Rows
from flexvault.services.vault import Vault
from flexvault.settings import Settings

FIRST_SLOT = datetime(2026, 1, 5, tzinfo=UTC)
PAGE_SIZE = 100
SERVERS = 50
MOST_CHANGES = 100
"""Of one transaction."""
_SUBSCRIPTION = "/subscriptions/11111111-1111-4111-8111-111111111111"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/rg-flexvault/providers"
VAULT_ID = f"{_GROUP}/Microsoft.DataProtection/backupVaults/flexvault"


@dataclass(slots=True)
class Read:
    """What was read on the wire."""

    requests: int = 0
    rows: int = 0


class _CountingTransport(RequestsTransport):
    """Counts requests, and the rows in their answers."""

    def __init__(self, trust: str) -> None:
        parent: Any = super()  # typed in part only
        parent.__init__(connection_verify=trust)
        self.read = Read()

    def send(self, request: Any, **options: Any) -> Any:
        parent: Any = super()
        answer: Any = parent.send(request, **options)
        self.read.requests += 1
        data: bytes = answer.internal_response.content
        if request.method == "GET" and data:
            body: Any = json.loads(data)
            self.read.rows += len(body["value"]) if "value" in body else 1
        return answer


class CountedRows(AzureRows):
    """The app's own adapter of Table Storage; only its wire is watched."""

    def __init__(self, endpoint: str, credential: TokenCredential, authority: Path) -> None:
        """Reach an account's tables, whose certificate an authority signed."""
        super().__init__(endpoint, credential)
        self._service.close()
        self._transport = _CountingTransport(str(authority))
        options = {**table_options(), "transport": self._transport}
        self._service = TableServiceClient(endpoint, credential=credential, **options)

    def start_counting(self) -> Read:
        """Count anew."""
        self._transport.read = Read()
        return self._transport.read


def make_jobs(count: int, first: int = 0) -> Iterator[JobRecord]:
    """Make completed backups, oldest first: one a second after `first` others, of some servers in turn."""
    for number in range(first, first + count):
        server = f"pg-{number % SERVERS:03d}"
        instance_id = f"{VAULT_ID}/backupInstances/{server}"
        slot = FIRST_SLOT + timedelta(seconds=number)
        instance = names.instance_key(instance_id)
        yield JobRecord(
            job_id=names.slot_job_id(instance, slot),
            operation=Operation.BACKUP,
            status=JobStatus.COMPLETED,
            instance=instance,
            is_user_triggered=False,
            started_at=slot,
            ended_at=slot + timedelta(minutes=4),
            facts={
                "instance_id": instance_id,
                "instance_name": server,
                "friendly_name": server,
                "server_id": f"{_GROUP}/Microsoft.DBforPostgreSQL/flexibleServers/{server}",
                "server_name": server,
                "server_location": "eastus",
                "policy_name": "daily",
                "slot": slot.isoformat(),
            },
            sub_tasks=({"id": 1, "name": "Back up", "status": "Completed", "percent": 100.0},),
        )


def write_jobs(rows: Rows, jobs: Iterator[JobRecord]) -> None:
    """Write job rows, as many at once as a transaction takes."""
    for batch in batched(jobs, MOST_CHANGES, strict=False):
        inserts = [Insert(key=row_keys.job_row(job.job_id), values=job.to_values()) for job in batch]
        rows.apply(row_keys.JOBS, row_keys.JOBS_PARTITION, inserts)


class JobReader:
    """Asks the API's own handlers for jobs, over some rows and memory for the rest."""

    def __init__(self, rows: Rows) -> None:
        """Make a vault whose rows these are."""
        self._vault = Vault(settings=_settings(), ports=replace(memory_ports().ports, rows=rows))

    def first_page(self) -> dict[str, Any]:
        """Answer the newest jobs as the API lists them."""
        return dict(list_jobs(self._call("/backupJobs")).body or {})

    def next_page(self, skip_token: str) -> dict[str, Any]:
        """Answer the page that a token continues with."""
        return dict(list_jobs(self._call("/backupJobs", {"$skiptoken": skip_token})).body or {})

    def one(self, job_id: str) -> dict[str, Any]:
        """Answer one job as the API shows it."""
        return dict(get_job(self._call("/backupJobs/{job}", job=job_id)).body or {})

    def _call(self, ending: str, query: dict[str, str] | None = None, **params: str) -> Call:
        found = (row for row in OPERATIONS if row.method == "GET" and row.template.endswith(ending))
        ids = ResourceIds.of(self._vault.settings)
        return Call(
            vault=self._vault,
            begin=lambda _open_key: None,
            operation=next(found),
            params=params,
            path=f"{ids.vault}/backupJobs",
            query=query or {},
            request=Request(method="GET", url="https://vault.example/api"),
            caller=Caller(object_id="", name="", roles=()),
            request_id="",
            correlation_id="",
            links=Links(origin="https://vault.example/api", api_version="2026-06-01"),
            page_size=PAGE_SIZE,
            ids=ids,
        )


def _settings() -> Settings:
    return Settings(
        vault_resource_id=VAULT_ID,
        location="eastus",
        vault_blob_endpoint="https://vault.example",
        landing_blob_endpoint="https://landing.example",
        table_endpoint="https://tables.example",
        arm_endpoint="https://arm.example",
        control_client_id="control",
        writer_client_id="writer",
        retention_client_id="retention",
        token_audiences=("api://flexvault",),
        token_issuers=("https://issuer.example",),
        openid_configuration_url="https://issuer.example/.well-known/openid-configuration",
        restore_targets=(),
    )
