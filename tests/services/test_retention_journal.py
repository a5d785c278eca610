"""What a plan reads of the journal, and whom it blocks when one part of it cannot be read."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, row_keys
from flexvault.domain.errors import PermanentError
from flexvault.domain.job import JobStatus
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Replace
from flexvault.services import catalog
from flexvault.services.breaker import read_breaker
from flexvault.services.manifests import list_manifests
from flexvault.services.retention_plan import store_plan
from flexvault.services.scheduling import tick
from tests.builders import INSTANCE_ID, World, add_server, let_pass, protect, run_jobs
from tests.services.changing import DAY, clean_up
from tests.services.invariants import entries
from tests.services.running import protected
from tests.services.test_retention_rows import LATE, edit, edit_instance, hold, retention_job, told, with_points

# One instance's trouble ----------------------------------------------------------------------------------------------


def two_instances() -> tuple[World, str, str]:
    """Two instances with expired points; the second one's key comes last."""
    world = with_points()
    other_id = f"{INSTANCE_ID}-other"
    protect(world, request_key="other", instance_id=other_id, server_id=add_server(world, "other"))
    for _ in range(3):
        world.clock.advance(DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    let_pass(world, LATE)
    other = catalog.get_instance(world.vault.ports, other_id).key
    return world, world.instance().key, other


def spoil(world: World, key: str, seq: int = 0) -> None:
    path = blob_names.journal_path(key, seq or len(entries(world, key)) + 1)
    world.memory.storage.put(VAULT, blob_names.JOURNAL, path, b"{}")


TROUBLES: list[Any] = [
    pytest.param(spoil, id="unreadable entry"),
    pytest.param(lambda world, key: edit_instance(world, key, state="Dreaming"), id="unknown state"),
    pytest.param(
        lambda world, key: edit_instance(world, key, state="SoftDeleting", deletion_seq=99_999), id="wrong deletion"
    ),
    pytest.param(
        lambda world, key: edit(world, row_keys.POINTS, key, row_keys.RETENTION, reevaluated_seq=1, holds="[]"),
        id="no re-evaluation",
    ),
    pytest.param(
        lambda world, key: edit(
            world, row_keys.POINTS, key, catalog.list_points(world.vault.ports, key)[-1].point_id, expiry_time="never"
        ),
        id="unreadable point",
    ),
    pytest.param(
        lambda world, key: edit(world, row_keys.CONFIG, row_keys.HEADS_PARTITION, key, seq=1_000), id="head ahead"
    ),
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_trouble_of_one_instance_blocks_none_of_the_others(trouble: Callable[[World, str], None]):
    world, troubled, other = two_instances()
    hold(world)  # so that the row of all its points is there
    trouble(world, troubled)
    expected = len(list(list_manifests(world.vault.ports, f"{troubled}/")))
    clean_up(world)
    assert retention_job(world).status is not JobStatus.FAILED
    assert len(list(list_manifests(world.vault.ports, f"{other}/"))) == 1
    assert len(list(list_manifests(world.vault.ports, f"{troubled}/"))) == expected


def test_an_unreadable_entry_blocks_its_instance_and_is_told():
    world, troubled, _ = two_instances()
    spoil(world, troubled)
    clean_up(world)
    assert "JournalUnreadable" in told(world)
    (plan,) = stored_plans(world)[-1:]
    assert {v["decision"] for v in plan["verdicts"] if v["instance"] == troubled} == {"blocked"}


def test_a_begun_deletion_of_a_troubled_instance_keeps_no_other_from_being_cleaned():
    world, troubled, other = two_instances()
    world.memory.faults.fail_next("vault_cleaner.delete", PermanentError("the account is read-only"))
    clean_up(world)
    for key in (troubled, other):
        states = {point.state for point in catalog.list_all_points(world.vault.ports, key)}
        if "deleting" in states:
            spoil(world, key)
            break
    else:
        pytest.fail("no deletion was begun")
    clean_up(world)
    assert retention_job(world).status is JobStatus.COMPLETED_WITH_WARNINGS
    assert {"DeletionBlocked", "JournalUnreadable"} <= set(told(world))
    healthy = other if key == troubled else troubled
    assert len(list(list_manifests(world.vault.ports, f"{healthy}/"))) == 1


def test_an_unreadable_entry_of_the_vault_blocks_all():
    world, _, _ = two_instances()
    spoil(world, "vault")
    before = list(list_manifests(world.vault.ports, ""))
    store_plan(world.vault, world.clock.storage_now())
    (plan,) = stored_plans(world)[-1:]
    assert {verdict["decision"] for verdict in plan["verdicts"]} == {"blocked"}
    assert list(list_manifests(world.vault.ports, "")) == before


def test_a_row_in_an_unknown_state_keeps_no_other_server_from_its_backup():
    world = protected()
    protect(world, request_key="o", instance_id=f"{INSTANCE_ID}-other", server_id=add_server(world, "other"))
    edit_instance(world, world.instance().key, state="Dreaming")
    world.clock.advance(2 * DAY)
    assert len(tick(world.vault, world.memory.orchestrations)) == 1
    assert "RowUnreadable" in [event for event, _ in world.memory.telemetry.events]


# Reading on ----------------------------------------------------------------------------------------------------------


def stored_plans(world: World) -> list[dict[str, Any]]:
    storage = world.memory.storage
    return [json.loads(storage.read(VAULT, "plans", blob.name)) for blob in storage.list_blobs(VAULT, "plans")]


class Reads:
    """Numbers of the journal entries that were asked for, by stream."""

    def __init__(self, world: World) -> None:
        self.paths: list[str] = []
        storage = world.memory.storage
        read = storage.read

        def noted(account: str, container: str, name: str, *rest: Any, **more: Any) -> bytes:
            if container == blob_names.JOURNAL:
                self.paths.append(name)
            return read(account, container, name, *rest, **more)

        storage.read = noted  # pyright: ignore[reportAttributeAccessIssue] - the journal's reads, counted

    def of(self, stream: str) -> list[int]:
        return [int(path.rpartition("/")[2].removesuffix(".json")) for path in self.paths if path.startswith(stream)]


def plan_now(world: World) -> Reads:
    world.clock.advance(timedelta(seconds=1))
    reads = Reads(world)
    store_plan(world.vault, world.clock.storage_now())
    return reads


def test_a_plan_reads_only_the_entries_since_the_plan_before():
    world = with_points()
    key = world.instance().key
    end, vault_end = len(entries(world, key)), len(entries(world, "vault"))
    first = plan_now(world)
    assert first.of(key) == list(range(1, end + 1))
    assert first.of("vault") == list(range(1, vault_end + 1))
    hold(world)
    second = plan_now(world)
    assert second.of(key) == [end, end + 1]  # the checkpoint and the new one
    assert second.of("vault") == [vault_end]
    assert stored_plans(world)[-1]["standing"][key]["facts"]["holds"] == [{"name": "Case", "pointId": ""}]


def test_a_checkpoint_whose_entry_is_another_one_is_not_gone_on_from():
    world = with_points()
    key = world.instance().key
    hold(world)
    plan_now(world)
    end = len(entries(world, key))
    path = blob_names.journal_path(key, end)
    entry = Entry.from_bytes(world.memory.storage.read(VAULT, blob_names.JOURNAL, path))
    forged = replace(entry, body={**entry.body, "hold": "Else"})
    world.memory.storage.spoil(VAULT, blob_names.JOURNAL, path, forged.to_bytes())
    again = plan_now(world)
    assert again.of(key) == [end, *range(1, end + 1)]
    plan = stored_plans(world)[-1]
    assert [warning["code"] for warning in plan["warnings"]] == ["JournalDiffers"]
    assert plan["standing"][key]["facts"]["holds"] == [{"name": "Else", "pointId": ""}]
    assert "JournalDiffers" in [event for event, _ in world.memory.telemetry.events]


def test_an_entry_that_was_written_over_is_read_as_it_was_written():
    world = with_points()
    key = world.instance().key
    hold(world)
    path = blob_names.journal_path(key, len(entries(world, key)))
    entry = Entry.from_bytes(world.memory.storage.read(VAULT, blob_names.JOURNAL, path))
    forged = replace(entry, body={**entry.body, "hold": "Else"})
    world.memory.storage.put(VAULT, blob_names.JOURNAL, path, forged.to_bytes())
    world.memory.storage.delete(VAULT, blob_names.JOURNAL, blob_names.journal_path(key, 1))
    plan_now(world)
    plan = stored_plans(world)[-1]
    assert (plan["warnings"], plan["trips"]) == ([], [])
    assert plan["standing"][key]["facts"]["holds"] == [{"name": "Case", "pointId": ""}]


def test_a_journal_that_got_shorter_stops_retention_until_a_person_has_looked():
    """What an earlier plan read, a hold, is not there any more: nobody can say that nothing was lost."""
    world = with_points()
    key = world.instance().key
    hold(world)
    plan_now(world)
    end = len(entries(world, key))
    world.memory.storage.lose(VAULT, blob_names.JOURNAL, blob_names.journal_path(key, end))
    for _ in range(2):
        plan_now(world)
    trips = [[trip["code"] for trip in plan["trips"]] for plan in stored_plans(world)[-2:]]
    assert trips == [["JournalDiffers"], ["BreakerHolds"]]
    assert read_breaker(world.vault.ports).is_tripped


@pytest.mark.parametrize(
    "spoiled", [b"{}", b"[]", b"null", b'{"version":2,"asOf":"x"}', b'{"version":2,"asOf":"2026-02-01T00:00:00+00:00"}']
)
def test_what_lies_among_the_plans_and_is_none_stops_no_later_one(spoiled: bytes):
    world = with_points()
    plan_now(world)
    world.memory.storage.put(VAULT, blob_names.PLANS, "20990101T000000Z-000000000000.json", spoiled)
    plan_now(world)
    assert len(stored_plans_but(world, "2099")) == 2


def stored_plans_but(world: World, prefix: str) -> list[str]:
    blobs = world.memory.storage.list_blobs(VAULT, blob_names.PLANS)
    return [blob.name for blob in blobs if not blob.name.startswith(prefix)]


def test_an_instance_row_without_its_state_blocks_its_own_deletions_and_no_others():
    world, first, other = two_instances()
    row = catalog.find_instance_row(world.vault.ports, first)
    assert row is not None
    values = {name: value for name, value in row.values.items() if name != "state"}
    spoiled = Replace(key=row.key, values=values, etag=row.etag)
    world.vault.ports.rows.apply(row_keys.CONFIG, row_keys.VAULT_PARTITION, [spoiled])
    clean_up(world)
    gone = {key: [point.state for point in catalog.list_all_points(world.vault.ports, key)] for key in (first, other)}
    assert "deleted" in gone[other]
    assert "deleted" not in gone[first]
    assert set(told(world)) == {"DeletionBlocked"}
