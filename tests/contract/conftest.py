"""Every port of storage twice: in memory, and over Azure's SDKs against a real Azurite."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count

import pytest

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.restore_target import AzureRestoreTarget
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.adapters.azure.tables import AzureRows
from flexvault.adapters.azure.vault import AzureVaultCleaner, AzureVaultReader, AzureVaultWriter
from flexvault.adapters.memory.blobs import RESTORE_ENDPOINT
from flexvault.adapters.memory.build import memory_ports
from flexvault.adapters.memory.storage import LANDING, RESTORE
from flexvault.ports import LandingAccount, RestoreTarget, Rows, VaultCleaner, VaultReader, VaultWriter
from local_cloud.landscape import MAIN
from tests.contract.surroundings import Azurite, run_azurite

UNREACHED_ARM = "https://127.0.0.1:9"
_NUMBERS = count(1)


@dataclass(frozen=True, kw_only=True)
class Blobs:
    """The blob ports of one run, and the hands of the other parties."""

    landing: LandingAccount
    reader: VaultReader
    writer: VaultWriter
    cleaner: VaultCleaner
    target: RestoreTarget
    restore_url: str
    """URL of an existing restore container."""
    land: Callable[[str, str, bytes], None]
    """Write a file as the server would: container, name, bytes."""
    number: int
    """Of this test alone, for names that no other test uses."""

    @property
    def prefix(self) -> str:
        return f"t{self.number:04d}"

    def landing_with(self, **files: bytes) -> str:
        container = f"l{self.number:04d}a1c0"
        self.landing.create_container(container)
        for name, data in files.items():
            self.land(container, name, data)
        return container


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with run_azurite(tmp_path_factory.mktemp("azurite")) as azurite:
        yield azurite


@pytest.fixture
def trusted(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """Azurite, with its authority trusted as the deployed app trusts one: by the environment."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite.certificates.authority))
    return azurite


@pytest.fixture
def number() -> int:
    return next(_NUMBERS)


@pytest.fixture(params=["memory", "azure"])
def rows(request: pytest.FixtureRequest) -> Iterator[Rows]:
    if request.param == "memory":
        yield memory_ports().rows
        return
    azurite: Azurite = request.getfixturevalue("trusted")
    with closing(AzureRows(azurite.table_endpoint, azurite.identity("host"))) as rows:
        yield rows


@pytest.fixture(params=["memory", "azure"])
def blobs(request: pytest.FixtureRequest, number: int) -> Iterator[Blobs]:
    if request.param == "memory":
        yield memory_blobs(number)
        return
    with ExitStack() as stack:
        yield azure_blobs(request.getfixturevalue("trusted"), number, stack)


def memory_blobs(number: int) -> Blobs:
    memory = memory_ports()
    memory.storage.create_container(RESTORE, "restores")

    def land(container: str, name: str, data: bytes) -> None:
        memory.storage.put(LANDING, container, name, data)

    return Blobs(
        landing=memory.ports.landing,
        reader=memory.ports.vault_reader,
        writer=memory.ports.vault_writer,
        cleaner=memory.ports.vault_cleaner,
        target=memory.ports.restore_target,
        restore_url=f"{RESTORE_ENDPOINT}/restores",
        land=land,
        number=number,
    )


def azure_blobs(azurite: Azurite, number: int, stack: ExitStack) -> Blobs:
    writer = azurite.identity("writer")
    vault = azurite.blob_endpoint(MAIN.vault)
    landing = stack.enter_context(closing(AzureLanding(azurite.blob_endpoint(MAIN.landing), writer)))
    vault_writer = stack.enter_context(closing(AzureVaultWriter(vault, writer, landing.delegation)))
    accounts = StorageAccounts(stack.enter_context(closing(Arm(UNREACHED_ARM, azurite.identity("control")))))
    target = AzureRestoreTarget(writer, vault_writer.delegation, accounts, "writer")

    def land(container: str, name: str, data: bytes) -> None:
        landing.account.create(container, name, data)

    return Blobs(
        landing=landing,
        reader=stack.enter_context(closing(AzureVaultReader(vault, azurite.identity("control")))),
        writer=vault_writer,
        cleaner=stack.enter_context(closing(AzureVaultCleaner(vault, azurite.identity("retention")))),
        target=stack.enter_context(closing(target)),
        restore_url=f"{azurite.blob_endpoint(MAIN.restore)}/restores",
        land=land,
        number=number,
    )
