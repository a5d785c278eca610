"""What needs a person, and what goes wrong while a folder is applied."""

import json
from collections.abc import Callable

import httpx
import pytest

from tests import builders
from tests.api.doors import INSTANCE, POLICY_ID, instance_body, policy_body
from tests.api.test_soft_delete import send_approved
from tests.cli.apply.folders import Folder, assert_ok, on_server
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]


# Servers that are not backed up --------------------------------------------------------------------------------------


def not_backed_up(vault: RealVault, folder: Folder, capsys: Captured) -> str:
    """What is told of the one instance that needs a person; nothing is sent."""
    before = vault.door.send("GET", INSTANCE).json
    capsys.readouterr()
    assert vault.run("apply", str(folder), "--dry-run", person="reader") == 3
    assert "attention instance pg-orders\n" in capsys.readouterr().out
    vault.sent.clear()
    assert vault.run("apply", str(folder)) == 1
    assert [sent for sent in vault.sent if sent[0] != "GET"] == []
    assert vault.door.send("GET", INSTANCE).json == before
    told = capsys.readouterr()
    assert "needs a person: instance pg-orders" in told.out
    assert "NotAllApplied: 1 of 1 steps are not done" in told.err
    return told.out + told.err


@pytest.mark.parametrize(
    ("keep", "state"), [("forever", "ProtectionStopped"), ("as-policy", "BackupSchedulesSuspended")]
)
def test_a_paused_instance_needs_attention_and_is_never_resumed_silently(
    applied: RealVault, folder: Folder, capsys: Captured, keep: str, state: str
) -> None:
    assert applied.run("instance", "stop", "pg-orders", "--keep", keep) == 0
    told = not_backed_up(applied, folder, capsys)
    assert f"currentProtectionState: {state}: no backups run" in told
    assert "recommended: flexvault instance resume pg-orders" in told


def test_a_soft_deleted_instance_needs_attention(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    assert send_approved(applied.door, "DELETE", INSTANCE).status == 202
    told = not_backed_up(applied, folder, capsys)
    assert "currentProtectionState: SoftDeleted: no backups run" in told
    assert "recommended: flexvault instance undelete pg-orders, then flexvault instance resume pg-orders" in told


def test_an_instance_whose_file_says_that_it_is_stopped_is_as_the_file_says(applied: RealVault, folder: Folder) -> None:
    assert applied.run("instance", "stop", "pg-orders") == 0
    folder.write("instances/pg-orders.json", applied.door.send("GET", INSTANCE).json)
    assert applied.run("apply", str(folder), "--dry-run") == 0


# What goes wrong on the way ------------------------------------------------------------------------------------------


def test_a_critical_change_waits_for_a_second_person_and_the_rest_goes_on(
    applied: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.policy("daily", policy_body(keep_for="P7D")["properties"])
    folder.policy("weekly", policy_body()["properties"])
    assert applied.run("apply", str(folder), "--output", "json") == 1
    captured = capsys.readouterr()
    items = {item["name"]: item for item in json.loads(captured.out)["items"]}
    approval = items["daily"]["error"]["target"]
    assert (items["daily"]["result"], items["weekly"]["result"]) == ("waits for approval", "done")
    assert f"recommended: a second person: flexvault approval approve {approval}" in captured.err
    assert applied.run("approval", "approve", approval, person="approver") == 0
    assert applied.run("apply", str(folder)) == 0
    assert applied.run("apply", str(folder), "--dry-run") == 0


def test_an_instance_waits_for_the_policy_that_it_moves_to(
    applied: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.policy("short", policy_body(keep_for="P14D")["properties"])
    assert applied.run("apply", str(folder)) == 0
    user = on_server(builders.add_server(applied.door.world, "2"))
    folder.instance("user", instance_body(dataSourceInfo=user, policyInfo={"policyId": "short"})["properties"])
    assert applied.run("apply", str(folder)) == 0
    folder.policy("short", policy_body(keep_for="P7D")["properties"])
    folder.instance("pg-orders", instance_body(policyInfo={"policyId": "short"})["properties"])
    capsys.readouterr()
    applied.sent.clear()
    assert applied.run("apply", str(folder), "--output", "json") == 1
    items = {item["name"]: item for item in json.loads(capsys.readouterr().out)["items"]}
    assert items["short"]["result"] == "waits for approval"
    assert items["pg-orders"]["result"] == "waits for policy short"
    assert applied.changes() == ["backupPolicies/short"]


def once(vault: RealVault, method: str, action: Callable[[httpx.Request], None]) -> None:
    """Do something right before the first request of a method."""

    def before(request: httpx.Request) -> None:
        if request.method == method:
            vault.before = lambda _request: None
            action(request)

    vault.before = before


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    applied: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.policy("daily", policy_body(keep_for="P2M")["properties"])
    theirs = policy_body(keep_for="P6M")
    once(applied, "PUT", lambda _: assert_ok(applied.door, POLICY_ID, theirs))
    assert applied.run("apply", str(folder)) == 1
    told = capsys.readouterr()
    assert "refused: policy daily" in told.out
    assert "somebody else changed it meanwhile" in told.out
    assert [line for line in told.err.splitlines() if line.startswith("recommended: ")] == [
        "recommended: look at what somebody else changed, with --dry-run: the same command would overwrite it",
        "recommended: then, if yours shall win, the same command again",
    ]
    rules = applied.door.send("GET", POLICY_ID).json["properties"]["policyRules"]
    assert rules[1]["lifecycles"][0]["deleteAfter"]["duration"] == "P6M"


def test_what_somebody_else_created_meanwhile_is_not_overwritten(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    once(vault, "PUT", lambda _: assert_ok(vault.door, POLICY_ID, policy_body(keep_for="P6M")))
    assert vault.run("apply", str(folder)) == 1
    assert "exists, and If-None-Match forbids to change it" in capsys.readouterr().out


def test_a_change_whose_answer_was_lost_is_done(applied: RealVault, folder: Folder) -> None:
    wanted = policy_body(keep_for="P2M")

    def lose(request: httpx.Request) -> None:
        assert_ok(applied.door, POLICY_ID, wanted)
        raise httpx.ReadError("connection reset", request=request)

    folder.policy("daily", wanted["properties"])
    once(applied, "PUT", lose)
    assert applied.run("apply", str(folder)) == 0


def test_a_refused_policy_leaves_out_only_the_instances_under_it(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.policy("weekly", policy_body()["properties"])
    once(vault, "PUT", lambda _: assert_ok(vault.door, POLICY_ID, policy_body(keep_for="P6M")))
    assert vault.run("apply", str(folder)) == 1
    captured = capsys.readouterr()
    assert "refused: policy daily" in captured.out
    assert "done: policy weekly" in captured.out
    assert "not tried: instance pg-orders\n  its policy 'daily' was not created" in captured.out
    assert captured.err.count("NotAllApplied: 2 of 3 steps are not done, 1 are") == 1


def test_a_server_that_cannot_be_protected_leaves_no_instance(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    once(vault, "PUT", lambda _: vault.door.world.memory.servers.change(builders.SERVER_ID, state="Stopped"))
    assert vault.run("apply", str(folder)) == 1
    assert "refused: instance pg-orders" in capsys.readouterr().out
    assert vault.door.send("GET", INSTANCE).status == 404


def test_a_failed_protection_is_tried_again(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    door = vault.door
    assert_ok(door, POLICY_ID, policy_body())
    door.world.memory.roles.may_grant = False
    assert door.send("PUT", INSTANCE, instance_body()).status == 201
    door.run_jobs()
    assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "ConfiguringProtectionFailed"
    door.world.memory.roles.may_grant = True
    assert vault.run("apply", str(folder)) == 0
    assert "currentProtectionState: ConfiguringProtectionFailed -> ProtectionConfigured" in capsys.readouterr().out
    assert door.send("GET", INSTANCE).json["properties"]["currentProtectionState"] == "ProtectionConfigured"


def test_who_may_only_read_is_told_which_role_is_needed(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    assert vault.run("apply", str(folder), person="reader") == 1
    assert "needs the role Backup.Contributor" in capsys.readouterr().out


def test_the_vault_that_goes_away_ends_the_work(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    def vanish(request: httpx.Request) -> None:
        if request.method == "PUT":
            raise httpx.ConnectError("connection refused", request=request)

    vault.before = vanish
    assert vault.run("apply", str(folder)) == 1
    out = capsys.readouterr().out
    assert "not tried: instance pg-orders\n  the vault could not be reached" in out
