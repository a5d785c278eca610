"""Versions and immutability of the vault account.

In memory only: Azurite keeps no versions (its version ids are empty) and answers 501 to an immutability policy.
"""

from datetime import timedelta

import pytest

from flexvault.adapters.memory.build import MemoryPorts, memory_ports
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.errors import ConflictError

PATH = "instance/point.json"


@pytest.fixture
def memory() -> MemoryPorts:
    return memory_ports()


def test_a_version_is_read_after_its_base_name_is_gone(memory: MemoryPorts) -> None:
    created = memory.ports.vault_writer.create(blob_names.MANIFESTS, PATH, b"first")
    memory.ports.vault_cleaner.delete(blob_names.MANIFESTS, PATH)

    assert memory.ports.vault_reader.find(blob_names.MANIFESTS, PATH) is None
    assert memory.ports.vault_reader.read(blob_names.MANIFESTS, PATH, version_id=created.version_id) == b"first"


def test_a_first_version_outlives_a_later_one(memory: MemoryPorts) -> None:
    first = memory.ports.vault_writer.create(blob_names.MANIFESTS, PATH, b"first")
    later = memory.storage.put(VAULT, blob_names.MANIFESTS, PATH, b"tampered")

    found = memory.ports.vault_reader.find(blob_names.MANIFESTS, PATH)
    assert found is not None
    assert found.version_id == later.version_id != first.version_id
    assert memory.ports.vault_reader.read(blob_names.MANIFESTS, PATH, version_id=first.version_id) == b"first"


def test_a_deleted_version_is_gone(memory: MemoryPorts) -> None:
    created = memory.ports.vault_writer.create(blob_names.MANIFESTS, PATH, b"first")

    memory.ports.vault_cleaner.delete(blob_names.MANIFESTS, PATH, created.version_id)
    memory.ports.vault_cleaner.delete(blob_names.MANIFESTS, PATH, created.version_id)

    assert memory.ports.vault_reader.find(blob_names.MANIFESTS, PATH, version_id=created.version_id) is None


def test_a_protected_version_is_deleted_only_after_its_date(memory: MemoryPorts) -> None:
    created = memory.ports.vault_writer.create(blob_names.MANIFESTS, PATH, b"first")
    until = memory.clock.storage_now() + timedelta(days=7)
    memory.ports.vault_guard.protect(blob_names.MANIFESTS, PATH, created.version_id, until, "Unlocked")

    with pytest.raises(ConflictError) as raised:
        memory.ports.vault_cleaner.delete(blob_names.MANIFESTS, PATH, created.version_id)
    assert raised.value.code == "BlobImmutableDueToPolicy"
    assert memory.ports.vault_reader.read(blob_names.MANIFESTS, PATH, version_id=created.version_id) == b"first"

    memory.clock.advance(timedelta(days=7))
    memory.ports.vault_cleaner.delete(blob_names.MANIFESTS, PATH, created.version_id)
    assert memory.ports.vault_reader.find(blob_names.MANIFESTS, PATH, version_id=created.version_id) is None
