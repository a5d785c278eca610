"""What verifying costs: an untouched vault of 1,000 points in memory, then through the API of a local cloud."""

import os
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from azure.storage.blob import BlobBlock, BlobServiceClient

from bench.stored_vault import StoredBlob, grow_vault
from flexvault.adapters.memory.build import memory_ports
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, crc64
from flexvault.services.verify_page import Order
from flexvault.services.verify_vault import verify_vault
from local_cloud.credentials import StaticCredential
from local_cloud.endpoints import Endpoints, read_endpoints
from local_cloud.launch import LaunchedCloud
from local_cloud.services import ROOT
from local_cloud.state_folder import claim_emptied

FOLDER = ROOT / ".local" / "bench-verify"
CLOUD = FOLDER / "cloud"
SERVERS, DAYS = 10, 100
AIM_SECONDS = 30
BLOCK_MIB = 64
CALL_SECONDS = 100


def measure_verifying() -> None:
    """Measure in memory and in a local cloud of its own, and print.

    Raises:
        FolderInUseError, ChildrenAliveError: Another measurement uses the folder.
    """
    files = [blob for blob in grow_vault(SERVERS, DAYS) if blob.container == blob_names.POINTS]
    print(f"verifying an untouched vault of {SERVERS * DAYS:,} points of {SERVERS} servers")
    _measure_in_memory(files)
    own = claim_emptied(FOLDER, CLOUD)
    try:
        _measure_in_cloud(files)
    finally:
        own.release()
    data = os.urandom(BLOCK_MIB * 1024**2)
    started = time.process_time()
    crc64.checksum(data)
    print(f"  checksum of a block  {BLOCK_MIB / (time.process_time() - started):6.0f} MiB a second of the processor")


def _others(versions: Mapping[str, str]) -> list[StoredBlob]:
    """Answer all blobs that are no files: their manifests name the files' versions."""
    return [blob for blob in grow_vault(SERVERS, DAYS, versions) if blob.container != blob_names.POINTS]


def _measure_in_memory(files: Sequence[StoredBlob]) -> None:
    memory = memory_ports()
    versions: dict[str, str] = {}
    for blob in files:
        memory.storage.stage(VAULT, blob.container, blob.path, 0, blob.data)
        committed = memory.storage.commit(VAULT, blob.container, blob.path, 1, blob.metadata)
        versions[blob.path] = committed.version_id
    for blob in _others(versions):
        memory.storage.put(VAULT, blob.container, blob.path, blob.data)
    for is_deep in (False, True):
        started = time.monotonic()
        report = verify_vault(memory.ports.vault_reader, Order(is_deep=is_deep))
        _print("memory", time.monotonic() - started, report.verdict.value, pages=1, is_deep=is_deep)


def _measure_in_cloud(files: Sequence[StoredBlob]) -> None:
    with LaunchedCloud(CLOUD, test_vaults=1) as cloud:
        endpoints = read_endpoints(cloud.folder)
        _fill(endpoints, files)
        for is_deep in (False, True):
            started = time.monotonic()
            pages = _verify(endpoints, is_deep=is_deep)
            verdicts = "/".join(sorted({page["verdict"] for page in pages}))
            _print("local cloud", time.monotonic() - started, verdicts, pages=len(pages), is_deep=is_deep)


def _fill(endpoints: Endpoints, files: Sequence[StoredBlob]) -> None:
    endpoint, trust = endpoints["storage"]["vault"]["blobEndpoint"], endpoints["storage"]["ca"]
    # The owner of the vault account alone may write everywhere in it.
    owner = StaticCredential(endpoints["owners"]["vault-owner"])
    with BlobServiceClient(endpoint, credential=owner, connection_verify=trust) as service:

        def commit(blob: StoredBlob) -> tuple[str, str]:
            client: Any = service.get_blob_client(blob.container, blob.path)
            client.stage_block("00000000", blob.data)
            answer = client.commit_block_list([BlobBlock("00000000")], metadata=blob.metadata)
            return blob.path, answer["version_id"]

        def write(blob: StoredBlob) -> None:
            service.get_blob_client(blob.container, blob.path).upload_blob(blob.data)

        with ThreadPoolExecutor(max_workers=8) as pool:
            others = _others(dict(pool.map(commit, files)))
            list(pool.map(write, others))
        _remove_other_roots(service, {blob.path for blob in others})


def _remove_other_roots(service: BlobServiceClient, own: Collection[str]) -> None:
    """Remove the root that the app wrote of a vault that was half filled; it writes none twice."""
    journal = service.get_container_client(blob_names.JOURNAL)
    for root in list(journal.list_blobs(name_starts_with=blob_names.ROOTS_PREFIX, include=["versions"])):
        if root.name not in own:
            client = service.get_blob_client(blob_names.JOURNAL, root.name)
            client.delete_immutability_policy(version_id=root.version_id)
            client.delete_blob()
            client.delete_blob(version_id=root.version_id)


def _verify(endpoints: Endpoints, *, is_deep: bool) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {endpoints['people']['reader']}"}
    pages: list[dict[str, Any]] = []
    with httpx.Client(headers=headers, timeout=CALL_SECONDS, trust_env=False) as client:
        while not pages or pages[-1]["continueFrom"]:
            place = {"continueFrom": pages[-1]["continueFrom"]} if pages else {}
            answer = client.post(f"{endpoints['api']}/vault/verify", json={"deep": is_deep, **place})
            answer.raise_for_status()
            pages.append(answer.json())
    return pages


def _print(where: str, seconds: float, verdict: str, *, pages: int, is_deep: bool) -> None:
    kind = "deep " if is_deep else "quick"
    print(f"  {kind}, {where:<12} {seconds:6.1f} s   aim: at most {AIM_SECONDS} s; {verdict} in {pages} call(s)")
