"""What comparing a rebuilt server costs beside a plain COPY of the same rows: MB a second and memory."""

import os
import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from flexvault.kit.client import Client
from flexvault.kit.row_streams import DUMP_SESSION, FIXED_SESSION, Rows, digest_rows, with_settings
from local_cloud.postgres import binaries, empty_server, run_psql
from local_cloud.state_folder import claim_emptied

FOLDER = Path(__file__).resolve().parent.parent / ".local" / "bench-compare"
ROWS, TABLES = 500_000, 2
MB = 1_000_000
MEMORY_AIM_MB = 200
_TABLE = """
CREATE TABLE t{number} AS SELECT n AS id, md5(n::text) AS code, 'customer ' || n || ' of the shop' AS name,
    n * 1.25 AS total, timestamptz '2026-01-01 00:00+00' + n * interval '1 minute' AS placed,
    repeat('x', n % 100) AS note
FROM generate_series(1, {rows}) AS n"""


def measure_comparing() -> None:
    """Measure and print.

    Raises:
        FolderInUseError, ChildrenAliveError: Another measurement uses the folder.
    """
    own = claim_emptied(FOLDER, FOLDER / "server")
    try:
        with empty_server(FOLDER / "server", name="bench") as server:
            for number in range(TABLES):
                run_psql(server.url, ["--command", _TABLE.format(number=number, rows=ROWS)], "making rows")
            _measure(server.url)
    finally:
        own.release()


def _measure(url: str) -> None:
    at = urlsplit(url)
    environment = {"PGHOST": str(at.hostname), "PGPORT": str(at.port), "PGUSER": str(at.username)}
    path = f"{binaries()}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    client = with_settings(Client(environment={**environment, "PATH": path}), DUMP_SESSION, FIXED_SESSION)
    _digest(client, 0)  # the first reading of a table writes its hint bits
    started = time.perf_counter()
    with client.open("psql", "--no-psqlrc", "--command", _copy(1), stdout=subprocess.DEVNULL) as process:
        process.wait()
    plain_s = time.perf_counter() - started
    started = time.perf_counter()
    rows = _digest(client, 1)
    one_s = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(TABLES) as pool:
        both = list(pool.map(_digest, [client] * TABLES, range(TABLES)))
    both_s = time.perf_counter() - started
    print(f"comparing {TABLES} tables of {rows.count:,} rows, {rows.size_bytes / MB:.0f} MB of COPY text each")
    print(f"  plain COPY to nowhere        {_rate(rows.size_bytes, plain_s)}")
    ratio = f"{one_s / plain_s:.1f} times the plain COPY"
    print(f"  COPY and digest              {_rate(rows.size_bytes, one_s)}   {ratio}")
    print(f"  {TABLES} tables at once             {_rate(sum(found.size_bytes for found in both), both_s)}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"  peak memory of this process  {peak / MB:.0f} MB   aim: at most {MEMORY_AIM_MB} MB")


def _copy(number: int) -> str:
    return f"COPY public.t{number} (id, code, name, total, placed, note) TO STDOUT"


def _digest(client: Client, number: int) -> Rows:
    return digest_rows(client, "postgres", _copy(number))


def _rate(size_bytes: int, seconds: float) -> str:
    return f"{size_bytes / MB / seconds:5.0f} MB/s"
