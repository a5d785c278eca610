"""What is wrong in a folder, or would be refused by the vault, is told at once, and nothing is sent."""

from pathlib import Path

import pytest
from flexvault_cli.apply.folder import read_folder
from flexvault_cli.errors import CliError

from tests import builders
from tests.api.doors import POLICY_ID, instance_body, policy_body
from tests.cli.apply.folders import Folder, on_server
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]


def test_every_mistake_is_told_at_once_with_its_file_and_nothing_is_sent(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.write("policies/broken.json", '{"name": ')
    folder.write("policies/list.json", [])
    folder.write("policies/nan.json", '{"name": "nan", "properties": {"objectType": NaN}}')
    folder.write("policies/half.json", '{"name": "half", "properties": {"objectType": "\\ud800"}}')
    folder.write("policies/deep.json", "[" * 100_000)
    folder.write("policies/up.json", {"name": "..", "properties": policy_body()["properties"]})
    folder.write("policies/slash.json", {"name": "a/b", "properties": policy_body()["properties"]})
    folder.write("policies/nameless.json", {"name": 7, "properties": {}})
    folder.write("policies/again.json", {"name": "DAILY", "properties": policy_body()["properties"]})
    folder.write("policies/swapped.json", instance_body())
    folder.write("instances/bare.json", {"properties": {"objectType": "BackupInstance"}})
    folder.write("instances/empty.json", {"name": "x"})
    folder.write("lost.json", {})
    folder.write("policies/other.yaml", "name: other")
    folder.write("policies/.keep", "")
    (folder.root / "instances/deeper").mkdir()
    assert vault.run("apply", str(folder)) == 2
    assert vault.sent == []
    error = capsys.readouterr().err
    for told in (
        "policies/broken.json: is no JSON",
        "policies/list.json: is no JSON object",
        "policies/nan.json: is no JSON: NaN cannot be sent",
        "policies/half.json: is no JSON",
        "policies/deep.json: is no JSON",
        "policies/up.json: its name '..' can be no resource's",
        "policies/slash.json: its name 'a/b' can be no resource's",
        "policies/nameless.json: its name is missing or no text",
        "policies/daily.json: policies/again.json describes the policy 'daily', too",
        "policies/swapped.json: properties.objectType must be 'BackupPolicy' in policies/",
        "instances/bare.json: properties.dataSourceInfo.resourceID is missing",
        "instances/bare.json: properties.policyInfo.policyId is missing",
        "instances/empty.json: its properties are missing or no object",
        "policies/other.yaml: is no .json file",
        "instances/deeper: is no .json file",
        "lost.json: lies beside policies/ and instances/, not in one of them",
    ):
        assert told in error


@pytest.mark.parametrize("missing", ["none", "."])
def test_a_folder_with_nothing_in_it_is_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(CliError) as refused:
        read_folder(str(tmp_path / missing))
    assert refused.value.exit_code == 2


def test_a_policy_that_is_nowhere_is_told_before_anything_is_sent(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.instance("pg-orders", instance_body(policyInfo={"policyId": "weekly"})["properties"])
    assert vault.run("apply", str(folder)) == 2
    assert "instances/pg-orders.json: there is no policy 'weekly', in the folder or in the vault" in (
        capsys.readouterr().err
    )
    assert vault.changes() == []


def test_what_the_vault_would_refuse_is_told_at_once_and_nothing_is_sent(
    applied: RealVault, folder: Folder, capsys: Captured
) -> None:
    stopped = builders.add_server(applied.door.world, "2")
    applied.door.world.memory.servers.change(stopped, state="Stopped")
    elsewhere = {"policyId": POLICY_ID.replace("backupVaults/", "backupVaults/other-")}
    other = builders.add_server(applied.door.world, "3")
    folder.policy("short", policy_body(keep_for="P1D")["properties"])
    folder.policy("good", policy_body(keep_for="P2M")["properties"])
    folder.instance("name", instance_body(dataSourceInfo=on_server("pg-nope"))["properties"])
    folder.instance("gone", instance_body(dataSourceInfo=on_server(f"{stopped}-gone"))["properties"])
    folder.instance("halted", instance_body(dataSourceInfo=on_server(stopped))["properties"])
    folder.instance("second", instance_body()["properties"])
    moved = instance_body(dataSourceInfo=on_server(other), policyInfo=elsewhere)
    folder.instance("pg-orders", moved["properties"])
    for words in ((), ("--dry-run",)):
        person = "reader" if words else "contributor"
        assert applied.run("apply", str(folder), *words, person=person) == 2
        error = capsys.readouterr().err
        for told in (
            "policies/short.json: ",
            "'P1D'",
            "instances/name.json: properties.dataSourceInfo.resourceID 'pg-nope' is no resource id of a flexible server",
            "instances/gone.json: ServerNotReadable: ",
            "instances/halted.json: ServerNotReadyForLongTermBackup: ",
            "instances/second.json: the server is protected by the vault's backup instance 'pg-orders' already",
            "instances/pg-orders.json: the server of backup instance 'pg-orders' cannot be changed",
            "instances/pg-orders.json: properties.policyInfo.policyId '/subscriptions/",
        ):
            assert told in error
        assert "good.json" not in error
    assert applied.changes() == []


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ("deepVerificaton", "properties.deepVerificaton: is not known; 'deepVerification' is meant"),
        ("color", "the member 'properties.color' is not known and has no effect: the vault does not keep it"),
    ],
)
def test_a_member_that_the_vault_would_not_keep_is_told_beforehand_and_turns_nothing_off(
    applied: RealVault, folder: Folder, capsys: Captured, member: str, told: str
) -> None:
    every = {"newestEvery": "P7D"}
    folder.policy("daily", {**policy_body()["properties"], "deepVerification": every})
    assert applied.run("apply", str(folder)) == 0
    applied.sent.clear()
    folder.policy("daily", {**policy_body()["properties"], member: every})
    for words, person in (((), "contributor"), (("--dry-run",), "reader")):
        assert applied.run("apply", str(folder), *words, person=person) == 2
        [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("policies/daily.json: ")]
        assert told in line
    assert applied.changes() == []
    assert applied.door.send("GET", POLICY_ID).json["properties"]["deepVerification"] == every


def test_two_files_for_one_server_are_a_mistake(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    folder.instance("twin", instance_body()["properties"])
    assert vault.run("apply", str(folder), "--dry-run") == 2
    assert "instances/twin.json: instances/pg-orders.json protects the server" in capsys.readouterr().err
