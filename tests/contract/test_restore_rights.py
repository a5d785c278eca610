"""Rights on a restore target are only probed: the vault grants nothing there, and says the command."""

from contextlib import closing

import pytest

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.delegation import SourceDelegation
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.restore_target import AzureRestoreTarget
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.domain.errors import NotAuthorizedError, TransientError
from local_cloud.landscape import MAIN
from tests.contract.raw_server import run_raw_server
from tests.contract.surroundings import Azurite

REFUSED = (
    b"HTTP/1.1 403 Forbidden\r\nx-ms-error-code: AuthorizationPermissionMismatch\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)
TARGET_ID = MAIN.restore_resource_id


def test_a_refused_probe_sends_one_read_and_gives_the_command_with_the_role(trusted: Azurite) -> None:
    writer = trusted.identity("writer")
    with run_raw_server(trusted.certificates, REFUSED) as server:
        landing = AzureLanding(f"{server.base_url}/landing", writer)
        sources = SourceDelegation(landing.account.service)
        arm = Arm(server.base_url, trusted.identity("control"))
        target = AzureRestoreTarget(writer, sources, StorageAccounts(arm), "writer-client-id")
        with closing(landing), closing(arm), closing(target), pytest.raises(NotAuthorizedError) as raised:
            target.probe(f"{server.base_url}/restore/night", TARGET_ID)
        asked = server.requests

    assert raised.value.hint == (
        'az role assignment create --assignee "writer-client-id" --role "Storage Blob Data Contributor" '
        f'--scope "{TARGET_ID}"'
    )
    assert asked == ["GET /restore/night"]


def test_an_account_that_cannot_be_reached_is_named_with_what_to_compare(trusted: Azurite) -> None:
    writer = trusted.identity("writer")
    with run_raw_server(trusted.certificates, REFUSED) as server:
        gone = server.base_url
    landing = AzureLanding(f"{gone}/landing", writer)
    arm = Arm(gone, trusted.identity("control"))
    target = AzureRestoreTarget(writer, SourceDelegation(landing.account.service), StorageAccounts(arm), "writer")
    with closing(landing), closing(arm), closing(target), pytest.raises(TransientError) as raised:
        target.probe(f"{gone}/restore/night", TARGET_ID)

    assert raised.value.message == f"restore container '{gone}/restore/night' cannot be reached now"
    assert "compare the account in the URL with yours" in raised.value.hint
