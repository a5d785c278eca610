"""How much a caller may send: calls a minute, URLs, headers; and that one caller's flood is no other's trouble."""

from datetime import timedelta
from typing import Any

import pytest

from flexvault.api.addresses import network_of, read_address
from flexvault.api.rates import FAILURES_PER_MINUTE, MOST_REMEMBERED, Buckets, Kind, Throttle
from tests import builders
from tests.api.doors import INSTANCE, POLICY_ID, SUBSCRIPTION_SCOPE, VAULT_ID, Door, policy_body
from tests.api.sdk import DoorTransport, sdk_client

STATUS = f"{SUBSCRIPTION_SCOPE}/locations/eastus/operationStatus/00000000-0000-4000-8000-000000000000"
READS, WRITES, DELETES = (f"x-ms-ratelimit-remaining-subscription-{kind}" for kind in ("reads", "writes", "deletes"))
STRANGER = {"x-forwarded-for": "203.0.113.7"}


def slow_door(per_minute: int) -> Door:
    return Door(world=builders.world(requests_per_minute=per_minute))


def test_what_is_left_is_told_in_every_answer_and_fills_up_again() -> None:
    door = slow_door(60)
    assert [door.send("GET", VAULT_ID).header(READS) for _ in range(2)] == ["59", "58"]
    assert door.send("GET", "/nothing").header(READS) == "57"
    door.world.clock.advance(timedelta(seconds=2))
    assert door.send("GET", VAULT_ID).header(READS) == "58"
    door.world.clock.advance(timedelta(hours=1))
    assert door.send("GET", VAULT_ID).header(READS) == "59", "a bucket never holds more than a minute's calls"


def test_too_many_calls_are_429_as_arms_until_the_wait_is_over() -> None:
    door = slow_door(30)
    for _ in range(30):
        assert door.send("GET", VAULT_ID, person="reader").status == 200
    refused = door.send("GET", VAULT_ID, person="reader")
    assert (refused.status, refused.error["code"]) == (429, "SubscriptionRequestsThrottled")
    assert "at most 30 at once, refilled by 30 a minute" in refused.error["message"]
    assert refused.header("x-ms-error-code") == "SubscriptionRequestsThrottled"
    assert (refused.header("Retry-After"), refused.header(READS)) == ("2", "0")
    assert refused.error["additionalInfo"][0]["info"]["isRetryable"] is True
    door.world.clock.advance(timedelta(seconds=2))
    assert door.send("GET", VAULT_ID, person="reader").status == 200
    assert door.send("GET", VAULT_ID, person="reader").status == 429


def test_one_callers_calls_are_not_anothers() -> None:
    door = slow_door(1)
    assert [door.send("GET", VAULT_ID, person="reader").status for _ in range(2)] == [200, 429]
    assert door.send("GET", VAULT_ID, person="operator").status == 200


def test_polls_reads_writes_and_deletes_take_nothing_from_one_another() -> None:
    door = slow_door(2)
    for method, path, body, header in (
        ("GET", STATUS, None, READS),
        ("GET", VAULT_ID, None, READS),
        ("PUT", POLICY_ID, policy_body(), WRITES),
        ("DELETE", POLICY_ID, None, DELETES),
    ):
        answers = [door.send(method, path, body) for _ in range(3)]
        assert [answer.header(header) for answer in answers] == ["1", "0", "0"]
        assert [answer.status == 429 for answer in answers] == [False, False, True]


def test_too_little_a_role_counts_like_every_call() -> None:
    door = slow_door(2)
    sent = [door.send("PUT", POLICY_ID, policy_body(), person="reader").status for _ in range(3)]
    assert sent == [403, 403, 429]


def test_the_sdk_waits_as_it_is_told_and_goes_on() -> None:
    class Waits(DoorTransport):
        def sleep(self, duration: float) -> None:
            self.waits.append(duration)
            door.world.clock.advance(timedelta(seconds=duration))

    door = slow_door(1)
    transport = Waits(door)
    with sdk_client(door, transport) as client:
        for _ in range(3):
            assert client.backup_vaults.get("rg-flexvault", "flexvault").name == "flexvault"
    assert transport.waits == [60, 60]


def test_an_address_that_never_proves_who_it_is_is_put_off_before_its_tokens_are_looked_at() -> None:
    door = Door()
    for number in range(FAILURES_PER_MINUTE):
        headers = STRANGER | {"Authorization": f"Bearer {door.token(key='forger', kid=f'k{number % 3}')}"}
        assert door.send("GET", VAULT_ID, person=None, headers=headers).status == 401
    refused = door.send("GET", VAULT_ID, person=None, headers=STRANGER)
    assert (refused.status, refused.error["code"]) == (429, "TooManyRequests")
    assert refused.header("Retry-After") == "1"
    assert door.send("GET", VAULT_ID, person=None, headers={"x-forwarded-for": "203.0.113.8"}).status == 401
    door.world.clock.advance(timedelta(seconds=1))
    assert door.send("GET", VAULT_ID, person=None, headers=STRANGER).status == 401


def test_who_was_in_before_comes_in_from_an_address_that_others_flood() -> None:
    door = Door()
    good = STRANGER | {"Authorization": f"Bearer {door.token('reader')}"}
    assert door.send("GET", VAULT_ID, person=None, headers=good).status == 200
    for _ in range(FAILURES_PER_MINUTE + 1):
        door.send("GET", VAULT_ID, person=None, headers=STRANGER)
    assert door.send("GET", VAULT_ID, person=None, headers=STRANGER).status == 429
    assert door.send("GET", VAULT_ID, person=None, headers=good).status == 200
    door.world.clock.advance(timedelta(hours=1, seconds=301))
    assert door.send("GET", VAULT_ID, person=None, headers=good).error["code"] == "ExpiredAuthenticationToken"


def test_where_no_address_is_known_strangers_lock_nobody_out() -> None:
    door = Door()
    assert {door.send("GET", VAULT_ID, person=None).status for _ in range(FAILURES_PER_MINUTE * 2)} == {401}
    assert door.send("GET", VAULT_ID).status == 200


@pytest.mark.parametrize(
    ("sent", "address", "network"),
    [
        pytest.param("203.0.113.7:51234", "203.0.113.7", "203.0.113.7", id="with a port"),
        pytest.param("1.2.3.4, 203.0.113.7", "203.0.113.7", "203.0.113.7", id="the last one"),
        pytest.param("[2001:db8:1:2:3::4]:99", "2001:db8:1:2:3::4", "2001:db8:1:2::/64", id="version 6"),
        pytest.param("2001:db8:1:2:ffff::1", "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64", id="the same network"),
        pytest.param("fe80::1%eth0\nforged", "fe80::1", "fe80::/64", id="a zone is no address"),
        pytest.param("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7", id="version 4 written as version 6"),
        pytest.param("unknown", "", "", id="none"),
        pytest.param("", "", "", id="empty"),
    ],
)
def test_a_sender_is_an_address_or_the_network_of_one(sent: str, address: str, network: str) -> None:
    assert read_address({"x-forwarded-for": sent}) == address
    assert network_of(address) == network


def test_memory_has_a_bound() -> None:
    buckets, throttle = Buckets(1, most=10), Throttle(1)
    for number in range(1000):
        buckets.take(f"caller-{number}", builders.MONDAY)
    assert len(buckets._buckets) == 10
    assert buckets.take("caller-999", builders.MONDAY) is None, "who was here last is remembered"
    for number in range(MOST_REMEMBERED + 5):
        throttle.remember(f"Bearer {number}")
    assert len(throttle._good) == MOST_REMEMBERED


def test_a_clock_that_goes_back_fills_no_bucket() -> None:
    buckets = Buckets(1)
    assert buckets.take("a", builders.MONDAY) == 0
    assert buckets.take("a", builders.MONDAY - timedelta(hours=1)) is None
    assert buckets.take("a", builders.MONDAY) is None


def test_polls_are_told_as_reads() -> None:
    assert Kind.POLL.header == Kind.READ.header == READS


# Sizes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        pytest.param({"query": f"api-version=1&x={'x' * 9000}"}, 414, "RequestUriTooLong", id="a long query"),
        pytest.param({"headers": {"x-much": "x" * 33_000}}, 431, "RequestHeadersTooLarge", id="a long header"),
        pytest.param(
            {"headers": {f"x-{n}": "x" * 100 for n in range(400)}}, 431, "RequestHeadersTooLarge", id="many headers"
        ),
        pytest.param({"query": f"api-version=1&x={'x' * 7000}"}, 200, "", id="a query that is just short enough"),
        pytest.param({"headers": {"x-much": "x" * 30_000}}, 200, "", id="a header that is just short enough"),
    ],
)
@pytest.mark.parametrize("path", [VAULT_ID, "/vault/breaker"])
def test_what_is_too_long_is_not_looked_at(path: str, changes: dict[str, Any], status: int, code: str) -> None:
    door = Door()
    answer = door.send("GET", path, **changes)
    assert (answer.status, answer.header("x-ms-error-code")) == (status, code)
    assert bool(door.issuer.reads) == (status == 200)


def test_a_long_path_of_an_operation_is_an_arm_error() -> None:
    assert Door().send("GET", f"{INSTANCE}/{'/'.join(['a' * 200] * 50)}").status == 414
