"""Versions and immutability of the vault account: in memory, and over the storage gateway in both of its readings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from azure.storage.blob import BlobServiceClient

from flexvault.adapters.azure.vault import AzureVaultGuard
from flexvault.adapters.memory.build import memory_ports
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.errors import ConflictError, NotFoundError
from flexvault.ports import BlobFacts, VaultCleaner, VaultGuard, VaultReader, VaultWriter
from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from local_cloud.storage_gateway.config import BaseNameDelete
from tests.contract.conftest import azure_blobs
from tests.contract.surroundings import Azurite

WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Versioned:
    """The ports of a vault account with versions, and what others may do there."""

    reader: VaultReader
    writer: VaultWriter
    cleaner: VaultCleaner
    path: str
    overwrite: Callable[[bytes], str]
    """Write over the blob, and answer the version's id."""
    guard: VaultGuard
    now: Callable[[], datetime]
    advance: Callable[[timedelta], object]
    """Move the clock by which immutability is judged."""


@pytest.fixture(params=["memory", *BaseNameDelete])
def vault(request: pytest.FixtureRequest, number: int) -> Iterator[Versioned]:
    path = f"t{number:04d}/point.json"
    if request.param == "memory":
        yield memory_versions(path)
        return
    azurite: Azurite = request.getfixturevalue("trusted")
    azurite.gateway.base_name_delete = request.param
    with ExitStack() as stack:
        yield azure_versions(azurite, number, path, stack)
    azurite.gateway.base_name_delete = BaseNameDelete.KEEP
    azurite.gateway.clock.offset = timedelta()


def memory_versions(path: str) -> Versioned:
    memory = memory_ports()

    def overwrite(data: bytes) -> str:
        return memory.storage.put(VAULT, blob_names.MANIFESTS, path, data).version_id

    return Versioned(
        reader=memory.ports.vault_reader,
        writer=memory.ports.vault_writer,
        cleaner=memory.ports.vault_cleaner,
        path=path,
        overwrite=overwrite,
        guard=memory.ports.vault_guard,
        now=memory.clock.storage_now,
        advance=memory.clock.advance,
    )


def azure_versions(azurite: Azurite, number: int, path: str, stack: ExitStack) -> Versioned:
    blobs = azure_blobs(azurite, number, stack)

    def as_whom(who: str):
        client = BlobServiceClient(azurite.blob_endpoint(MAIN.vault), azurite.identity(who))
        return stack.enter_context(client).get_blob_client(blob_names.MANIFESTS, path)

    def overwrite(data: bytes) -> str:
        return as_whom("vault-owner").upload_blob(data, overwrite=True)["version_id"]

    def advance(by: timedelta) -> None:
        azurite.gateway.clock.offset += by

    return Versioned(
        reader=blobs.reader,
        writer=blobs.writer,
        cleaner=blobs.cleaner,
        path=path,
        overwrite=overwrite,
        guard=stack.enter_context(
            closing(AzureVaultGuard(azurite.blob_endpoint(MAIN.vault), azurite.identity("control")))
        ),
        now=now,
        advance=advance,
    )


def create(vault: Versioned, data: bytes = b"first") -> BlobFacts:
    created = vault.writer.create(blob_names.MANIFESTS, vault.path, data)
    assert created.version_id
    return created


def find(vault: Versioned, version_id: str = "") -> BlobFacts | None:
    return vault.reader.find(blob_names.MANIFESTS, vault.path, version_id=version_id)


def read(vault: Versioned, version_id: str) -> bytes:
    return vault.reader.read(blob_names.MANIFESTS, vault.path, version_id=version_id)


def test_a_version_is_read_after_its_base_name_is_gone(vault: Versioned) -> None:
    created = create(vault)
    vault.cleaner.delete(blob_names.MANIFESTS, vault.path)

    assert find(vault) is None
    assert read(vault, created.version_id) == b"first"
    listed = list(vault.reader.list_versions(blob_names.MANIFESTS, vault.path))
    assert [blob.version_id for blob in listed] == [created.version_id]


def test_the_blocks_of_a_version_are_listed_after_its_base_name_is_gone(vault: Versioned) -> None:
    created = create(vault)
    vault.cleaner.delete(blob_names.MANIFESTS, vault.path)

    assert list(vault.reader.list_blocks(blob_names.MANIFESTS, vault.path, version_id=created.version_id)) == []
    with pytest.raises(NotFoundError):
        vault.reader.list_blocks(blob_names.MANIFESTS, vault.path)


def test_a_first_version_outlives_a_later_one(vault: Versioned) -> None:
    first = create(vault)
    later = vault.overwrite(b"tampered")

    found = find(vault)
    assert found is not None
    assert found.version_id == later != first.version_id
    assert read(vault, first.version_id) == b"first"


def test_a_deleted_version_is_gone(vault: Versioned) -> None:
    created = create(vault)

    vault.cleaner.delete(blob_names.MANIFESTS, vault.path, created.version_id)
    vault.cleaner.delete(blob_names.MANIFESTS, vault.path, created.version_id)

    assert find(vault, created.version_id) is None
    assert list(vault.reader.list_versions(blob_names.MANIFESTS, vault.path)) == []


def test_every_version_of_a_blob_is_deleted_one_by_one(vault: Versioned) -> None:
    create(vault)
    vault.overwrite(b"second")
    vault.overwrite(b"third")

    for blob in list(vault.reader.list_versions(blob_names.MANIFESTS, vault.path)):
        vault.cleaner.delete(blob_names.MANIFESTS, blob.name, blob.version_id)

    assert list(vault.reader.list_versions(blob_names.MANIFESTS, vault.path)) == []


def test_a_protected_version_is_deleted_only_after_its_date(vault: Versioned) -> None:
    created = create(vault)
    vault.guard.protect(blob_names.MANIFESTS, vault.path, created.version_id, vault.now() + WEEK, "Unlocked")

    with pytest.raises(ConflictError) as raised:
        vault.cleaner.delete(blob_names.MANIFESTS, vault.path, created.version_id)
    assert raised.value.code == "BlobImmutableDueToPolicy"
    assert read(vault, created.version_id) == b"first"

    vault.advance(WEEK)
    vault.cleaner.delete(blob_names.MANIFESTS, vault.path, created.version_id)
    assert find(vault, created.version_id) is None
