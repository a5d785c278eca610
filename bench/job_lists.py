"""What the list of jobs costs: requests and rows of its first page, and its time beside a raw query of that page."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from azure.data.tables import TableServiceClient

from bench.job_rows import PAGE_SIZE, CountedRows, JobReader, make_jobs, write_jobs
from flexvault.domain import row_keys
from local_cloud.credentials import StaticCredential
from local_cloud.launch import LaunchedCloud
from local_cloud.services import ROOT
from local_cloud.state_folder import claim_emptied
from local_cloud.tokens import STORAGE_AUDIENCE

FOLDER = ROOT / ".local" / "bench-jobs"
CLOUD = FOLDER / "cloud"
COUNTS = (1_000, 100_000)
ROUNDS = 15
TOKEN_SECONDS = 6 * 3600
_QUERY = "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end"


def measure_job_lists() -> None:
    """Measure over the tables of a local cloud of its own, and print.

    Raises:
        FolderInUseError, ChildrenAliveError: Another measurement uses the folder.
    """
    own = claim_emptied(FOLDER, CLOUD)
    try:
        with LaunchedCloud(CLOUD, app=None) as cloud:
            storage = cloud.endpoints["storage"]
            token = cloud.issuer.for_identity("host", STORAGE_AUDIENCE, life_seconds=TOKEN_SECONDS)
            _measure(storage["app"]["tableEndpoint"], StaticCredential(token), Path(storage["ca"]))
    finally:
        own.release()


def _measure(endpoint: str, credential: StaticCredential, authority: Path) -> None:
    print(f"jobs, newest first, in pages of {PAGE_SIZE}, over Azurite's tables; the best of {ROUNDS} rounds")
    raw_options: Any = {"credential": credential, "connection_verify": str(authority)}
    with (
        closing(CountedRows(endpoint, credential, authority)) as rows,
        TableServiceClient(endpoint, **raw_options) as service,
    ):
        written = 0
        for count in COUNTS:
            write_jobs(rows, make_jobs(count - written, first=written))
            written = count
            _print(count, rows, service.get_table_client(row_keys.JOBS))


def _print(count: int, rows: CountedRows, raw: Any) -> None:
    reader = JobReader(rows)
    page = reader.first_page()["value"]
    job_id = page[PAGE_SIZE // 2]["name"]
    key = row_keys.job_row(job_id)
    print(f"  of {count:,} jobs")
    _print_one("first page", rows, reader.first_page, lambda: _raw_page(raw))
    _print_one("one by id", rows, lambda: reader.one(job_id), lambda: raw.get_entity(row_keys.JOBS_PARTITION, key))


def _print_one(what: str, rows: CountedRows, own: Callable[[], object], raw: Callable[[], object]) -> None:
    read = rows.start_counting()
    own()
    counts = f"{read.requests} request(s), {read.rows} row(s)"
    own_seconds: list[float] = []
    raw_seconds: list[float] = []
    for _ in range(ROUNDS):  # in turn, so that both meet the same machine
        own_seconds.append(_seconds(own))
        raw_seconds.append(_seconds(raw))
    mine, bare = min(own_seconds), min(raw_seconds)
    print(
        f"    {what:<12} {counts:<26} {mine * 1e3:7.1f} ms   {mine / bare:5.2f} times a raw query ({bare * 1e3:.1f} ms)"
    )


def _raw_page(raw: Any) -> list[Any]:
    """Ask for the same page with the SDK alone: as many rows, of the same range of keys."""
    parameters = {"partition": row_keys.JOBS_PARTITION, "start": "0", "end": ":"}
    pages = raw.query_entities(_QUERY, parameters=parameters, results_per_page=PAGE_SIZE + 1).by_page()
    return list(next(pages))


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
