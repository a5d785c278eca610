"""Which principal may make which call: asked of the gateway as every one of them."""

import time

import pytest
from azure.storage.blob import PartialBatchErrorException

from local_cloud.landscape import MAIN
from local_cloud.storage_gateway.rights import DEPLOYMENT
from local_cloud.tokens import STORAGE_AUDIENCE, SigningKey
from tests.gateway.world import World

EVERYBODY = ("control", "writer", "retention", "single", "host", "vault-owner", "source-owner", DEPLOYMENT)
UNTIL = {"x-ms-immutability-policy-until-date": "Fri, 01 Jan 2100 00:00:00 GMT"}
BLOCK_BLOB = {"x-ms-blob-type": "BlockBlob"}
KEY_INFO = "<KeyInfo><Start>2026-01-01</Start><Expiry>{}</Expiry></KeyInfo>"

READERS = {"control", "writer", "retention", "single", "vault-owner"}
WRITERS = {"writer", "single", "vault-owner"}
RECORDERS = WRITERS | {"retention"}
DELETERS = {"retention", "single", "vault-owner"}
KEEPERS = {"control", "single", "vault-owner"}
OWNERS = {"vault-owner"}
CREATORS = {"vault-owner", DEPLOYMENT}
CONTAINER_READERS = {"control", "single", "vault-owner", DEPLOYMENT}
# Call, method, target below /vault, headers, body: who may make it.
CALLS = {
    "Get Blob": ("GET", "/points/{name}", {}, READERS),
    "Get Blob Properties": ("HEAD", "/points/{name}", {}, READERS),
    "Get Block List": ("GET", "/points/{name}?comp=blocklist", {}, READERS),
    "List Blobs": ("GET", "/points?restype=container&comp=list&include=versions,deleted", {}, READERS),
    "Put Blob over another": ("PUT", "/points/{name}", BLOCK_BLOB, WRITERS),
    "Put Blob": ("PUT", "/manifests/{name}.new", BLOCK_BLOB, WRITERS),
    "Put Blob in journal": ("PUT", "/journal/{name}.new", BLOCK_BLOB, RECORDERS),
    "Put Blob in plans": ("PUT", "/plans/{name}.new", BLOCK_BLOB, RECORDERS - {"writer"}),
    "Put Block": ("PUT", "/points/{name}?comp=block&blockid=AAAA", {}, WRITERS),
    "Put Block List": ("PUT", "/points/{name}.list?comp=blocklist", {}, WRITERS),
    "Set Blob Metadata": ("PUT", "/points/{name}?comp=metadata", {}, WRITERS),
    "Set Blob Tier": ("PUT", "/points/{name}?comp=tier", {"x-ms-access-tier": "Cool"}, WRITERS),
    "Delete Blob": ("DELETE", "/points/{name}", {}, DELETERS),
    "Delete Blob in journal": ("DELETE", "/journal/{name}", {}, OWNERS),
    "Delete Blob Version": ("DELETE", "/points/{name}?versionid={old}", {}, DELETERS),
    "Set Blob Immutability Policy": ("PUT", "/points/{name}?comp=immutabilityPolicies", UNTIL, KEEPERS),
    "Delete Blob Immutability Policy": ("DELETE", "/points/{name}?comp=immutabilityPolicies", {}, KEEPERS),
    "Set Blob Legal Hold": ("PUT", "/points/{name}?comp=legalhold", {"x-ms-legal-hold": "true"}, KEEPERS),
    "Undelete Blob": ("PUT", "/points/{name}?comp=undelete", {}, CREATORS),
    "Blob Batch": ("POST", "/?comp=batch", {}, CREATORS),
    "Create Container": ("PUT", "/{who}?restype=container", {}, CREATORS),
    "Delete Container": ("DELETE", "/points?restype=container", {}, OWNERS),
    "Get Container Properties": ("GET", "/points?restype=container", {}, CONTAINER_READERS),
    "List Containers": ("GET", "/?comp=list", {}, CONTAINER_READERS),
    "Get Account Information": ("GET", "/?restype=account&comp=properties", {}, set()),
    "Get Blob Service Properties": ("GET", "/?restype=service&comp=properties", {}, {"control", "single"}),
    "Get User Delegation Key": ("POST", "/?restype=service&comp=userdelegationkey", {}, WRITERS),
    "Lease Blob": ("PUT", "/points/{name}?comp=lease", {}, WRITERS),
    "Set Blob Tags": ("PUT", "/points/{name}?comp=tags", {}, OWNERS),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_to_the_vault_account_is_for_those_who_hold_its_right(world: World, call: str) -> None:
    method, target, headers, allowed = CALLS[call]
    refused = {}
    name = world.new_name()
    for container in ("journal", "points"):
        old = world.blob(name, container=container).upload_blob(b"old")["version_id"]
    world.write(name)
    for who in EVERYBODY:
        path = target.format(name=name, old=old, who=who)
        body = KEY_INFO.format("2026-01-02") if "delegation" in target else ""
        answer = world.call(method, f"/vault{path}", who, headers=headers, data=body)
        # A call that is allowed may still fail: it is not what its right is about.
        if answer.status_code == 403:
            refused[who] = answer.headers["x-ms-error-code"]

    assert set(EVERYBODY) - set(refused) == allowed
    assert set(refused.values()) <= {"AuthorizationPermissionMismatch"}


@pytest.mark.parametrize(
    ("account", "allowed"),
    [
        (MAIN.landing, {"writer", "single", DEPLOYMENT}),
        (MAIN.restore, {"writer", "single", DEPLOYMENT}),
        (MAIN.app, {"host", DEPLOYMENT}),
    ],
)
def test_other_accounts_are_open_to_those_who_hold_a_role_there(world: World, account: str, allowed: set[str]) -> None:
    container = world.new_name().partition("/")[0]

    created = {who for who in EVERYBODY if _create(world, account, f"{container}-{who}", who) == 201}
    written = {who for who in EVERYBODY if _write(world, account, f"{container}-{DEPLOYMENT}", who) == 201}

    assert created == allowed
    assert written == allowed - {DEPLOYMENT}


def _create(world: World, account: str, container: str, who: str) -> int:
    return world.call("PUT", f"/{account}/{container}?restype=container", who).status_code


def _write(world: World, account: str, container: str, who: str) -> int:
    return world.call("PUT", f"/{account}/{container}/blob", who, headers=BLOCK_BLOB, data=b"x").status_code


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"aud": "https://management.azure.com/"}, id="another audience"),
        pytest.param({"iss": "https://sts.windows.net/foreign/"}, id="another issuer"),
        pytest.param({"exp": 1_000_000_000}, id="expired"),
        pytest.param({"nbf": 9_000_000_000}, id="not yet valid"),
        pytest.param({"oid": None}, id="of nobody"),
    ],
)
@pytest.mark.parametrize("account", [MAIN.vault, MAIN.landing])
def test_a_token_that_does_not_hold_is_nobodys(world: World, account: str, changed: dict[str, object]) -> None:
    now = int(time.time())
    issuer = world.azurite.issuer
    claims = {"iss": "https://sts.windows.net/" + _tenant(world) + "/", "aud": STORAGE_AUDIENCE, "oid": "x"}
    claims |= {"iat": now, "nbf": now, "exp": now + 60}
    token = issuer.identities_key.sign({k: v for k, v in (claims | changed).items() if v is not None})

    answer = world.call("GET", f"/{account}/?comp=list", None, headers={"Authorization": f"Bearer {token}"})

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def _tenant(world: World) -> str:
    return world.gateway.config.tenant_id


def test_a_foreign_signature_a_persons_token_and_no_token_are_nobodys(world: World) -> None:
    issuer = world.azurite.issuer
    person = issuer.for_person("contributor")
    foreign = issuer.for_person("contributor", key=SigningKey.generate(), aud=STORAGE_AUDIENCE)
    for headers in ({"Authorization": f"Bearer {person}"}, {"Authorization": f"Bearer {foreign}"}, {}):
        answer = world.call("GET", "/vault/points/any", None, headers=headers)
        assert answer.status_code == 401


def test_the_vault_account_accepts_no_key(world: World) -> None:
    answer = world.call("GET", "/vault/?comp=list", None, headers={"Authorization": "SharedKey vault:c2lnbmVk"})

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (403, "KeyBasedAuthenticationNotPermitted")


@pytest.mark.parametrize(
    ("method", "target", "headers", "named"),
    [
        ("PUT", "/points/any?comp=lease", {}, "Lease Blob"),
        ("PUT", "/points/any?comp=snapshot", {}, "Snapshot Blob"),
        ("PUT", "/points/any?comp=properties", {}, "Set Blob Properties"),
        ("PUT", "/points/any", {"x-ms-blob-type": "PageBlob"}, "Put Blob of type 'PageBlob'"),
        ("PUT", "/points/any", {**BLOCK_BLOB, "x-ms-copy-source": "https://x"}, "Put Blob From URL"),
        ("PUT", "/points?restype=container&comp=metadata", {}, "Set Container Metadata"),
        ("PUT", "/points/any", {**BLOCK_BLOB, "x-ms-if-tags": "a = 'b'"}, "Put Blob with x-ms-if-tags"),
        ("DELETE", "/points/any", {"x-ms-lease-id": "0"}, "Delete Blob with x-ms-lease-id"),
        ("GET", "/points/any?snapshot=2026-01-01T00:00:00.0000000Z", {}, "Get Blob with snapshot"),
        ("GET", "/points?restype=container&comp=list&include=uncommittedblobs", {}, "include=uncommittedblobs"),
    ],
)
def test_a_call_that_the_gateway_does_not_have_is_refused_by_name(
    world: World, method: str, target: str, headers: dict[str, str], named: str
) -> None:
    answer = world.call(method, f"/vault{target}", headers=headers)

    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotImplemented")
    assert named in answer.text


def test_a_batch_deletes_as_each_call_by_itself_would(world: World, name: str) -> None:
    kept = world.new_name()
    for blob in (name, kept):
        world.write(blob)
    world.protect(kept)
    version = world.versions(kept)[0].version_id
    world.blob(kept).delete_blob()

    with pytest.raises(PartialBatchErrorException) as caught:
        list(world.container().delete_blobs({"name": kept, "version_id": version}, name))
    answers = list(caught.value.parts)

    assert [(answer.status_code, answer.headers.get("x-ms-error-code")) for answer in answers] == [
        (409, "BlobImmutableDueToPolicy"),
        (202, None),
    ]
    assert not world.blob(name).exists()


def test_an_account_that_is_not_there_is_named(world: World) -> None:
    answer = world.call("GET", "/stranger/points/any")

    assert answer.status_code == 404
    assert "'stranger'" in answer.text
