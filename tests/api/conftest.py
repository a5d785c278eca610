"""The official SDK as a client of a test file's own door."""

from collections.abc import Iterator

import pytest
from azure.mgmt.dataprotection import DataProtectionMgmtClient

from tests.api.doors import Door
from tests.api.sdk import DoorTransport, sdk_client


@pytest.fixture
def transport(door: Door) -> DoorTransport:
    return DoorTransport(door)


@pytest.fixture
def client(door: Door, transport: DoorTransport) -> Iterator[DataProtectionMgmtClient]:
    with sdk_client(door, transport) as client:
        yield client
