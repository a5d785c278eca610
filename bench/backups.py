"""What one backup costs through the vault, against the same ARM calls in a bare script; and the host's start."""

import sqlite3
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.mgmt.postgresqlflexibleservers import PostgreSQLManagementClient
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from durabletask.internal import orchestrator_service_pb2 as pb

from bench.host_start import measure_start, print_start
from local_cloud.certificates import now
from local_cloud.credentials import StaticCredential
from local_cloud.demo.client import VaultClient
from local_cloud.demo.orders import SERVER, protect
from local_cloud.endpoints import Endpoints, read_endpoints
from local_cloud.launch import LaunchedCloud
from local_cloud.services import ROOT
from local_cloud.state_folder import claim_emptied

FOLDER = ROOT / ".local" / "bench"
CLOUD = FOLDER / "cloud"
RUNS = 5
POLL_SECONDS = 1.0
MOST_READS, MOST_ACTIONS = 4, 13
_ACTIONS = ("taskScheduled", "timerCreated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One backup."""

    seconds: float
    job_id: str = ""
    arm_reads: int = 0
    arm_posts: int = 0


def measure_backups() -> None:
    """Measure in a local cloud of its own, and print.

    Raises:
        FolderInUseError, ChildrenAliveError: Another measurement uses the folder.
    """
    own = claim_emptied(FOLDER, CLOUD)
    try:
        _measure()
    finally:
        own.release()


def _measure() -> None:
    vault_runs: list[Sample] = []
    bare_runs: list[Sample] = []
    with LaunchedCloud(CLOUD, test_vaults=1) as cloud:
        endpoints = read_endpoints(cloud.folder)
        with VaultClient(
            str(endpoints["api"]), endpoints["vaultResourceId"], endpoints["people"]["contributor"]
        ) as vault:
            instance = protect(vault, endpoints)
            for number in range(RUNS):
                vault_runs.append(_through_the_vault(cloud, vault, instance))
                bare_runs.append(_bare(endpoints, number))
        started = measure_start(cloud)
    _print(vault_runs, bare_runs)
    print_start(started)


def _through_the_vault(cloud: LaunchedCloud, vault: VaultClient, instance: str) -> Sample:
    before = cloud.emulator_log()["requests"]
    started = time.monotonic()
    answer = vault.post(
        f"{instance}/backup",
        {"backupRuleOptions": {"ruleName": "BackupDaily", "triggerOption": {"retentionTagOverride": "Default"}}},
    )
    vault.wait_for_job(str(answer["jobId"]), lambda _job: None)
    seconds = time.monotonic() - started
    after = cloud.emulator_log()["requests"]
    calls = {name: count - before.get(name, 0) for name, count in after.items() if not name.startswith("GET _")}
    return Sample(
        seconds=seconds,
        job_id=str(answer["jobId"]).rpartition("/")[2],
        arm_reads=sum(count for name, count in calls.items() if name.startswith("GET")),
        arm_posts=sum(count for name, count in calls.items() if name.startswith("POST")),
    )


def _count_actions(job_id: str) -> int:
    """Count the start, the activities and the timers of a job's orchestration, one each; the host has ended."""
    hub = sqlite3.connect(f"file:{CLOUD / 'host' / 'taskhub.db'}?mode=ro", uri=True)
    try:
        rows = hub.execute("SELECT event FROM history WHERE id = ?", (job_id,)).fetchall()
    finally:
        hub.close()
    kinds = [pb.HistoryEvent.FromString(row[0]).WhichOneof("eventType") for row in rows]
    return 1 + sum(kinds.count(kind) for kind in _ACTIONS)


def _bare(endpoints: Endpoints, number: int) -> Sample:
    """Do what any script would: pre-check, container, SAS, start, poll every second."""
    parts = endpoints["servers"][SERVER]["resourceId"].split("/")
    credential = StaticCredential(endpoints["arm"]["token"])
    storage = endpoints["storage"]
    landing, trust = storage["landing"], storage["ca"]
    name = f"bare-{number}"
    started = time.monotonic()
    with (
        PostgreSQLManagementClient(
            credential, parts[2], base_url=endpoints["arm"]["endpoint"], connection_verify=trust
        ) as client,
        BlobServiceClient(
            landing["blobEndpoint"],
            credential={"account_name": landing["account"], "account_key": landing["key"]},
            connection_verify=trust,
        ) as blobs,
    ):
        backups: Any = client.backups_long_term_retention
        settings = {"backupSettings": {"backupName": name}}
        backups.check_prerequisites(parts[4], parts[8], settings)
        service: Any = blobs
        container = service.create_container(name)
        sas = generate_container_sas(
            landing["account"],
            name,
            landing["key"],
            permission=ContainerSasPermissions.from_string("racwl"),
            expiry=now() + timedelta(hours=12),
        )
        order = {**settings, "targetDetails": {"sasUriList": [f"{container.url}?{sas}"]}}
        backups.begin_start(parts[4], parts[8], order, polling=False)
        while backups.get(parts[4], parts[8], name).properties.status == "Running":
            time.sleep(POLL_SECONDS)
    return Sample(seconds=time.monotonic() - started)


def _print(vault_runs: list[Sample], bare_runs: list[Sample]) -> None:
    ratios = [vault.seconds / bare.seconds for vault, bare in zip(vault_runs, bare_runs, strict=True)]
    through = statistics.median(run.seconds for run in vault_runs)
    bare = statistics.median(run.seconds for run in bare_runs)
    reads = statistics.median(run.arm_reads for run in vault_runs)
    posts = statistics.median(run.arm_posts for run in vault_runs)
    actions = statistics.median(_count_actions(run.job_id) for run in vault_runs)
    print(f"one backup, {RUNS} pairs in one run, medians")
    print(f"  through the vault    {through:6.2f} s   (landed, promoted, sealed)")
    print(f"  bare ARM script      {bare:6.2f} s   (landed only)")
    print(f"  ratio                {statistics.median(ratios):6.2f}     min {min(ratios):.2f}, max {max(ratios):.2f}")
    print(f"  ARM reads            {reads:6.0f}     aim: at most {MOST_READS}")
    print(f"  ARM posts            {posts:6.0f}")
    print(f"  durable actions      {actions:6.0f}     aim: at most {MOST_ACTIONS}")
