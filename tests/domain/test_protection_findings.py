"""What the state of an instance says of its backups."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from flexvault.domain.instance import Instance, ProtectionState
from flexvault.domain.protection_findings import STATE_CODES, examine_state
from tests.builders import INSTANCE_ID, SERVER_ID

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
INSTANCE = Instance(
    key="0" * 32,
    id=INSTANCE_ID,
    name="pg-orders",
    server_id=SERVER_ID,
    server_location="eastus",
    policy_name="daily",
    state=ProtectionState.CONFIGURED,
    properties={},
    error=None,
    changed_at=NOW - timedelta(days=3),
    journal_seq=1,
)


@pytest.mark.parametrize("state", list(ProtectionState))
def test_every_state_in_which_no_backups_run_is_a_finding(state: ProtectionState):
    found = examine_state(replace(INSTANCE, state=state), NOW)
    runs = state in {ProtectionState.CONFIGURED, ProtectionState.UPDATING}
    assert len(found) == (0 if runs else 1)
    assert {finding.code for finding in found} <= STATE_CODES
    assert all("no backups run" in finding.message and finding.remedy for finding in found)


def test_since_when_no_backups_run_is_told():
    paused = replace(INSTANCE, state=ProtectionState.STOPPED, paused_from=NOW - timedelta(days=1))
    [found] = examine_state(paused, NOW)
    assert "no backups run since 2026-01-09 12:00 UTC" in found.message


@pytest.mark.parametrize("left", [timedelta(seconds=1), timedelta(0)], ids=["in its period", "after it"])
def test_to_undelete_is_recommended_only_while_it_is_possible(left: timedelta):
    deleted = replace(INSTANCE, state=ProtectionState.SOFT_DELETED)
    [found] = examine_state(deleted, NOW, purge_at=NOW + left, gone_at=NOW + timedelta(days=30))
    assert ("flexvault instance undelete pg-orders" in found.remedy) is (left > timedelta(0))
    assert "wait until its data are gone, at 2026-02-09 12:00 UTC at the earliest" in found.remedy
