"""What a signature allows and for how long, against a real Azurite."""

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobServiceClient

from flexvault.adapters.azure.blob_account import BlobAccount
from flexvault.adapters.azure.clock import AzureClock
from flexvault.adapters.azure.delegation import KEY_SETTLES_SECONDS, LandingDelegation
from flexvault.adapters.azure.landing import AzureLanding
from flexvault.adapters.azure.storage_date import StorageDate
from flexvault.adapters.azure.vault import AzureVaultWriter
from flexvault.domain.azure_codes import CANNOT_VERIFY_SOURCE
from flexvault.domain.errors import InvalidInputError, NotAuthorizedError, TransientError
from flexvault.ports import BlockRange
from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from tests.contract.surroundings import Azurite, free_port


@pytest.fixture
def landing(trusted: Azurite) -> Iterator[AzureLanding]:
    with closing(AzureLanding(trusted.blob_endpoint(MAIN.landing), trusted.identity("writer"))) as landing:
        yield landing


def window(url: str) -> tuple[datetime, datetime]:
    query = parse_qs(urlsplit(url).query)
    starts_at, expires_at = (datetime.fromisoformat(query[name][0]) for name in ("st", "se"))
    return starts_at, expires_at


def test_a_grant_starts_a_quarter_of_an_hour_back_and_lives_as_asked(landing: AzureLanding, number: int) -> None:
    (url,) = landing.issue_grant([f"grant{number}"], "racwl", timedelta(hours=12)).reveal()

    starts_at, expires_at = window(url)
    query = parse_qs(urlsplit(url).query)
    assert expires_at - starts_at == timedelta(hours=12, minutes=15)
    assert (query["sr"], query["sp"], query["spr"]) == (["c"], ["racwl"], ["https"])
    # The key that signs lives no longer than what it signed.
    assert query["ske"] == query["se"]
    assert query["skt"] == query["st"]


def test_a_grant_writes_into_its_container_and_into_no_other(landing: AzureLanding, number: int) -> None:
    container, other = f"own{number}", f"other{number}"
    for name in (container, other):
        landing.create_container(name)
    (url,) = landing.issue_grant([container], "racwl", timedelta(hours=1)).reveal()
    own_file, other_file = (url.replace(f"/{container}?", f"/{name}/file?") for name in (container, other))
    headers = {"x-ms-blob-type": "BlockBlob"}

    assert requests.put(own_file, b"x", headers=headers, timeout=10).status_code == 201
    assert requests.put(other_file, b"x", headers=headers, timeout=10).status_code == 403
    assert requests.delete(own_file, timeout=10).status_code == 403
    assert [file.name for file in landing.list_files(container)] == ["file"]


@pytest.mark.parametrize("life", [timedelta(), timedelta(days=7), timedelta(hours=-1)], ids=str)
def test_a_life_that_azure_refuses_is_refused_before_it_is_asked(landing: AzureLanding, life: timedelta) -> None:
    with pytest.raises(InvalidInputError):
        landing.issue_grant(["any"], "racwl", life)


def test_the_longest_life_is_an_hour_under_seven_days(landing: AzureLanding) -> None:
    (url,) = landing.issue_grant(["any"], "racwl", timedelta(days=7, hours=-1)).reveal()

    starts_at, expires_at = window(url)
    assert expires_at - starts_at == timedelta(days=7, minutes=-45)


def test_a_source_signature_reads_one_blob_and_nothing_else(landing: AzureLanding, number: int) -> None:
    container = f"source{number}"
    landing.create_container(container)
    for name in ("file", "other"):
        landing.account.create(container, name, b"content")

    url = landing.delegation.source_url(container, "file")

    assert requests.get(url, timeout=10).content == b"content"
    assert requests.get(url.replace("/file?", "/other?"), timeout=10).status_code == 403
    assert requests.delete(url, timeout=10).status_code == 403
    assert parse_qs(urlsplit(url).query)["sr"] == ["b"]


def test_a_source_signature_of_a_version_is_for_that_version(landing: AzureLanding) -> None:
    query = parse_qs(urlsplit(landing.delegation.source_url("any", "file", "2026-01-05T00:00:00.0000000Z")).query)

    # Azurite keeps no versions, so this looks at the signed fields only.
    assert query["sr"] == ["bv"]
    assert query["versionid"] == ["2026-01-05T00:00:00.0000000Z"]


def test_sources_share_one_key_for_a_while(landing: AzureLanding) -> None:
    first, second = (landing.delegation.source_url("any", name) for name in ("one", "two"))

    assert window(first) == window(second)


def test_the_clock_is_storages_own(trusted: Azurite) -> None:
    with closing(AzureClock(trusted.blob_endpoint(MAIN.vault), trusted.identity("control"))) as clock:
        apart = clock.storage_now() - clock.host_now()

        assert clock.storage_now().tzinfo is not None
        assert clock.host_now().tzinfo is UTC
        # One machine here: apart by the header's whole seconds, and by how slow the machine is.
        assert abs(apart) < timedelta(seconds=5)


class Seconds:
    """A monotonic clock in a test's hands."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_reading_is_carried_on_for_a_minute_and_then_taken_again(trusted: Azurite) -> None:
    seconds = Seconds()
    with BlobServiceClient(trusted.blob_endpoint(MAIN.vault), trusted.identity("control")) as service:
        date = StorageDate(service, seconds)
        first = date.now()

        seconds.now += 59
        assert date.now() == first + timedelta(seconds=59)

        seconds.now += 2
        assert date.now() - first < timedelta(seconds=30)


def test_silence_is_no_time(trusted: Azurite) -> None:
    nowhere = f"https://127.0.0.1:{free_port()}/vault"
    with BlobServiceClient(nowhere, trusted.identity("control"), retry_total=0) as service:
        date = StorageDate(service)

        with pytest.raises(TransientError):
            date.now()


def test_without_a_token_a_blob_is_unreachable_and_not_missing(trusted: Azurite) -> None:
    class NoOne:
        def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
            raise ClientAuthenticationError("sig=planted")

    account = BlobAccount(trusted.blob_endpoint(MAIN.vault), NoOne())
    with closing(account), pytest.raises(TransientError) as raised:
        account.find("manifests", "any")

    assert raised.value.inner_code == "TokenUnavailable"
    assert "planted" not in str(raised.value)


REFUSED_SOURCE = NotAuthorizedError("refused", inner_code=CANNOT_VERIFY_SOURCE)


def test_a_refused_source_key_is_replaced_once_by_one_that_starts_now(landing: AzureLanding) -> None:
    used: list[str] = []

    def copy(url: str) -> str:
        used.append(url)
        if len(used) == 1:
            raise REFUSED_SOURCE  # all keys of the account were revoked
        return "crc64"

    assert landing.delegation.read_by("any", "one", "", copy) == "crc64"
    assert landing.delegation.read_by("any", "two", "", copy) == "crc64"

    (before, _), (after, _), (third, _) = map(window, used)
    assert after - before >= timedelta(minutes=14)
    assert third == after, "the next copies go on with the new key"


def test_a_source_that_is_refused_with_every_new_key_is_refused(landing: AzureLanding) -> None:
    used: list[str] = []
    pauses: list[float] = []
    delegation = LandingDelegation(landing.account.service, pauses.append)

    def copy(url: str) -> str:
        used.append(url)
        raise REFUSED_SOURCE

    with pytest.raises(NotAuthorizedError):
        delegation.read_by("any", "one", "", copy)
    assert len(used) == 3
    assert pauses == [0.0, KEY_SETTLES_SECONDS]


def test_a_key_of_the_very_second_of_the_revocation_is_replaced_by_a_later_one(landing: AzureLanding) -> None:
    revoked_at = now()

    def copy(url: str) -> datetime:
        starts_at, _ = window(url)
        if starts_at < revoked_at:  # as storage compares them
            raise REFUSED_SOURCE
        return starts_at

    assert landing.delegation.read_by("any", "one", "", copy) >= revoked_at


def test_copies_side_by_side_share_the_new_key(landing: AzureLanding) -> None:
    refused = landing.delegation.source_url("any", "one")
    both_hold_the_old_key = Barrier(2)

    def copy(url: str) -> str:
        if window(url) == window(refused):
            both_hold_the_old_key.wait(10)
            raise REFUSED_SOURCE
        return url

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda name: landing.delegation.read_by("any", name, "", copy), ("one", "two"))

    signed = [parse_qs(urlsplit(url).query) for url in (first, second)]
    assert signed[0]["ske"] == signed[1]["ske"]


def test_a_target_that_refuses_costs_no_new_key(landing: AzureLanding) -> None:
    used: list[str] = []

    def copy(url: str) -> str:
        used.append(url)
        raise NotAuthorizedError("refused", inner_code="AuthorizationPermissionMismatch")

    with pytest.raises(NotAuthorizedError):
        landing.delegation.read_by("any", "one", "", copy)
    assert len(used) == 1


def test_a_copy_goes_on_with_a_new_key_when_storage_refuses_the_old_one(
    landing: AzureLanding, trusted: Azurite, number: int
) -> None:
    container = f"revoked{number}"
    landing.create_container(container)
    landing.account.create(container, "file", b"content")
    writer = AzureVaultWriter(trusted.blob_endpoint(MAIN.vault), trusted.identity("writer"), landing.delegation)
    source = BlockRange(container=container, name="file", offset=0, length=7)
    with closing(writer):
        writer.stage_block(f"first{number}", 0, source)
        key = landing.delegation._source_key
        assert key is not None
        key.key.value = b64encode(b"another key").decode()  # what it signs is refused by storage, as a revoked one is

        assert writer.stage_block(f"second{number}", 0, source)

    assert landing.delegation._source_key is not key


def test_a_grant_after_a_failed_attempt_starts_now(landing: AzureLanding) -> None:
    (url,) = landing.issue_grant(["any"], "racwl", timedelta(hours=12), is_backdated=False).reveal()

    starts_at, expires_at = window(url)
    assert expires_at - starts_at == timedelta(hours=12)


def test_what_signs_for_the_vault_account_can_only_sign_reads(trusted: Azurite, landing: AzureLanding) -> None:
    with closing(
        AzureVaultWriter(trusted.blob_endpoint(MAIN.vault), trusted.identity("writer"), landing.delegation)
    ) as writer:
        signed = writer.delegation.source_url("points", "any")
        offered = {name for name in dir(writer.delegation) if not name.startswith("_")}

    assert parse_qs(urlsplit(signed).query)["sp"] == ["r"]
    assert offered == {"source_url", "read_by"}
