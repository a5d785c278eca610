"""Verification through the door: anyone who reads may ask, and a long one goes on where a page ended."""

from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names
from flexvault.domain.errors import TransientError
from flexvault.services.reconcile import reconcile
from tests.api.doors import INSTANCE, Door, Sent

VERIFY = "/vault/verify"


@pytest.fixture
def door() -> Door:
    """A vault with a recovery point and a root."""
    made = Door()
    made.protect_and_back_up()
    reconcile(made.world.vault, made.world.memory.orchestrations)
    return made


def verify(door: Door, body: Any = None, person: str = "reader") -> Sent:
    return door.send("POST", VERIFY, body, person=person, query="")


def entries(door: Door) -> list[str]:
    prefix = f"{door.world.instance().key}/"
    return [blob.name for blob in door.world.memory.storage.list_blobs(VAULT, blob_names.JOURNAL, prefix)]


@pytest.mark.parametrize("person", ["reader", "operator", "contributor", "approver"])
def test_everybody_with_a_role_may_verify(door: Door, person: str) -> None:
    answer = verify(door, person=person)

    assert answer.status == 200
    told = answer.json
    assert (told["verdict"], told["findings"], told["notChecked"], told["continueFrom"]) == ("Intact", [], [], None)
    assert (told["deep"], told["checked"]["bytesRead"]) == (False, 0)
    assert {name: told["checked"][name] for name in ("streams", "roots", "recoveryPoints", "files", "blocks")} == {
        "streams": 2,
        "roots": 1,
        "recoveryPoints": 1,
        "files": 4,
        "blocks": 4,
    }
    assert told["evidence"]["newestRoot"]["date"] == "2026-01-04"
    assert "can be removed unseen" in told["evidence"]["reach"]


def test_deep_reads_every_byte(door: Door) -> None:
    told = verify(door, {"deep": True}).json

    sizes = [blob.size_bytes for blob in door.world.memory.storage.list_blobs(VAULT, blob_names.POINTS)]
    assert (told["deep"], told["checked"]["bytesRead"]) == (True, sum(sizes))


def test_a_finding_names_the_blob_and_what_to_do(door: Door) -> None:
    path = entries(door)[0]
    door.world.memory.storage.spoil(VAULT, blob_names.JOURNAL, path, b"encrypted")

    told = verify(door).json

    assert told["verdict"] == "Broken"
    (finding,) = [found for found in told["findings"] if found["code"] == "EntryUnreadable"]
    assert (finding["severity"], finding["subject"]) == ("Error", f"journal/{path}")
    assert "bring the old one back" in finding["recommendedAction"]
    own = [found for found in told["evidence"]["streams"] if found["stream"] == door.world.instance().key]
    assert own[0]["firstBrokenLink"] == f"journal/{path}"


def test_the_tables_are_asked_for_a_last_entry_that_was_removed_today(door: Door) -> None:
    door.world.clock.advance(timedelta(days=1))
    path = entries(door)[-1]
    door.world.memory.storage.delete(VAULT, blob_names.JOURNAL, path)

    assert [finding["subject"] for finding in verify(door).json["findings"]][:1] == [f"journal/{path}"]


@pytest.mark.parametrize("name", ["pg-orders", "PG-ORDERS", INSTANCE, "by key"])
def test_an_instance_is_named_as_a_client_knows_it(door: Door, name: str) -> None:
    name = door.world.instance().key if name == "by key" else name

    told = verify(door, {"instance": name}).json

    assert [stream["stream"] for stream in told["evidence"]["streams"]] == [door.world.instance().key]


@pytest.mark.parametrize(
    ("body", "target"),
    [
        ({"deep": "yes"}, "deep"),
        ({"instance": 5}, "instance"),
        ({"continueFrom": "nowhere"}, "continueFrom"),
        ({"until": "tomorrow"}, "until"),
    ],
)
def test_a_request_that_cannot_be_understood_is_400(door: Door, body: Any, target: str) -> None:
    refused = verify(door, body)

    assert refused.status == 400
    assert target in str(refused.error)


def test_a_key_of_which_the_vault_account_holds_nothing_is_not_called_intact(door: Door) -> None:
    refused = verify(door, {"instance": "0" * 32})
    assert refused.status == 400
    assert "0" * 32 in refused.error["message"]


def test_an_instance_that_nobody_knows_is_400(door: Door) -> None:
    refused = verify(door, {"instance": "pg-nothing"})

    assert (refused.status, refused.error["code"]) == (400, "UserErrorGenericResourceNotFound")


def test_storage_that_cannot_be_read_is_503_and_no_verdict(door: Door) -> None:
    door.world.memory.faults.fail_next("vault_reader.list_blocks", TransientError("busy"))

    assert verify(door).status == 503


def test_a_long_verification_goes_on_where_the_page_ended(door: Door) -> None:
    def tire() -> None:
        door.world.clock.advance(timedelta(minutes=2))

    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["continueFrom"]:
        door.world.memory.faults.clear()
        for operation in ("list_versions", "read"):
            for _ in range(10):
                door.world.memory.faults.run_next(f"vault_reader.{operation}", tire)
        pages.append(verify(door, {"continueFrom": pages[-1]["continueFrom"]} if pages else None).json)

    assert len(pages) > 1
    assert sum(page["checked"]["recoveryPoints"] for page in pages) == 1
    assert {page["verdict"] for page in pages} == {"Intact"}
