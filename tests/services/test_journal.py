"""The journal: each event once, one unbroken chain, and tables that never go backwards."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain import blob_names, names, row_values
from flexvault.domain.errors import (
    AlreadyExistsError,
    ConflictError,
    IntegrityError,
    NotFoundError,
    PermanentError,
    TransientError,
)
from flexvault.domain.events import Rows, head_target
from flexvault.domain.journal import Entry
from flexvault.domain.rows import Replace
from flexvault.ports import Ports
from flexvault.services.journal import Draft, append, project, read_entry, read_stream
from tests.builders import World, world
from tests.services.interrupting import CrashError, Interruption, crash_at, interrupted
from tests.services.invariants import entries, require_whole_journal
from tests.services.running import quietly

STREAM = "i" * 32


def sealed(point: str = "p1", **changes: Any) -> Draft:
    body = {"point_id": point, "instance": STREAM, "job_id": "j", "manifest_hash": "h", **changes}
    return Draft(stream=STREAM, type="Sealed", key=point, body=body)


def tombstone(point: str = "p1", **changes: Any) -> Draft:
    """A later event on the same row: what a hold will be, too."""
    return Draft(stream=STREAM, type="Tombstoned", key=point, body={"point_id": point}, **changes)


def types(world: World) -> list[str]:
    return [entry.type for entry in entries(world, STREAM)]


def row(world: World, point: str = "p1") -> dict[str, Any]:
    found = world.vault.ports.rows.find("points", STREAM, point)
    assert found is not None
    return dict(found.values)


def head(ports: Ports) -> int:
    target = head_target(STREAM)
    found = ports.rows.find(target.table, target.partition, target.key)
    return 0 if found is None else int(str(found.values["seq"]))


def test_an_event_is_appended_once_however_often_it_is_tried():
    vault = world()
    assert [append(vault.vault.ports, sealed()) for _ in range(3)] == [True, False, False]
    assert types(vault) == ["Sealed"]
    require_whole_journal(vault)


def test_h1_a_zombie_does_not_append_its_event_again_after_a_later_event_on_the_same_row():
    vault = world()
    append(vault.vault.ports, sealed())
    append(vault.vault.ports, tombstone())
    assert append(vault.vault.ports, sealed()) is False
    assert types(vault) == ["Sealed", "Tombstoned"]
    assert row(vault)["state"] == "deleting", "the later event is still in the row"


def test_h2_an_entry_that_is_projected_late_moves_neither_row_nor_head_back():
    vault = world()
    append(vault.vault.ports, sealed())
    append(vault.vault.ports, tombstone())
    before = row(vault)
    project(vault.vault.ports, read_entry(vault.vault.ports, STREAM, 1))
    assert row(vault) == before
    assert head(vault.vault.ports) == 2


def test_h2_the_owner_of_an_entry_may_sleep_between_creating_and_projecting_it():
    vault = world()
    # While the owner of entry 1 sleeps, another appender projects it, writes entry 2 and projects that.
    vault.memory.faults.run_next(
        "vault_writer.create", quietly(lambda: append(vault.vault.ports, sealed("p2"))), after=True
    )
    append(vault.vault.ports, sealed("p1"))
    assert [entry.body["point_id"] for entry in entries(vault, STREAM)] == ["p1", "p2"]
    assert head(vault.vault.ports) == 2
    assert [row(vault, point)["journal_seq"] for point in ("p1", "p2")] == [1, 2]
    require_whole_journal(vault)


def test_h3_the_head_is_read_first_and_projected_last():
    vault = world()
    append(vault.vault.ports, sealed("p0"))
    counted = _Reads(vault)
    append(counted.ports, sealed("p1"))
    assert counted.tables == [
        ("find", "config"),
        ("find", "points"),
        ("find", "points"),
        ("apply", "points"),
        ("find", "config"),
        ("apply", "config"),
    ]


class _Reads:
    """Which tables are read and written, in order."""

    def __init__(self, world: World) -> None:
        self.tables: list[tuple[str, str]] = []
        rows = world.memory.rows
        outer = self

        class Rows:
            def find(self, table: str, partition: str, key: str) -> Any:
                outer.tables.append(("find", table))
                return rows.find(table, partition, key)

            def query(self, *args: Any, **kwargs: Any) -> Any:
                return rows.query(*args, **kwargs)

            def apply(self, table: str, partition: str, changes: Any) -> None:
                outer.tables.append(("apply", table))
                rows.apply(table, partition, changes)

        self.ports = replace(world.vault.ports, rows=Rows())


def test_h3_an_event_that_slips_in_between_two_reads_is_not_written_twice():
    vault = world()
    append(vault.vault.ports, sealed("p0"))
    # After the head was read and before the target is: another run appends the very same event.
    vault.memory.faults.run_next("rows.find", quietly(lambda: append(vault.vault.ports, sealed("p1"))), after=True)
    assert append(vault.vault.ports, sealed("p1")) is False
    assert types(vault) == ["Sealed", "Sealed"]
    require_whole_journal(vault)


def test_an_entry_that_is_mine_and_unprojected_is_projected_then_done():
    vault = world()
    counted = Interruption()
    append(interrupted(world().vault, counted).ports, sealed())
    died = crash_at(counted.calls.index("vault_writer.create"), after=True)
    with pytest.raises(CrashError):
        append(interrupted(vault.vault, died).ports, sealed())
    assert vault.vault.ports.rows.find("points", STREAM, "p1") is None
    vault.clock.advance(timedelta(seconds=1))
    assert append(vault.vault.ports, sealed()) is False
    assert row(vault)["state"] == "sealed"
    assert head(vault.vault.ports) == 1


def test_an_entry_that_is_anothers_is_projected_and_the_own_one_follows():
    vault = world()
    counted = Interruption()
    append(interrupted(world().vault, counted).ports, sealed("p1"))
    died = crash_at(counted.calls.index("vault_writer.create"), after=True)
    with pytest.raises(CrashError):
        append(interrupted(vault.vault, died).ports, sealed("p1"))
    assert append(vault.vault.ports, sealed("p2")) is True
    assert [row(vault, point)["journal_seq"] for point in ("p1", "p2")] == [1, 2]
    require_whole_journal(vault)


def test_an_answer_lost_after_the_entry_was_created_is_no_second_entry():
    vault = world()
    vault.memory.faults.fail_next("vault_writer.create", TransientError("lost"), after=True)
    with pytest.raises(TransientError):
        append(vault.vault.ports, sealed())
    vault.clock.advance(timedelta(seconds=1))
    assert append(vault.vault.ports, sealed()) is False
    assert types(vault) == ["Sealed"]


def test_an_own_entry_whose_answer_got_lost_on_the_way_counts_as_written_by_this_call():
    vault = world()

    def lose_the_answer_once() -> None:
        raise AlreadyExistsError("the client's own repetition met what its first try created")

    vault.memory.faults.run_next("vault_writer.create", lose_the_answer_once, after=True)
    assert append(vault.vault.ports, sealed()) is True
    assert types(vault) == ["Sealed"]


def test_preconditions_are_read_again_after_a_lost_race():
    vault = world()
    append(vault.vault.ports, sealed())
    seen: list[object] = []

    def check(rows: Rows) -> None:
        state = next(iter(rows.values()))
        assert state is not None
        seen.append(state.values["readers"])
        if state.values["readers"]:
            raise ConflictError("a restore reads it")

    started = Draft(stream=STREAM, type="RestoreStarted", key="r", body={"point_id": "p1", "job_id": JOB})
    vault.memory.faults.run_next("vault_cleaner.create", quietly(lambda: append(vault.vault.ports, started)))
    with pytest.raises(ConflictError):
        append(vault.vault.ports, tombstone(check=check), by_retention=True)
    assert seen == [0, 1]
    assert types(vault) == ["Sealed", "RestoreStarted"]


JOB = "019b8be1-f500-75fe-80f4-3f925cfdba49"


def test_many_appenders_make_one_unbroken_chain():
    vault = world()
    problems: list[BaseException] = []

    def run(worker: int) -> None:
        try:
            for number in range(6):
                append(vault.vault.ports, sealed(f"{worker}-{number}"))
                append(vault.vault.ports, sealed(f"shared-{number}"))
        except BaseException as problem:  # noqa: BLE001 - shown by the test
            problems.append(problem)

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(entries(vault, STREAM)) == 5 * 6 + 6
    require_whole_journal(vault)


def test_an_entry_that_says_it_is_another_is_not_believed():
    vault = world()
    append(vault.vault.ports, sealed())
    stored = entries(vault, STREAM)[0]
    moved = replace(stored, seq=2).to_bytes()
    vault.memory.storage.put("vault", blob_names.JOURNAL, blob_names.journal_path(STREAM, 7), moved)
    with pytest.raises(IntegrityError, match="says that it is"):
        read_entry(vault.vault.ports, STREAM, 7)


@pytest.mark.parametrize("operation", ["vault_reader.list_versions", "vault_reader.read"])
def test_a_container_that_is_gone_is_no_end_of_a_stream(operation: str):
    vault = world()
    append(vault.vault.ports, sealed())
    assert [entry.seq for entry in read_stream(vault.vault.ports, STREAM)] == [1]
    vault.memory.faults.fail_next(operation, NotFoundError("no container", code="ContainerNotFound"))
    with pytest.raises(NotFoundError, match="no container"):
        list(read_stream(vault.vault.ports, STREAM))


def test_a_repeated_event_has_the_same_id_and_another_has_not():
    assert names.event_id("s", "Sealed", "p") == names.event_id("s", "Sealed", "p")
    others = {names.event_id(*parts) for parts in [("t", "Sealed", "p"), ("s", "Other", "p"), ("s", "Sealed", "q")]}
    assert names.event_id("s", "Sealed", "p") not in others
    assert len(others) == 3


def test_an_entry_keeps_who_asked():
    vault = world()
    append(vault.vault.ports, replace(sealed(), actor={"oid": "o"}))
    entry: Entry = entries(vault, STREAM)[0]
    assert entry.actor == {"oid": "o"}


def test_what_does_not_fit_into_a_row_is_refused_with_what_to_do():
    with pytest.raises(PermanentError, match="40000 characters") as refused:
        row_values.check_row("points", "key", {"holds": "x" * 40_000})
    assert (refused.value.code, "send less" in refused.value.hint) == ("RowNotStorable", True)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"seq": 999}, id="a number far ahead"),
        pytest.param({"seq": 1}, id="a number long past"),
        pytest.param({"hash": "f" * 64}, id="another hash"),
        pytest.param({"seq": "none"}, id="no number"),
    ],
)
def test_a_forged_head_makes_no_hole_and_is_told(forged: dict[str, Any]):
    vault = world()
    for point in ("p1", "p2", "p3"):
        append(vault.vault.ports, sealed(point))
    head = head_target(sealed().stream)
    row = vault.vault.ports.rows.find(head.table, head.partition, head.key)
    assert row is not None
    change = Replace(key=row.key, values={**row.values, **forged}, etag=row.etag)
    vault.vault.ports.rows.apply(head.table, head.partition, [change])
    assert append(vault.vault.ports, sealed("p4"))
    stored = entries(vault, sealed().stream)
    assert [entry.seq for entry in stored] == [1, 2, 3, 4]
    assert stored[3].previous_hash == names.sha256_hex(stored[2].to_bytes())
    assert ("RowsDiffer", {"instance": sealed().stream}) in vault.memory.telemetry.events
