"""What is stored is read back as it was, older writings too."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain import names
from flexvault.domain.errors import IntegrityError
from flexvault.domain.job import JobStatus, Operation, Step
from flexvault.domain.journal import Entry
from flexvault.domain.landing_files import FileKind, is_known_layout, read_name
from flexvault.domain.manifest import Manifest, ManifestFile, block_size_bytes, split_blocks
from flexvault.domain.open_job import JobRecord, OpenJob
from tests.domain.strategies import moments

AT = datetime(2026, 1, 5, 2, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, json_values, max_size=3)
files = st.builds(
    ManifestFile,
    path=texts,
    suffix=texts,
    kind=texts,
    size_bytes=st.integers(0, 2**50),
    version_id=texts,
    block_size_bytes=st.sampled_from([8 * 1024**2, 64 * 1024**2]),
    crc64=st.lists(texts, max_size=3).map(tuple),
    facts=objects,
)
manifests = st.builds(
    Manifest,
    point_id=texts,
    job_id=texts,
    instance=texts,
    instance_id=texts,
    account=texts,
    server=objects,
    chain=texts,
    attempt=st.integers(1, 9),
    recovery_point_time=moments,
    expiry_time=moments,
    tag=texts,
    policy=st.fixed_dictionaries({"name": texts, "journalSeq": st.integers(0, 9)}),
    files=st.lists(files, max_size=3).map(tuple),
    warnings=st.lists(objects, max_size=2).map(tuple),
)


@given(manifest=manifests)
def test_a_manifest_is_read_as_it_was_written_and_its_hash_does_not_move(manifest: Manifest):
    stored = manifest.to_bytes()
    assert Manifest.from_bytes(stored) == manifest
    assert names.sha256_hex(Manifest.from_bytes(stored).to_bytes()) == names.sha256_hex(stored)


@given(seq=st.integers(1, 10**9), kind=texts, at=moments, body=objects, previous=texts)
def test_a_journal_entry_is_read_as_it_was_written(
    seq: int, kind: str, at: datetime, body: dict[str, Any], previous: str
):
    entry = Entry(
        stream="s", seq=seq, previous_hash=previous, event_id="e", type=kind, at=at, body=body, actor={"oid": "o"}
    )
    assert Entry.from_bytes(entry.to_bytes()) == entry


def test_an_entry_without_an_actor_is_the_vaults_own():
    first_form = Entry(stream="s", seq=1, previous_hash="", event_id="e", type="t", at=AT, body={}, version=1)
    stored = json.loads(first_form.to_bytes())
    del stored["actor"]
    assert Entry.from_bytes(json.dumps(stored).encode()).actor == {}


@given(place=st.integers(0, 10**6), change=st.integers(1, 255), body=objects)
def test_an_entry_with_another_byte_is_none(place: int, change: int, body: dict[str, Any]):
    entry = Entry(stream="s", seq=12, previous_hash="p", event_id="e", type="Sealed", at=AT, body=body)
    changed = bytearray(entry.to_bytes())
    changed[place % len(changed)] ^= change
    try:
        read = Entry.from_bytes(bytes(changed))
    except IntegrityError:
        return
    # It says that it is of an older form, which has no hash of its own: then it has one too many.
    assert read.version < entry.version
    assert not read.is_written_as(bytes(changed))


@given(state=objects, step=st.sampled_from(Step), generation=st.integers(1, 99))
def test_an_open_row_is_read_as_it_was_written(state: dict[str, Any], step: Step, generation: int):
    opened = OpenJob(
        key="open-backup-i",
        job_id=names.slot_job_id("i", AT),
        operation=Operation.BACKUP,
        instance="i",
        step=step,
        next_check_at=AT,
        not_before=AT,
        claimed_at=AT,
        generation=generation,
        last_started_at=AT,
        state=state,
        etag="e",
    )
    assert OpenJob.from_values(opened.key, opened.to_values(), "e") == opened


def test_an_open_row_of_an_older_version_gets_the_defaults():
    opened = OpenJob(
        key="k",
        job_id="j",
        operation=Operation.RESTORE,
        instance="i",
        step=Step.PROBING,
        next_check_at=AT,
        not_before=AT,
        claimed_at=AT,
    )
    values = opened.to_values()
    for newer in ("stuck_at", "stuck_count", "state"):
        del values[newer]
    assert OpenJob.from_values("k", values, "") == opened


def test_changes_of_an_open_rows_state_are_merged():
    opened = OpenJob(
        key="k",
        job_id="j",
        operation=Operation.BACKUP,
        instance="i",
        step=Step.PREPARING,
        next_check_at=AT,
        not_before=AT,
        claimed_at=AT,
        state={"a": 1, "b": 2},
    )
    assert opened.changed(state={"b": 3}).state == {"a": 1, "b": 3}
    assert opened.changed(generation=2).state == opened.state


def test_a_job_is_read_as_it_was_written():
    record = JobRecord(
        job_id="j",
        operation=Operation.BACKUP,
        status=JobStatus.FAILED,
        instance="i",
        is_user_triggered=True,
        started_at=AT,
        ended_at=AT + timedelta(hours=1),
        facts={"policy_name": "daily"},
        sub_tasks=({"id": 1},),
        warnings=({"code": "W"},),
        error={"code": "E"},
        transferred_bytes=7,
        recovery={"point_id": "p"},
        target={"url": "u"},
    )
    assert JobRecord.from_values(record.to_values(), "") == record


@given(size=st.integers(0, 3 * 1024**3))
def test_blocks_cover_a_file_once_and_in_order(size: int):
    block = block_size_bytes(size)
    blocks = split_blocks(size, block)
    assert sum(length for _, length in blocks) == size
    assert [offset for offset, _ in blocks] == list(range(0, size, block))
    assert all(0 < length <= block for _, length in blocks)
    assert len(blocks) <= 50_000


@pytest.mark.parametrize(
    ("name", "kind", "suffix", "label"),
    [
        pytest.param("b_database_orders.sql", FileKind.DATABASE, "_database_orders.sql", "orders", id="database"),
        pytest.param("b_database_a%20%22b.sql", FileKind.DATABASE, "_database_a%20%22b.sql", 'a "b', id="escaped"),
        pytest.param("b_database_x_roles.sql", FileKind.DATABASE, "_database_x_roles.sql", "x_roles", id="named roles"),
        pytest.param("b_database_a_database_b.sql", FileKind.DATABASE, "_database_a_database_b.sql", "a_database_b", id="named so"),
        pytest.param("B_DATABASE_Orders.SQL", FileKind.DATABASE, "_DATABASE_Orders.SQL", "Orders", id="capitals"),
        pytest.param("b_roles.sql", FileKind.ROLES, "_roles.sql", "", id="roles"),
        pytest.param("b_tablespace.sql", FileKind.TABLESPACE, "_tablespace.sql", "", id="tablespace"),
        pytest.param("b_schema.sql", FileKind.SCHEMA, "_schema.sql", "", id="schema"),
        pytest.param("b_other.bin", FileKind.UNKNOWN, "_other.bin", "", id="unknown"),
        pytest.param("other.bin", FileKind.UNKNOWN, "_other.bin", "", id="without the backup's name"),
        pytest.param("b", FileKind.UNKNOWN, "_", "", id="the backup's name alone"),
    ],
)  # fmt: skip
def test_a_file_tells_by_its_name_what_it_is(name: str, kind: FileKind, suffix: str, label: str):
    found = read_name(name, "b")
    assert (found.kind, found.suffix, found.database_label) == (kind, suffix, label)


@pytest.mark.parametrize(
    ("kinds", "known"),
    [
        (["database", "roles"], True),
        (["database", "roles", "schema", "tablespace"], True),
        (["database"], False),
        (["roles"], False),
        (["database", "roles", "unknown"], False),
        ([], False),
    ],
)
def test_a_layout_is_known_by_its_kinds(kinds: list[str], known: bool):
    assert is_known_layout([FileKind(kind) for kind in kinds]) is known
