from collections.abc import Callable

import pytest
from flexvault_cli.main import run

from tests.cli.fake_vault import API_URL, VAULT_ID, FakeVault

ENVIRON = {
    "FLEXVAULT_API_URL": API_URL,
    "FLEXVAULT_TOKEN": "token-of-operator",
    "FLEXVAULT_VAULT_RESOURCE_ID": VAULT_ID,
}

type Flexvault = Callable[..., int]


@pytest.fixture
def vault() -> FakeVault:
    return FakeVault()


@pytest.fixture
def flexvault(vault: FakeVault) -> Flexvault:
    """Run the command against the fake vault and answer its exit status."""

    def call(*arguments: str, environ: dict[str, str] = ENVIRON) -> int:
        return run(arguments, environ=environ, transport=vault.transport, sleep=vault.slept.append)

    return call
