"""Stop, resume and delete protection, the schedule, and wrong dates: which requests go out, and what is shown."""

import httpx
import pytest
from flexvault_cli.approval_views import BREAKER, compare
from flexvault_cli.planning_views import count_by_tag, describe_warnings, list_periods
from flexvault_cli.views import write_bytes

from tests.cli.conftest import Flexvault
from tests.cli.fake_vault import FakeVault, Json, refuse

type Captured = pytest.CaptureFixture[str]

PATH = "backupInstances/pg-orders-1"
SCHEDULE = f"vault/{PATH}/schedule"


@pytest.mark.parametrize(
    ("words", "state", "verb"),
    [
        pytest.param("stop pg-orders", "ProtectionConfigured", "stopProtection", id="kept for ever unless told"),
        pytest.param("stop pg-orders --keep forever", "ProtectionConfigured", "stopProtection", id="for ever"),
        pytest.param("stop pg-orders --keep as-policy", "ProtectionConfigured", "suspendBackups", id="as the policy"),
        pytest.param("resume pg-orders", "BackupSchedulesSuspended", "resumeBackups", id="suspended"),
        pytest.param("resume pg-orders", "ProtectionStopped", "resumeProtection", id="stopped"),
        pytest.param("resume pg-orders", "ConfiguringProtection", "resumeBackups", id="the vault says what is wrong"),
    ],
)
def test_protection_is_changed_by_the_verb_that_fits(
    *, words: str, state: str, verb: str, vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    vault.resources[PATH]["properties"]["currentProtectionState"] = state
    assert flexvault("instance", *words.split()) == 0
    assert vault.sent("POST") == [f"{PATH}/{verb}"]
    assert "pg-orders-1" in capsys.readouterr().out


def begin_deletion(vault: FakeVault, *, is_kept: bool = False) -> None:
    headers = {"Azure-AsyncOperation": vault.operation("Status"), "Location": vault.operation("Results")}

    def answer(_request: httpx.Request) -> httpx.Response:
        if not is_kept:
            del vault.resources[PATH]
        return httpx.Response(202, headers=headers | {"Retry-After": "30"})

    vault.answer_once("DELETE", PATH, answer)


def test_a_deletion_is_waited_for(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    begin_deletion(vault)
    vault.pending = ["Inprogress"]
    assert flexvault("instance", "delete", "pg-orders") == 0
    assert vault.slept == [30, 7]
    assert capsys.readouterr().err.splitlines() == [
        "waiting until pg-orders-1 is deleted; Ctrl-C ends the waiting, not the deletion",
        "pg-orders-1 is deleted with its recovery points",
    ]


def test_a_deletion_of_points_that_storage_keeps_says_until_when(
    vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    told = "2 recovery point(s) are kept by storage until 2027-01-05T02:00:00+00:00"
    vault.resources[PATH]["properties"]["protectionErrorDetails"] = {"message": told}
    begin_deletion(vault, is_kept=True)
    assert flexvault("instance", "delete", "pg-orders") == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"pg-orders-1 is being deleted: {told}"


def test_ctrl_c_leaves_a_deletion_going_on(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    def interrupt(_request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    begin_deletion(vault)
    vault.answer_once("GET", ".*/operationStatus/.*", interrupt)
    assert flexvault("instance", "delete", "pg-orders") == 130
    assert "if the deletion of pg-orders-1 was started, it goes on" in capsys.readouterr().err


def test_a_deletion_that_needs_a_second_person_deletes_nothing(
    vault: FakeVault, flexvault: Flexvault, capsys: Captured
):
    needed = refuse(403, "ApprovalRequired", "it waits", "have it approved with POST /api/vault/approvals/a-0/approve")
    body: Json = needed.json()
    body["error"]["target"] = "a-0"
    vault.answer_once("DELETE", PATH, lambda _: httpx.Response(403, json=body))
    assert flexvault("instance", "delete", "pg-orders") == 1
    assert PATH in vault.resources
    assert "flexvault approval approve a-0\n" in capsys.readouterr().err


def test_a_schedule_tells_missed_slots_and_pauses(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    slot, later = "2026-11-24T02:00:00.0000000Z", "2026-11-26T02:00:00.0000000Z"
    vault.resources[SCHEDULE] = {
        "nextSlot": later,
        "lastSlot": None,
        "slotsFrom": slot,
        "missed": [
            {"first": slot, "last": slot, "count": 1, "reason": "PreviousBackupRunning"},
            {"first": slot, "last": later, "count": None, "reason": "Suspended"},
        ],
    }
    assert flexvault("instance", "schedule", "pg-orders") == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "next 2026-11-26T02:00:00Z",
        "counts from 2026-11-24T02:00:00Z",
        "missed 2026-11-24T02:00:00Z: 1, PreviousBackupRunning",
        "2026-11-24T02:00:00Z to 2026-11-26T02:00:00Z: Suspended",
    ]


def test_a_schedule_that_sleeps_says_so(vault: FakeVault, flexvault: Flexvault, capsys: Captured):
    vault.resources[SCHEDULE] = {"nextSlot": None, "lastSlot": None, "slotsFrom": None, "missed": []}
    assert flexvault("instance", "schedule", "pg-orders") == 0
    assert capsys.readouterr().out.split() == ["next", "none", "is", "due"]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2026-01-01T02:00:00", "20260101"])
def test_a_date_that_is_none_exits_with_2(text: str, flexvault: Flexvault, vault: FakeVault, capsys: Captured):
    with pytest.raises(SystemExit) as stopped:
        flexvault("policy", "simulate", "daily", "--from", text, "--years", "1")
    assert stopped.value.code == 2
    assert f"'{text}' is no date such as 2026-01-31" in capsys.readouterr().err
    assert vault.requests == []


def test_a_policy_file_that_is_missing_is_not_looked_for_in_the_vault(
    flexvault: Flexvault, vault: FakeVault, capsys: Captured
):
    assert flexvault("policy", "simulate", "none.json", "--from", "2026-01-01", "--years", "1") == 2
    assert "cannot read none.json" in capsys.readouterr().err
    assert vault.requests == []


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (2**40 * 3 // 2, "1.5 TiB"), (2**70, "1024.0 EiB"), (None, "")],
)
def test_a_size_is_written_for_people(size: int | None, written: str):
    assert write_bytes(size) == written


@pytest.mark.parametrize(("months", "rows"), [(24, 24), (25, 3)])
def test_a_long_simulation_has_a_row_for_each_year(months: int, rows: int):
    counts = {f"{2026 + month // 12}-{month % 12 + 1:02d}": month for month in range(months)}
    shown = list_periods({"countByMonth": counts})
    assert (len(shown), shown[-1]["count"]) == (rows, months - 1)


def test_points_are_counted_by_their_tag():
    points = [{"retentionTag": "Weekly", "time": "2026-01-05"}]
    points += [{"retentionTag": "Default", "time": f"2026-01-0{day}"} for day in (6, 7)]
    found = count_by_tag({"recoveryPoints": points, "deletions": [{"recoveryPoint": "2026-01-06"}]})
    assert found == [
        {"tag": "Default", "created": 2, "kept": 1, "oldest": "2026-01-07"},
        {"tag": "Weekly", "created": 1, "kept": 1, "oldest": "2026-01-05"},
    ]


def test_what_has_no_effect_is_warned_of():
    assert describe_warnings({"warnings": [{"code": "TagNeverMatches", "message": "m"}]}) == ["warning: m"]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param({"a": [{"b": "P1M"}]}, {"a": [{"b": "P7D"}]}, ["a[0].b: P1M -> P7D"], id="another value"),
        pytest.param({"a": 1}, {"b": None}, ["a: 1 -> nothing", "b: nothing -> null"], id="other members"),
        pytest.param(None, {"a": True}, ["a: nothing -> true"], id="something new"),
        pytest.param({"a": 1}, None, ["a: 1 -> nothing"], id="something that goes"),
        pytest.param({"a": []}, {"a": []}, [], id="the same"),
        pytest.param("x", "y", ["value: x -> y"], id="plain values"),
    ],
)
def test_a_second_person_sees_what_differs(before: object, after: object, lines: list[str]):
    assert compare(before, after) == lines


def test_a_breaker_tells_why_it_tripped_and_at_which_instance():
    reasons = [
        {"code": "TooManyDeletions", "message": "9 of 10", "backupInstance": "pg-orders"},
        {"code": "PlansPaused", "message": "none for 40 days", "backupInstance": None},
    ]
    assert BREAKER["because"]({"reasons": reasons}) == [
        "TooManyDeletions: 9 of 10 (instance pg-orders)",
        "PlansPaused: none for 40 days",
    ]
