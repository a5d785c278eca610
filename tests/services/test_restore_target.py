"""Where a restore may write to: the writer's token goes only to what is known to be inside."""

import pytest

from flexvault.domain.container_url import account_name
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, VaultError
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.restored_files import restored_names
from flexvault.services.restore_target import require_target
from tests.builders import SUBSCRIPTION, World, protect, world

ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/restore"
ELSEWHERE = ACCOUNT.replace(SUBSCRIPTION, "99999999-9999-4999-8999-999999999999")


def refuse(why: str) -> None:
    raise AssertionError(why)


def unlisted() -> World:
    vault = world(restore_targets=())
    protect(vault)
    vault.memory.storage.create_container("restore", "inside")
    return vault


@pytest.mark.parametrize(
    ("url", "resource_id", "visible", "error"),
    [
        pytest.param("https://evil.example/c", "", "", NotAuthorizedError, id="a stranger's host"),
        pytest.param("https://evil.example/c", ACCOUNT, ACCOUNT, NotAuthorizedError, id="an own id with another host"),
        pytest.param("https://restore.example/inside", ACCOUNT, "", NotAuthorizedError, id="not shown by ARM"),
        pytest.param("https://vault.example/points", ACCOUNT, ACCOUNT, InvalidInputError, id="the vault account"),
        pytest.param("https://landing.example/x", ACCOUNT, ACCOUNT, InvalidInputError, id="the landing account"),
        *(
            pytest.param("https://restore.example/inside", own, own, InvalidInputError, id=f"by its id, {own[-12:]}")
            for name in ("vault", "Landing")
            for own in (ACCOUNT.replace("/restore", f"/{name}"), ACCOUNT.replace("/restore", f"/{name}/blobServices"))
        ),
    ],
)
def test_nothing_is_sent_to_a_place_outside(url: str, resource_id: str, visible: str, error: type[VaultError]):
    vault = unlisted()
    vault.memory.restore_target.visible_account_id = visible
    with pytest.raises(error) as refused:
        require_target(vault.vault, url, resource_id, refuse)
    assert refused.value.code == "UserErrorRestoreTargetOutside"
    assert vault.memory.restore_target.probed == []


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("https://stVault001.blob.core.windows.net/", "stvault001"),
        ("https://stvault001.z6.blob.storage.azure.net", "stvault001"),
        ("https://127.0.0.1:10000/vault01", "vault01"),
    ],
)
def test_an_account_is_known_by_its_endpoint(endpoint: str, name: str):
    assert account_name(endpoint) == name


def test_a_container_that_arm_shows_in_a_protected_subscription_is_inside():
    vault = unlisted()
    vault.memory.restore_target.visible_account_id = ACCOUNT
    resource_id = f"{ACCOUNT}/blobServices/default/containers/inside"
    require_target(vault.vault, "https://restore.example/inside", resource_id, refuse)
    assert vault.memory.restore_target.probed == ["https://restore.example/inside"]


def test_files_that_end_alike_get_names_of_their_own():
    suffixes = ["_roles.sql", "_roles.sql", "_Roles.sql", "_database_a.sql"]
    files = [
        ManifestFile(
            path=f"p{n}",
            suffix=suffix,
            kind="roles",
            size_bytes=1,
            version_id="",
            block_size_bytes=1,
            crc64=("x",),
            facts={},
        )
        for n, suffix in enumerate(suffixes)
    ]
    named = restored_names("r", files)
    assert named == ["r_roles.sql", "r_2_roles.sql", "r_3_Roles.sql", "r_database_a.sql"]


@pytest.mark.parametrize(
    ("resource_id", "visible", "why", "next_step"),
    [
        pytest.param("", "", "the request names no account", "send targetResourceArmId", id="no id"),
        pytest.param(ACCOUNT, "", f"no account '{ACCOUNT}'", "compare the two", id="an id that does not fit"),
    ],
)
def test_why_a_place_is_outside_is_said(resource_id: str, visible: str, why: str, next_step: str):
    vault = unlisted()
    vault.memory.restore_target.visible_account_id = visible
    with pytest.raises(NotAuthorizedError) as refused:
        require_target(vault.vault, "https://restore.example/inside", resource_id, refuse)
    assert why in refused.value.message
    assert next_step in refused.value.hint
