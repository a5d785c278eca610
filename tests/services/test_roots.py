"""A root a day: each one holds what came since the one before, and names it by its hash."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from flexvault.adapters.memory.rows import MemoryRows
from flexvault.adapters.memory.storage import VAULT
from flexvault.domain import blob_names, names
from flexvault.domain.errors import NotAuthorizedError, TransientError, VaultError
from flexvault.domain.root import Root
from flexvault.domain.verification import Verdict
from flexvault.services import roots
from flexvault.services.reconcile import reconcile
from flexvault.services.roots import write_due_root
from flexvault.services.scheduling import tick
from flexvault.services.vault import Vault
from tests.builders import World, run_jobs
from tests.services.interrupting import CrashError
from tests.services.living import DAY, blobs, live, read, remove, verify, write_over
from tests.services.running import FIRST_SLOT, protected

JOURNAL = blob_names.JOURNAL
FIRST_DAY = date(2026, 1, 5)


def backed_up(days: int = 1) -> World:
    """A vault that was backed up daily and never reconciled."""
    world = protected()
    for day in range(days):
        world.clock.advance_to(FIRST_SLOT + day * DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    return world


def another_process(world: World) -> Vault:
    """The same vault, seen by a process that remembers nothing."""
    return Vault(settings=world.vault.settings, ports=world.vault.ports)


def write(world: World, vault: Vault | None = None) -> bool:
    return write_due_root(vault or world.vault, world.clock.storage_now())


def days_with_root(world: World) -> list[str]:
    return [path.removeprefix("roots/").removesuffix(".jsonl") for path in blobs(world, JOURNAL, "roots/")]


def root(world: World, day: date) -> Root:
    return Root.from_bytes(read(world, JOURNAL, blob_names.root_path(day)))


def held(root: Root) -> list[tuple[str, int]]:
    return [(line.stream, line.seq) for line in root.lines]


def stored_entries(world: World) -> list[tuple[str, int]]:
    paths = [path for path in blobs(world, JOURNAL) if blob_names.entry_seq(path)]
    return [(path.partition("/")[0], int(path.rpartition("/")[2].removesuffix(".json"))) for path in paths]


def events(world: World, name: str) -> list[dict[str, object]]:
    return [dict(facts) for event, facts in world.memory.telemetry.events if event == name]


def test_the_first_reconcile_of_a_day_writes_the_root_of_the_day_before_and_later_ones_nothing() -> None:
    world = backed_up()
    world.clock.advance_to(FIRST_SLOT + DAY)

    reconcile(world.vault, world.memory.orchestrations)
    first = read(world, JOURNAL, blob_names.root_path(FIRST_DAY))
    reconcile(world.vault, world.memory.orchestrations)
    reconcile(another_process(world), world.memory.orchestrations)

    assert days_with_root(world) == ["2026-01-05"]
    assert read(world, JOURNAL, blob_names.root_path(FIRST_DAY)) == first


def test_a_root_holds_every_entry_as_it_is_stored_and_each_streams_end() -> None:
    world = backed_up()
    write(world)

    found = root(world, FIRST_DAY - DAY)

    assert (found.previous_day, found.previous_hash) == (None, "")
    assert held(found) == stored_entries(world)
    for line in found.lines:
        stored = read(world, JOURNAL, blob_names.journal_path(line.stream, line.seq))
        assert (line.data, line.hash) == (stored, names.sha256_hex(stored))
    for stream, covered in found.streams.items():
        last = max(seq for name, seq in held(found) if name == stream)
        assert (covered.first, covered.last) == (1, last)


def test_the_next_root_names_the_one_before_and_holds_only_what_came_since() -> None:
    world = live(3)
    first, second = root(world, FIRST_DAY), root(world, FIRST_DAY + DAY)

    assert second.previous_day == FIRST_DAY
    assert second.previous_hash == names.sha256_hex(read(world, JOURNAL, blob_names.root_path(FIRST_DAY)))
    assert second.lines
    assert set(held(first)) & set(held(second)) == set()
    for stream, covered in second.streams.items():
        assert covered.first == first.streams[stream].last + 1


def test_days_without_a_root_are_covered_by_the_next_one() -> None:
    world = backed_up(5)
    write(world)
    for day in range(5, 9):
        world.clock.advance_to(FIRST_SLOT + day * DAY)
        tick(world.vault, world.memory.orchestrations)
        run_jobs(world)
    write(world)

    assert days_with_root(world) == ["2026-01-08", "2026-01-12"]
    assert sorted(held(root(world, date(2026, 1, 8))) + held(root(world, date(2026, 1, 12)))) == stored_entries(world)
    assert verify(world).verdict is Verdict.INTACT


def test_two_reconciles_at_once_leave_one_root() -> None:
    world = backed_up()
    other = another_process(world)
    answers: list[bool] = []
    world.memory.faults.run_next("vault_writer.create", lambda: answers.append(write(world, other)))

    answers.append(write(world))

    assert answers == [True, False]
    assert len(days_with_root(world)) == 1
    assert verify(world).verdict is Verdict.INTACT


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_its_writing_leaves_no_root_or_the_whole_one(after: bool) -> None:
    world = backed_up()

    def crash() -> None:
        raise CrashError

    world.memory.faults.run_next("vault_writer.create", crash, after=after)
    with pytest.raises(CrashError):
        write(world)
    assert len(days_with_root(world)) == int(after)

    assert write(world, another_process(world)) is not after
    assert len(days_with_root(world)) == 1
    assert verify(world).verdict is Verdict.INTACT


@pytest.mark.parametrize("error", [TransientError("busy"), NotAuthorizedError("refused")], ids=lambda e: e.code)
@pytest.mark.parametrize(
    "operation", ["vault_reader.list_versions", "vault_reader.list_folders", "vault_reader.read", "vault_writer.create"]
)
def test_a_failure_is_told_keeps_nothing_else_from_being_done_and_is_tried_again(
    operation: str, error: VaultError
) -> None:
    world = backed_up()
    world.memory.faults.fail_next(operation, error)

    reconcile(world.vault, world.memory.orchestrations)
    assert (days_with_root(world), len(events(world, "RootNotWritten"))) == ([], 1)
    assert events(world, "RootNotWritten") == [{"day": "2026-01-04", "code": error.code}]

    reconcile(world.vault, world.memory.orchestrations)
    assert days_with_root(world) == ["2026-01-04"]


def test_the_hash_of_a_root_leaves_the_vault_account() -> None:
    world = backed_up()
    write(world)

    data = read(world, JOURNAL, blob_names.root_path(FIRST_DAY - DAY))
    expected = {"day": "2026-01-04", "sha256": names.sha256_hex(data), "entries": len(stored_entries(world))}
    assert events(world, "RootWritten") == [expected]


def test_lost_rows_do_not_matter() -> None:
    world = live(2)
    world.clock.advance(DAY)
    emptied = Vault(settings=world.vault.settings, ports=replace(world.vault.ports, rows=MemoryRows()))

    assert write(world, emptied) is True
    assert verify(world).verdict is Verdict.INTACT


def _change(world: World, path: str) -> None:
    write_over(world, JOURNAL, path, read(world, JOURNAL, path).replace(b'"seq":3', b'"seq":4'))


@pytest.mark.parametrize("harm", [remove, None], ids=["removed", "changed"])
def test_a_broken_stream_is_told_and_does_not_keep_the_others_from_being_covered(
    harm: Callable[[World, str, str], None] | None,
) -> None:
    world = backed_up(2)
    stream = world.instance().key
    path = blob_names.journal_path(stream, 3)
    harm(world, JOURNAL, path) if harm else _change(world, path)

    assert write(world) is True

    found = root(world, FIRST_DAY)
    assert found.streams[stream].last == 2
    assert found.streams["vault"].last == len(blobs(world, JOURNAL, "vault/"))
    assert [event["stream"] for event in events(world, "RootIncomplete")] == ([] if harm else [stream])


def test_a_stream_that_is_not_the_one_before_any_more_never_goes_back_behind_what_is_proven() -> None:
    world = live(2)
    stream = world.instance().key
    proven = root(world, FIRST_DAY).streams[stream]
    remove(world, JOURNAL, blob_names.journal_path(stream, proven.last))
    world.clock.advance(DAY)

    assert write(world) is True

    after = root(world, FIRST_DAY + DAY).streams[stream]
    assert (after.first, after.last, after.hash) == (proven.last + 1, proven.last, proven.hash)
    assert [event["stream"] for event in events(world, "RootIncomplete")] == [stream]


def test_a_root_that_cannot_be_read_does_not_keep_the_next_one_from_being_written() -> None:
    world = live(2)
    path = blob_names.root_path(FIRST_DAY)
    write_over(world, JOURNAL, path, b"encrypted")
    world.clock.advance(DAY)

    assert write(world) is True

    after = root(world, FIRST_DAY + DAY)
    assert after.previous_hash == names.sha256_hex(b"encrypted")
    assert held(after) == stored_entries(world)
    assert [finding.code for finding in verify(world).findings] == ["RootUnreadable"]


def test_what_does_not_fit_into_a_root_is_taken_up_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "LARGEST_ROOT_BYTES", 1500)
    world = backed_up(3)
    for _ in range(20):
        write(world)
        world.clock.advance(DAY)

    days = [date.fromisoformat(day) for day in days_with_root(world)]
    assert sorted(entry for day in days for entry in held(root(world, day))) == stored_entries(world)
    assert len([day for day in days if root(world, day).lines]) > 3
    assert verify(world).verdict is Verdict.INTACT


def test_a_clock_that_went_back_writes_nothing_behind_the_newest_root() -> None:
    world = live(3)
    before = days_with_root(world)
    earlier = world.clock.storage_now() - timedelta(days=2)

    assert write_due_root(another_process(world), earlier) is False
    assert days_with_root(world) == before


def test_a_foreign_folder_in_the_journal_is_no_stream() -> None:
    world = backed_up()
    world.memory.storage.put(VAULT, JOURNAL, "else/000000000001.json", b"ransom note")
    write(world)

    assert set(root(world, FIRST_DAY - DAY).streams) == {"vault", world.instance().key}
