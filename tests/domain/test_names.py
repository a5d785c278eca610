"""Derived names and keys: the same input always gives the same one, and no key holds what Table Storage refuses."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexvault.domain import blob_names, names, row_keys

SLOT = datetime(2026, 1, 5, 2, tzinfo=UTC)
JOB = names.slot_job_id("i" * 32, SLOT)
milliseconds = st.integers(1, 4_000_000_000_000).map(lambda count: names.EPOCH + timedelta(milliseconds=count))


@given(at=milliseconds, seed=st.text())
def test_an_id_is_a_guid_that_carries_its_time(at: datetime, seed: str):
    made = names.timed_id(at, seed)
    assert names.job_time(made) == at
    assert made == str(UUID(made))
    assert (UUID(made).version, UUID(made).variant) == (7, "specified in RFC 4122")


def test_the_same_slot_is_the_same_job_and_another_is_not():
    assert names.slot_job_id("i" * 32, SLOT) == JOB
    others = [
        names.slot_job_id("j" * 32, SLOT),
        names.slot_job_id("i" * 32, SLOT + timedelta(days=1)),
        names.request_job_id("i" * 32, SLOT),
    ]
    assert JOB not in others
    assert len(set(others)) == 3


@given(times=st.lists(milliseconds, min_size=2, max_size=20, unique=True))
def test_job_rows_sort_newest_first(times: list[datetime]):
    by_key = sorted(times, key=lambda at: row_keys.job_row(names.timed_id(at, "seed")))
    assert by_key == sorted(times, reverse=True)


@given(guid=st.uuids())
def test_any_guid_that_a_client_sends_has_a_job_row(guid: UUID):
    assert row_keys.job_row(str(guid)).endswith(str(guid))


@pytest.mark.parametrize("sent", ["", "x", "not-a-guid", "019b8be1-f500"])
def test_what_is_no_guid_is_no_job(sent: str):
    with pytest.raises(ValueError, match="badly formed"):
        row_keys.job_row(sent)


def test_names_at_the_server_and_in_storage_stay_within_their_rules():
    assert re.fullmatch(r"[-\w.]{1,128}", names.backup_name(JOB, 999))
    assert re.fullmatch(r"[a-z0-9]{3,63}", names.landing_container(JOB, 999, 99))
    assert re.fullmatch(r"[0-9a-f]{32}", names.point_id(JOB))
    assert re.fullmatch(r"[0-9a-f]{32}", names.instance_key("/Any/Id"))


def test_no_two_attempts_share_a_name_or_a_container():
    attempts = range(1, 30)
    made = {names.backup_name(JOB, attempt) for attempt in attempts}
    made |= {names.landing_container(JOB, attempt, ordinal) for attempt in attempts for ordinal in range(12)}
    assert len(made) == 29 + 29 * 12


def test_the_prefix_of_a_jobs_containers_finds_all_of_them_and_no_other_jobs():
    other = names.slot_job_id("j" * 32, SLOT)
    prefix = names.landing_owner_prefix(JOB)
    assert names.landing_container(JOB, 12, 3).startswith(prefix)
    assert not names.landing_container(other, 12, 3).startswith(prefix)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(names.instance_key("/A/b"), names.instance_key("/a/B"), id="instances"),
        pytest.param(names.server_key("/A/b"), names.server_key("/a/B"), id="servers"),
        pytest.param(names.chain_key("/A/b", None), names.chain_key("/a/B", None), id="chains"),
        pytest.param(row_keys.policy_row("Daily"), row_keys.policy_row("daily"), id="policies"),
        pytest.param(
            names.request_key("backup", "/A/B", {"x": 1, "y": 2}, "r"),
            names.request_key("backup", "/a/b", {"y": 2, "x": 1}, "r"),
            id="requests, and the order of their members",
        ),
        pytest.param(
            names.role_assignment_name("/S", "R", "P"), names.role_assignment_name("/s", "r", "p"), id="assignments"
        ),
    ],
)
def test_names_do_not_depend_on_case(one: str, other: str):
    assert one == other


def test_a_server_made_anew_is_another_chain():
    assert names.chain_key("/s", SLOT) != names.chain_key("/s", SLOT + timedelta(seconds=1))
    assert names.chain_key("/s", SLOT) != names.chain_key("/s", None)


FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f%]")


@given(text=st.text(), other=st.text())
def test_an_escaped_text_holds_nothing_forbidden_and_is_told_apart(text: str, other: str):
    assert not FORBIDDEN.search(row_keys.escape(text))
    assert (row_keys.escape(text) == row_keys.escape(other)) == (text == other)


@pytest.mark.parametrize(
    "key",
    [
        row_keys.policy_row("a/b\\c#d?e"),
        row_keys.instance_row(names.instance_key("/subscriptions/x")),
        row_keys.server_row("/subscriptions/x"),
        row_keys.job_row(JOB),
        row_keys.open_row("backup", "i" * 32),
        row_keys.schedule_row("i" * 32),
        row_keys.request_row(names.request_key("backup", "/a", {}, "")),
        row_keys.missed_row("i" * 32, SLOT),
        row_keys.blocks_row(1, 0, "x_database_a%2Fb c.sql", 12),
    ],
)
def test_no_key_holds_what_table_storage_refuses(key: str):
    assert not FORBIDDEN.search(key)
    assert len(key.encode("utf-16-le")) <= 1024


@given(prefix=st.text(alphabet="abcxyz019-", min_size=1, max_size=8), rest=st.text(alphabet="az09-~!", max_size=4))
def test_the_end_of_a_prefix_follows_all_its_keys(prefix: str, rest: str):
    assert prefix <= prefix + rest < row_keys.prefix_end(prefix)


def test_blobs_lie_where_the_names_page_says():
    assert blob_names.file_path("i", "p", 2, 0, "x_roles.sql") == "i/p/a2/c0/x_roles.sql"
    assert blob_names.manifest_path("i", "p") == "i/p.json"
    assert blob_names.plan_path(SLOT, "0123456789abcdef") == "20260105T020000Z-0123456789ab.json"
    assert blob_names.journal_path("vault", 1) == "vault/000000000001.json"
    assert blob_names.root_path(SLOT.date()) == "roots/2026-01-05.jsonl"


def test_hashed_json_has_one_form():
    assert names.canonical_json({"b": 1, "a": ["\u00e4", None]}) == '{"a":["\u00e4",null],"b":1}'.encode()
