"""Tables in a narrow terminal: ids stay whole, columns go before they fold."""

import pytest
from flexvault_cli import approval_views, output, planning_views, views
from rich.console import Console

from tests.cli.fake_vault import JOB_ID, POINT_ID, Json, a_job, an_instance

INSTANCE = "pg-orders-pg-orders-bdab8d60-2bf2-57f8-a122-e688f9037beb"
POINT = {
    "name": POINT_ID,
    "properties": {
        "recoveryPointTime": "2026-11-25T02:03:00.1234560Z",
        "recoveryPointType": "Full",
        "retentionTagName": "Default",
        "expiryTime": "2027-02-25T02:03:00.1234560Z",
        "recoveryPointState": "Completed",
    },
}
APPROVAL_ID = "0192f0c1a2b3c4d5e6f708192a3b4c5d-0000"
APPROVAL: Json = {
    "id": APPROVAL_ID,
    "state": "Pending",
    "operation": "Microsoft.DataProtection/backupVaults/backupInstances/delete",
    "requestedBy": {"name": "Connie Contributor", "oid": "oid-1"},
    "requestedAt": "2026-11-25T02:03:00.1234560Z",
    "expiresAt": "2026-11-28T02:03:00.1234560Z",
}
CHANGE: Json = {
    "recoveryPoint": POINT_ID,
    "time": "2026-11-25T02:03:00Z",
    "before": {"retentionTag": "Default", "expiry": "2027-02-25T02:03:00Z", "deletedAt": None},
    "after": {"retentionTag": "Weekly", "expiry": "2027-01-25T02:03:00Z", "deletedAt": "2027-01-25T02:03:00Z"},
}
JOB = a_job("CompletedWithWarnings", duration="PT2.437389S", operation="ConfigureProtection")


@pytest.mark.parametrize(
    ("columns", "dropped_first", "row", "whole"),
    [
        pytest.param(views.JOBS, views.JOBS_DROPPED, JOB, JOB_ID, id="jobs"),
        pytest.param(views.INSTANCES, views.INSTANCES_DROPPED, an_instance(INSTANCE), INSTANCE, id="instances"),
        pytest.param(
            views.DELETED_INSTANCES, views.DELETED_DROPPED, an_instance(INSTANCE), INSTANCE, id="deleted instances"
        ),
        pytest.param(views.POINTS, views.POINTS_DROPPED, POINT, POINT_ID, id="points"),
        pytest.param(approval_views.APPROVALS, approval_views.APPROVALS_DROPPED, APPROVAL, APPROVAL_ID, id="approvals"),
        pytest.param(planning_views.CHANGES, planning_views.CHANGES_DROPPED, CHANGE, POINT_ID, id="changes"),
    ],
)
@pytest.mark.parametrize("width", [200, 80, 40])
def test_an_id_is_never_folded(
    *,
    columns: output.Columns,
    dropped_first: tuple[str, ...],
    row: Json,
    whole: str,
    width: int,
    capsys: pytest.CaptureFixture[str],
):
    output.show_rows([row], columns, as_json=False, dropped_first=dropped_first, console=Console(width=width))
    header, *lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(whole)
    if width == 80:
        assert len(lines) == 1
        assert len(lines[0].rstrip()) <= 80
    if width == 200:
        assert header.split() == " ".join(columns).split()


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("PT2.437389S", "2.4 s"),
        ("PT0S", "0.0 s"),
        ("PT2M5.65S", "2 min 6 s"),
        ("PT1H", "1 h"),
        ("PT1H59M59.9S", "2 h"),
        ("P1D", "P1D"),
        (None, ""),
    ],
)
def test_a_duration_is_written_for_people(told: str | None, shown: str):
    assert views.JOBS["duration"](a_job(duration=told)) == shown


def test_a_time_has_no_fraction_of_its_second():
    assert views.POINTS["time"](POINT) == "2026-11-25T02:03:00Z"


def test_what_a_policy_changes_is_shown_before_and_after():
    cells = {name: read(CHANGE) for name, read in planning_views.CHANGES.items()}
    assert cells["tag"] == "Default -> Weekly"
    assert cells["expires"] == "2027-02-25 -> 2027-01-25"
    assert cells["deleted"] == "kept -> 2027-01-25"
