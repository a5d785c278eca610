"""The journal as the API shows it: newest first, by pages, whatever the tables say."""

import re
from pathlib import Path
from typing import Any

import pytest

from flexvault.domain import blob_names, names
from flexvault.domain.events import EVENT_TYPES, head_target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Delete, Replace
from flexvault.services import journal_pages
from flexvault.services.journal import find_entry_data, find_row
from tests.api.doors import INSTANCE, VAULT_ID, Door, policy_body
from tests.builders import INSTANCE_ID

JOURNAL = "/vault/journal"
KEY = names.instance_key(INSTANCE_ID)
DOC = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


@pytest.fixture
def door() -> Door:
    door = Door()
    door.protect_and_back_up()
    return door


def ask(door: Door, query: str = "") -> list[dict[str, Any]]:
    """Follow nextLink to the end."""
    found, url = [], f"{JOURNAL}?{query}"
    while url:
        answer = door.send("GET", url, person="reader", query="")
        assert answer.status == 200, answer.json
        found += answer.json["value"]
        url = answer.json.get("nextLink", "")
    return found


def types(entries: list[dict[str, Any]]) -> list[str | None]:
    return [one["type"] for one in entries]


def set_head(door: Door, seq: int | None) -> None:
    """Remove the head row of the vault's stream, or make it name another entry."""
    target = head_target("vault")
    row = find_row(door.world.memory.ports, target)
    assert row is not None
    change = Delete(key=target.key, etag=row.etag)
    if seq is not None:
        data = read(door, seq)
        values = {**row.values, "seq": seq, "hash": names.sha256_hex(data) if data else "0" * 64}
        change = Replace(key=target.key, values=values, etag=row.etag)
    door.world.memory.ports.rows.apply(target.table, target.partition, [change])


def read(door: Door, seq: int) -> bytes | None:
    return find_entry_data(door.world.memory.ports.vault_reader, "vault", seq)


def test_it_says_who_did_what_newest_first(door: Door) -> None:
    entries = ask(door)
    assert types(entries) == ["ProtectionConfigured", "ProtectionRequested", "PolicyChanged"]
    assert [one["seq"] for one in entries] == [3, 2, 1]
    first = entries[-1]
    assert first["actor"]["oid"] == "oid-of-Backup.Contributor"
    assert first["body"]["name"] == "daily"
    assert (first["stream"], first["backupInstance"], first["previousSha256"]) == ("vault", None, None)
    assert entries[0]["backupInstance"] == "pg-orders"
    assert all(one["problem"] is None for one in entries)


def test_each_entry_shows_the_hash_of_the_one_before(door: Door) -> None:
    entries = ask(door)
    assert [one["previousSha256"] for one in entries] == [one["sha256"] for one in entries[1:]] + [None]
    assert entries[0]["sha256"] == names.sha256_hex(read(door, 3) or b"")


@pytest.mark.parametrize("name", ["pg-orders", "PG-ORDERS", INSTANCE, KEY])
def test_an_instance_has_a_stream_of_its_own(door: Door, name: str) -> None:
    entries = ask(door, f"instance={name}")
    assert "Sealed" in types(entries)
    assert {(one["stream"], one["backupInstance"]) for one in entries} == {(KEY, "pg-orders")}
    assert entries[-1]["seq"] == 1


def test_an_instance_that_never_was_is_refused(door: Door) -> None:
    refused = door.send("GET", f"{JOURNAL}?instance=nope", person="reader", query="")
    assert (refused.status, refused.error["target"]) == (400, "instance")
    assert "'nope'" in refused.error["message"]


def test_entries_of_one_type_only(door: Door) -> None:
    assert types(ask(door, "type=policychanged")) == ["PolicyChanged"]
    refused = door.send("GET", f"{JOURNAL}?type=Nothing", person="reader", query="")
    assert (refused.status, refused.error["target"]) == (400, "type")


def test_pages_follow_one_another_whatever_comes_meanwhile(door: Door) -> None:
    whole = ask(door)
    first = door.send("GET", f"{JOURNAL}?$top=1", person="reader", query="").json
    assert first["value"] == whole[:1]
    assert door.send("PUT", f"{VAULT_ID}/backupPolicies/weekly", policy_body()).status == 200
    second = door.send("GET", first["nextLink"], person="reader", query="").json
    assert second["value"] == whole[1:2]
    assert "$top=1" in first["nextLink"].replace("%24", "$")
    assert ask(door, "$top=1")[1:] == whole


def test_a_page_looks_at_a_bounded_number_of_entries(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_pages, "MOST_READ", 2)
    page = door.send("GET", f"{JOURNAL}?type=PolicyChanged", person="reader", query="").json
    assert page["value"] == []
    assert "type=PolicyChanged" in page["nextLink"]
    assert types(ask(door, "type=PolicyChanged")) == ["PolicyChanged"]


@pytest.mark.parametrize("head", [None, 1, 9_999], ids=["missing", "behind", "forged"])
@pytest.mark.parametrize("ahead", [0, 20])
def test_the_rows_do_not_decide_what_is_shown(
    door: Door, head: int | None, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ask(door)
    set_head(door, head)
    monkeypatch.setattr(journal_pages, "MOST_AHEAD", ahead)
    assert ask(door) == whole
    assert ask(door, "$top=1") == whole


def test_what_cannot_be_read_is_shown_as_that(door: Door) -> None:
    path = blob_names.journal_path("vault", 4)
    door.world.memory.ports.vault_writer.create(blob_names.JOURNAL, path, b"{}")
    planted = ask(door, "type=PolicyChanged")[0]
    assert (planted["seq"], planted["type"], planted["body"]) == (4, None, None)
    assert planted["problem"] == "what lies in the journal is no entry"
    assert planted["sha256"] == names.sha256_hex(b"{}")
    other = Entry.from_bytes(read(door, 3) or b"").to_bytes()
    door.world.memory.ports.vault_writer.create(blob_names.JOURNAL, blob_names.journal_path("vault", 5), other)
    assert ask(door)[0]["problem"] == "what lies here says that it is vault 3"


def test_every_type_of_entry_is_explained() -> None:
    section = DOC.split("\n## The journal\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+`) \| (?:vault|instance)", section, re.MULTILINE)
    assert sorted(kind for cell in cells for kind in re.findall(r"`(\w+)`", cell)) == sorted(EVENT_TYPES)
