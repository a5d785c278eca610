"""The doctor's rules: which facts of a server become which finding, how bad it is and what to do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flexvault.domain.doctor import (
    BackedUp,
    Protection,
    Rights,
    ServerFacts,
    examine_protection,
    examine_rights,
    examine_server,
    growth_per_day,
)
from flexvault.domain.findings import Finding, FindingCheck, worst_first
from flexvault.domain.sas_life import life_for
from flexvault.domain.server import AzureBackupInstance, Server
from flexvault.domain.server_checks import azure_backup_not_asked

NOW = datetime(2026, 1, 5, tzinfo=UTC)
DAY, GIB = timedelta(days=1), 1024**3
SERVER = Server(
    id="/subscriptions/s/resourceGroups/g/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg",
    name="pg",
    location="eastus",
    state="Ready",
    version="16",
    storage_size_gib=1024,
    storage_type="Premium_LRS",
    public_network_access="Enabled",
)
INSTANCE = "/subscriptions/t/resourceGroups/h/providers/Microsoft.DataProtection/backupVaults/v/backupInstances/pg-1"
STOP = (
    'az dataprotection backup-instance stop-protection --subscription "t" --resource-group "h" --vault-name "v" '
    '--backup-instance-name "pg-1"'
)


def examined(
    now: datetime = NOW, *, azure_backup: Any = (), is_recreated: bool = False, **changes: Any
) -> list[Finding]:
    facts = ServerFacts(
        server=replace(SERVER, **changes),
        vault_location="East US",
        azure_backup=azure_backup,
        is_recreated=is_recreated,
    )
    return examine_server(facts, now)


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity.value) for finding in found]


def test_a_healthy_server_in_the_vaults_region_has_no_findings():
    assert examined() == []


@pytest.mark.parametrize(
    ("changes", "code", "severity", "words"),
    [
        pytest.param(
            {"replication_role": "AsyncReplica"},
            "UserErrorReplicaServerNotSupported",
            "Error",
            "only primaries",
            id="replica",
        ),
        pytest.param(
            {"replication_role": "GeoAsyncReplica"},
            "UserErrorReplicaServerNotSupported",
            "Error",
            "only primaries",
            id="replica in another region",
        ),
        pytest.param({"state": "Stopped"}, "ServerNotReadyForLongTermBackup", "Error", "is Stopped", id="stopped"),
        pytest.param({"state": "Disabled"}, "ServerNotReadyForLongTermBackup", "Error", "is Disabled", id="disabled"),
        pytest.param({"state": "Updating"}, "ServerIsChanging", "Warning", "is Updating", id="a state that passes"),
        pytest.param({"storage_size_gib": 1025}, "ServerLargerThanSupported", "Warning", "1025 GiB", id="over 1 TiB"),
        pytest.param(
            {"storage_type": "PremiumV2_LRS"},
            "UserErrorStorageTypeNotSupported",
            "Error",
            "Premium SSD v2",
            id="Premium SSD v2",
        ),
        pytest.param({"storage_type": "UltraSSD_LRS"}, "StorageTypeUnknown", "Warning", "UltraSSD_LRS", id="Ultra SSD"),
        pytest.param(
            {"cluster_size": 2}, "UserErrorElasticClusterNotSupported", "Error", "2 node(s)", id="elastic cluster"
        ),
        pytest.param({"location": "West Europe"}, "RegionDiffers", "Warning", "West Europe", id="another region"),
        pytest.param({"is_recreated": True}, "ServerRecreated", "Warning", "created anew", id="created anew"),
        pytest.param({"version": "13"}, "PostgresVersionEnded", "Warning", "2025-11-13", id="version has ended"),
        pytest.param(
            {"version": "14", "now": NOW + 150 * DAY},
            "PostgresVersionEnds",
            "Information",
            "2026-11-12",
            id="ends soon",
        ),
        pytest.param(
            {"public_network_access": "Disabled", "private_endpoints": 2},
            "PublicNetworkAccessDisabled",
            "Information",
            "2 private endpoint(s)",
            id="private endpoints only",
        ),
        pytest.param(
            {"delegated_subnet_id": "/subnet", "public_network_access": "Disabled"},
            "ServerInVirtualNetwork",
            "Information",
            "'/subnet'",
            id="in a virtual network",
        ),
    ],
)
def test_a_fact_becomes_one_finding(changes: dict[str, Any], code: str, severity: str, words: str):
    [found] = examined(**changes)
    assert (found.code, found.severity, found.subject) == (code, severity, SERVER.id)
    assert words in found.message
    assert found.remedy
    assert found.check is FindingCheck.CHECKED


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"storage_size_gib": None}, id="size not shown"),
        pytest.param({"storage_type": ""}, id="storage type not shown"),
        pytest.param({"version": ""}, id="version not shown"),
        pytest.param({"version": "99"}, id="version not known yet"),
        pytest.param({"public_network_access": ""}, id="network not shown"),
        pytest.param({"replication_role": "None"}, id="no replication"),
    ],
)
def test_what_arm_does_not_say_is_no_finding(changes: dict[str, Any]):
    assert examined(**changes) == []


def test_a_stopped_server_is_started_with_the_exact_command():
    [found] = examined(state="Stopped")
    assert found.remedy == f"start the server: az postgres flexible-server start --ids {SERVER.id}"


@pytest.mark.parametrize(
    ("state", "severity", "remedy"),
    [
        pytest.param("ProtectionConfigured", "Warning", STOP, id="it backs up"),
        pytest.param("", "Warning", STOP, id="state not shown"),
        pytest.param("ProtectionStopped", "Information", "nothing: it starts no backups", id="stopped"),
        pytest.param("SoftDeleted", "Information", "nothing: it starts no backups", id="deleted softly"),
    ],
)
def test_a_server_of_azure_backup_is_told_with_the_command_that_stops_it(state: str, severity: str, remedy: str):
    [found] = examined(azure_backup=[AzureBackupInstance(id=INSTANCE, state=state)])
    assert (found.code, found.severity, found.remedy) == ("ProtectedByAzureBackup", severity, remedy)
    assert INSTANCE in found.message


def test_who_may_not_ask_azure_backup_is_told_so_and_not_that_there_is_nothing():
    [found] = examined(azure_backup=azure_backup_not_asked(SERVER.id, "it lacks backupInstances/read", "az role ..."))
    assert (found.code, found.severity, found.check) == ("AzureBackupNotAsked", "Warning", FindingCheck.NOT_CHECKABLE)
    assert "could not be asked: it lacks backupInstances/read" in found.message
    assert found.remedy == "az role ..."


@pytest.mark.parametrize(
    ("missing", "can_grant", "is_protected", "expected"),
    [
        pytest.param([], False, True, [], id="nothing missing"),
        pytest.param(["a"], True, False, [("RolesNotYetGranted", "Information")], id="the vault will grant it"),
        pytest.param(["a"], False, False, [("UserErrorMissingRequiredPermissions", "Error")], id="nobody will"),
        pytest.param(["a"], True, True, [("UserErrorMissingRequiredPermissions", "Error")], id="lost since"),
    ],
)
def test_rights(missing: list[str], can_grant: bool, is_protected: bool, expected: list[tuple[str, str]]):
    rights = Rights(missing=missing, can_grant=can_grant, commands="az role assignment create")
    assert told(examine_rights(SERVER.id, rights, is_protected=is_protected)) == expected


def backups(*sizes: float, every: timedelta = DAY) -> list[BackedUp]:
    """Newest first; the newest is of this moment."""
    return [BackedUp(at=NOW - every * index, size_bytes=int(size * GIB)) for index, size in enumerate(sizes)]


def protection(expected: timedelta | None = timedelta(hours=1), **changes: Any) -> Protection:
    base = Protection(
        instance="pg",
        backups=backups(10),
        grant=life_for(expected),
        rpo=timedelta(hours=30),
        counts_from=NOW - 100 * DAY,
    )
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("made", "later", "expected"),
    [
        pytest.param(protection, timedelta(hours=30), [], id="within the RPO"),
        pytest.param(protection, timedelta(hours=31), ["LastBackupTooOld"], id="older than the RPO"),
        pytest.param(lambda: protection(backups=[]), timedelta(), ["LastBackupTooOld"], id="never one"),
        pytest.param(
            lambda: protection(backups=[], counts_from=NOW), timedelta(), [], id="protected a moment ago, none yet"
        ),
        pytest.param(lambda: protection(counts_from=NOW + DAY), DAY + timedelta(hours=20), [], id="resumed since"),
        pytest.param(lambda: protection(timedelta(hours=45)), timedelta(), ["SasLifeIsLimited"], id="less reserve"),
        pytest.param(
            lambda: protection(timedelta(days=7)),
            timedelta(),
            ["UserErrorBackupDurationLimitExceeded"],
            id="longer than a SAS lives",
        ),
    ],
)
def test_backups_that_there_are(made: Callable[[], Protection], later: timedelta, expected: list[str]):
    found = examine_protection(SERVER, made(), NOW + later)
    assert [finding.code for finding in found if finding.code != "LastBackupSize"] == expected


def test_the_newest_size_and_its_trend_are_told():
    found = examine_protection(SERVER, protection(backups=backups(20, 15, 10, every=5 * DAY)), NOW)
    [size] = [finding for finding in found if finding.code == "LastBackupSize"]
    assert f"holds {20 * GIB} bytes (20.00 GiB)" in size.message
    assert "+1.00 GiB a day" in size.message


@pytest.mark.parametrize(
    ("hours", "sizes", "expected"),
    [
        pytest.param(40, (110, 100, 90), True, id="grows past a quarter of the longest SAS in weeks"),
        pytest.param(40, (100, 100, 100), False, id="does not grow"),
        pytest.param(40, (90, 100, 110), False, id="shrinks"),
        pytest.param(2, (110, 100, 90), False, id="there is room for years"),
        pytest.param(40, (110, 90), False, id="two sizes are no trend"),
    ],
)
def test_growth_is_looked_ahead_of(hours: int, sizes: tuple[float, ...], expected: bool):
    held = protection(timedelta(hours=hours), backups=backups(*sizes, every=7 * DAY))
    assert ("BackupOutgrowsSas" in [finding.code for finding in examine_protection(SERVER, held, NOW)]) is expected


def test_backups_of_a_few_days_are_no_trend():
    assert growth_per_day(backups(30, 20, 10)) == 0


def test_findings_come_the_worst_first_and_are_read_back_from_a_row_as_they_were():
    found = worst_first(examined(storage_size_gib=2048, public_network_access="Disabled", state="Stopped"))
    assert [finding.severity for finding in found] == ["Error", "Warning", "Information"]
    assert tuple(Finding.from_json(finding.to_json()) for finding in found) == found
