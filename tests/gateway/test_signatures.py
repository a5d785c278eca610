"""User delegation keys and signatures: reads of the vault account, copies out of it and into it, and revocation."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import generate_blob_sas, generate_container_sas

from local_cloud.certificates import now
from local_cloud.landscape import MAIN
from local_cloud.storage_gateway.config import revoked_keys_file
from tests.gateway.world import World, answered, refused

HOUR = timedelta(hours=1)


def delegation_key(world: World, who: str = "writer", account: str = MAIN.vault, life: timedelta = HOUR) -> Any:
    return world.service(who, account).get_user_delegation_key(now() - timedelta(minutes=15), now() + life)


def sign(world: World, name: str, permission: str = "r", **options: Any) -> str:
    """Sign a blob, or a version of it, as flexvault does, and answer its URL."""
    options.setdefault("expiry", now() + HOUR)
    options.setdefault("user_delegation_key", delegation_key(world))
    version = options.get("version_id")
    token = generate_blob_sas(MAIN.vault, "points", name, permission=permission, protocol="https", **options)
    return f"{world.blob(name).url}?{f'versionid={version}&' if version else ''}{token}"


def ask(world: World, method: str, url: str, **options: Any) -> requests.Response:
    trust = str(world.azurite.certificates.authority)
    return requests.request(method, url, verify=trust, timeout=30, **options)


def code(answer: requests.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.headers.get("x-ms-error-code")


@pytest.fixture
def landed(world: World, name: str) -> str:
    """A file in the landing account; its container."""
    container = name.partition("/")[0]
    service = world.service("writer", MAIN.landing)
    service.create_container(container)
    service.get_blob_client(container, "dump").upload_blob(b"landed bytes")
    return container


def landing_url(world: World, container: str, permission: str = "r") -> str:
    key = delegation_key(world, account=MAIN.landing)
    expiry = now() + HOUR
    token = generate_blob_sas(
        MAIN.landing, container, "dump", user_delegation_key=key, permission=permission, expiry=expiry
    )
    return f"{world.azurite.blob_endpoint(MAIN.landing)}/{container}/dump?{token}"


def test_a_read_signature_reads_its_version_and_no_other(world: World, name: str) -> None:
    first = world.write(name, b"first")
    second = world.write(name, b"second")
    url = sign(world, name, version_id=first)

    assert ask(world, "GET", url).content == b"first"
    assert ask(world, "HEAD", url).headers["x-ms-version-id"] == first
    other = ask(world, "GET", url.replace(f"versionid={first}", f"versionid={second}"))
    assert code(other) == (403, "AuthenticationFailed")
    unversioned = ask(world, "GET", url.replace(f"versionid={first}&", ""))
    assert code(unversioned) == (403, "AuthenticationFailed")
    for method in ("PUT", "DELETE"):
        assert code(ask(world, method, url, headers={"x-ms-blob-type": "BlockBlob"}))[0] == 403


def test_a_signature_that_was_changed_or_has_ended_opens_nothing(world: World, name: str) -> None:
    world.write(name)
    ended = sign(world, name, expiry=now() - timedelta(minutes=1))
    early = sign(world, name, start=now() + timedelta(minutes=1))
    changed = sign(world, name).replace("sp=r", "sp=rw")

    for url in (ended, early, changed):
        assert code(ask(world, "GET", url)) == (403, "AuthenticationFailed")


def test_a_signature_passes_on_no_more_than_its_signer_has(world: World, name: str) -> None:
    version = world.write(name)
    url = sign(world, name, "racwdxi")

    assert ask(world, "GET", url).content == b"content"
    assert code(ask(world, "DELETE", url)) == (403, "AuthorizationPermissionMismatch")
    until = {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2100 00:00:00 GMT"}
    protect = ask(world, "PUT", f"{url}&comp=immutabilityPolicies", headers=until)
    assert code(protect) == (403, "AuthorizationPermissionMismatch")
    world.blob(name).delete_blob()
    gone = ask(world, "DELETE", sign(world, name, "x", version_id=version))
    assert code(gone) == (403, "AuthorizationPermissionMismatch")


def test_a_signature_that_creates_writes_over_nothing(world: World, name: str) -> None:
    world.write(name, b"kept")
    headers = {"x-ms-blob-type": "BlockBlob"}

    over = ask(world, "PUT", sign(world, name, "c"), headers=headers, data=b"other")
    new = ask(world, "PUT", sign(world, f"{name}.new", "c"), headers=headers, data=b"new")

    assert code(over) == (403, "UnauthorizedBlobOverwrite")
    assert new.status_code == 201
    assert world.blob(name).download_blob().readall() == b"kept"


def test_a_container_signature_lists_and_reads_its_container_alone(world: World, name: str) -> None:
    world.write(name)
    token = generate_container_sas(
        MAIN.vault,
        "points",
        user_delegation_key=delegation_key(world),
        permission="rl",
        expiry=now() + HOUR,
    )
    url = world.azurite.blob_endpoint(MAIN.vault)

    assert ask(world, "GET", f"{url}/points/{name}?{token}").content == b"content"
    assert name in ask(world, "GET", f"{url}/points?restype=container&comp=list&prefix={name}&{token}").text
    assert code(ask(world, "GET", f"{url}/journal/{name}?{token}")) == (403, "AuthenticationFailed")


def test_an_account_key_signs_nothing_in_the_vault_account(world: World, name: str) -> None:
    world.write(name)
    key = world.gateway.config.accounts[MAIN.vault].key
    token = generate_blob_sas(MAIN.vault, "points", name, account_key=key, permission="r", expiry=now() + HOUR)

    assert code(ask(world, "GET", f"{world.blob(name).url}?{token}")) == (403, "KeyBasedAuthenticationNotPermitted")


@pytest.mark.parametrize("who", ["control", "retention", "host", "source-owner"])
def test_only_the_writer_may_ask_for_a_key(world: World, who: str) -> None:
    for account in (MAIN.vault, MAIN.landing):
        with refused(403, "AuthorizationPermissionMismatch"):
            delegation_key(world, who, account)


@pytest.mark.parametrize("account", [MAIN.vault, MAIN.landing])
def test_a_key_lives_seven_days_at_most(world: World, account: str) -> None:
    with refused(400, "InvalidXmlNodeValue"):
        delegation_key(world, account=account, life=timedelta(days=8))
    assert delegation_key(world, account=account, life=timedelta(days=6, hours=23)).value


def test_a_copy_out_of_the_vault_reads_the_version_that_was_signed(world: World, name: str) -> None:
    first = world.write(name, b"first")
    world.write(name, b"second")
    service = world.service("writer", MAIN.restore)
    target = service.get_blob_client("restores", name)

    target.stage_block_from_url("1", sign(world, name, version_id=first), 0, 3)
    target.commit_block_list(["1"])

    assert target.download_blob().readall() == b"fir"


def test_a_copy_into_the_vault_reads_landing(world: World, name: str, landed: str) -> None:
    blob = world.blob(name, "writer")

    answer = blob.stage_block_from_url("1", landing_url(world, landed), 0, 6)
    blob.commit_block_list(["1"])

    assert answer["content_crc64"]
    assert world.blob(name).download_blob().readall() == b"landed"


@pytest.mark.parametrize("target", [MAIN.vault, MAIN.restore])
def test_a_source_in_the_vault_needs_a_signature_that_reads(world: World, name: str, target: str) -> None:
    version = world.write(name)
    world.write(name, b"second")
    good = sign(world, name, version_id=version)
    container = "points" if target == MAIN.vault else "restores"
    blob = world.service("writer", target).get_blob_client(container, f"{name}.copy")
    bad = {
        "none": good.partition("?")[0] if target == MAIN.restore else None,
        "does not read": sign(world, name, "w", version_id=version),
        "ended": sign(world, name, version_id=version, expiry=now() - timedelta(minutes=1)),
        "another version's": good.replace(version, world.blob(name).get_blob_properties().version_id),
        "changed": good.replace("sig=", "sig=A"),
    }

    for url in filter(None, bad.values()):
        with pytest.raises(HttpResponseError) as caught:
            blob.stage_block_from_url("1", url, 0, 3)
        assert answered(caught.value) in [(401, "CannotVerifyCopySource"), (403, "CannotVerifyCopySource")]
    with refused(404, "CannotVerifyCopySource"):
        blob.stage_block_from_url("1", sign(world, world.new_name()), 0, 3)
    blob.stage_block_from_url("1", good, 0, 3)


def test_a_source_in_the_vault_meets_its_conditions_and_is_not_archived(world: World, name: str) -> None:
    world.write(name)
    etag = world.blob(name).get_blob_properties().etag
    block = f"/{MAIN.vault}/points/{name}.copy?comp=block&blockid=AAAA"
    source = {"x-ms-copy-source": sign(world, name)}

    def copy(condition: str, value: str) -> tuple[int, str | None]:
        headers = {**source, f"x-ms-source-{condition}": value}
        return code(world.call("PUT", block, "writer", headers=headers))

    assert copy("if-match", '"0x0"') == copy("if-none-match", etag) == (412, "SourceConditionNotMet")
    assert copy("if-match", etag) == (201, None)
    world.blob(name).set_standard_blob_tier("Archive")
    assert copy("if-match", etag) == (409, "BlobArchived")


def revoke(world: World, account: str, at: datetime) -> None:
    path = revoked_keys_file(world.gateway.config.state_dir)
    path.with_suffix(".new").write_text(json.dumps({account: at.isoformat()}))
    path.with_suffix(".new").replace(path)


def test_revoking_keys_ends_every_signature_made_before(world: World, name: str, landed: str) -> None:
    world.write(name)
    in_vault, in_landing = sign(world, name), landing_url(world, landed)
    target = world.blob(world.new_name(), "writer")
    try:
        revoke(world, MAIN.vault, now())
        assert code(ask(world, "GET", in_vault)) == (403, "AuthenticationFailed")
        assert ask(world, "GET", in_landing).content == b"landed bytes"

        revoke(world, MAIN.landing, now())
        assert code(ask(world, "GET", in_landing)) == (403, "AuthenticationFailed")
        assert ask(world, "GET", in_vault).content == b"content"
        with pytest.raises(HttpResponseError) as caught:
            target.stage_block_from_url("1", in_landing, 0, 6)
        assert answered(caught.value) == (403, "CannotVerifyCopySource")
    finally:
        revoke(world, "none", now())
    assert ask(world, "GET", in_landing).content == b"landed bytes"


def test_a_signature_sets_the_answers_headers(world: World, name: str) -> None:
    world.write(name)

    answer = ask(world, "GET", sign(world, name, content_type="text/csv", content_disposition="attachment"))

    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.headers["Content-Disposition"] == "attachment"


def test_a_signature_of_another_version_or_for_one_person_is_refused_by_name(world: World, name: str) -> None:
    world.write(name)
    older = ask(world, "GET", sign(world, name).replace("sv=2026-10-06", "sv=2023-11-03"))
    bound = ask(world, "GET", sign(world, name, user_delegation_oid="somebody"))

    assert code(older) == code(bound) == (403, "AuthenticationFailed")
    assert "2026-10-06" in older.text
    assert "sduoid" in bound.text
