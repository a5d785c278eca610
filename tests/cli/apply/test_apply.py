"""A folder is applied to the API itself, in memory: what differs is sent, and the second time nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flexvault_cli.apply.comparing import find_differences
from flexvault_cli.apply.folder import Kind, read_folder

from tests import builders
from tests.api.doors import INSTANCE, ORIGIN, POLICY_ID, VAULT_ID, Door, instance_body, policy_body
from tests.cli.apply.folders import Folder, assert_ok
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[3] / "cli" / "sample"


def test_an_empty_vault_gets_policies_first_and_then_instances(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    assert vault.run("apply", str(folder)) == 0
    assert vault.changes() == ["backupPolicies/daily", "backupInstances/pg-orders"]
    printed = capsys.readouterr().out
    assert [text for text in ("create    policy   daily", "done: instance pg-orders") if text not in printed] == []
    shown = vault.door.send("GET", INSTANCE).json["properties"]
    assert shown["currentProtectionState"] == "ProtectionConfigured"


def test_the_second_time_there_is_nothing_to_do(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    assert applied.run("apply", str(folder)) == 0
    assert applied.changes() == []
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to do: 2 unchanged"
    assert applied.run("apply", str(folder), "--dry-run", person="reader") == 0


def test_a_dry_run_shows_what_differs_and_sends_nothing(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    folder.policy("daily", policy_body(keep_for="P2M")["properties"])
    folder.policy("monthly", policy_body()["properties"])
    assert applied.run("apply", str(folder), "--dry-run", person="reader") == 3
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "change    policy   daily",
        "policyRules.Default.lifecycles[0].deleteAfter.duration: P1M -> P2M",
        "create    policy   monthly",
        "unchanged instance pg-orders",
        "1 to create, 1 to change, 1 unchanged",
    ]
    assert applied.changes() == []


def test_a_change_is_sent_and_what_did_not_change_is_not(applied: RealVault, folder: Folder) -> None:
    folder.policy("daily", policy_body(keep_for="P2M")["properties"])
    assert applied.run("apply", str(folder)) == 0
    assert applied.changes() == ["backupPolicies/daily"]
    assert applied.run("apply", str(folder), "--dry-run") == 0


def test_what_is_not_in_the_folder_is_told_and_left(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    assert applied.door.send("PUT", f"{POLICY_ID}-old", policy_body()).status == 200
    assert applied.run("apply", str(folder)) == 0
    assert "left      policy   daily-old, which is not in the folder" in capsys.readouterr().out
    assert applied.door.send("GET", f"{POLICY_ID}-old").status == 200


def test_an_instance_goes_under_another_policy(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    folder.policy("longer", policy_body(keep_for="P2M")["properties"])
    other = {"policyId": POLICY_ID.replace("daily", "longer")}
    folder.instance("pg-orders", instance_body(policyInfo=other)["properties"])
    assert applied.run("apply", str(folder)) == 0
    assert applied.changes() == ["backupPolicies/longer", "backupInstances/pg-orders"]
    assert f"policyInfo.policyId: {POLICY_ID} -> {other['policyId']}" in capsys.readouterr().out
    assert applied.door.send("GET", INSTANCE).json["properties"]["policyInfo"]["policyId"] == other["policyId"]


# What is no difference -----------------------------------------------------------------------------------------------


def in_capitals(properties: dict[str, Any]) -> dict[str, Any]:
    return {name.upper(): value for name, value in properties.items()}


def reversed_rules(properties: dict[str, Any]) -> dict[str, Any]:
    return {**dict(reversed(properties.items())), "policyRules": properties["policyRules"][::-1]}


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(reversed_rules, id="order of members and rules"),
        pytest.param(in_capitals, id="case of members"),
        pytest.param(lambda properties: {**properties, "unset": None, "none": [], "empty": {}}, id="null and empty"),
        pytest.param(lambda properties: {**properties, "objectType": "backuppolicy"}, id="case of a type"),
    ],
)
def test_another_spelling_of_a_policy_is_no_difference(
    applied: RealVault, folder: Folder, spell: Callable[[Any], Any]
) -> None:
    folder.policy("daily", spell(policy_body()["properties"]))
    assert applied.run("apply", str(folder), "--dry-run") == 0


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"policyInfo": {"policyId": POLICY_ID.upper() + "/"}}, id="case and end of an id"),
        pytest.param({"policyInfo": {"policyId": "daily"}}, id="a policy's name"),
        pytest.param({"policyInfo": {"policyId": POLICY_ID, "policyVersion": "7"}}, id="read-only inside"),
        pytest.param({"currentProtectionState": "ProtectionStopped", "provisioningState": "x"}, id="read-only"),
        pytest.param({"validationType": "DeepValidation"}, id="how the request is checked"),
        pytest.param({"datasourceAuthCredentials": None}, id="null"),
    ],
)
def test_another_spelling_of_an_instance_is_no_difference(
    applied: RealVault, folder: Folder, changes: dict[str, Any], capsys: Captured
) -> None:
    folder.instance("PG-Orders", instance_body(**changes)["properties"])
    (folder.root / "instances/pg-orders.json").unlink()
    assert applied.run("apply", str(folder), "--dry-run") == 0, capsys.readouterr().out


def test_whole_answers_of_the_api_can_be_applied(applied: RealVault, folder: Folder) -> None:
    for file in folder.root.glob("*/*.json"):
        file.unlink()
    collection = POLICY_ID.rpartition("/")[0]
    folder.write("policies/all.json", applied.door.send("GET", collection).json)
    folder.write("instances/one.json", applied.door.send("GET", INSTANCE).json)
    assert applied.run("apply", str(folder), "--dry-run") == 0
    fresh = RealVault(Door())
    assert fresh.run("apply", str(folder)) == 0
    assert fresh.run("apply", str(folder), "--dry-run") == 0


def test_an_instance_of_which_the_vault_does_not_keep_all_is_not_done(
    vault: RealVault, folder: Folder, capsys: Captured
) -> None:
    folder.instance("pg-orders", {**instance_body()["properties"], "color": "green"})
    for _ in range(2):
        assert vault.run("apply", str(folder)) == 1
        told = capsys.readouterr()
        assert "not kept as written: instance pg-orders" in told.out
        assert "the vault does not keep color: nothing -> green; correct instances/pg-orders.json" in told.out
        assert "error: NotAllApplied: 1 of " in told.err
        assert "recommended: correct instances/pg-orders.json: the vault does not keep all of it" in told.err


def test_the_sample_protects_a_server_of_a_local_cloud_by_its_name(vault: RealVault, tmp_path: Path) -> None:
    endpoints = {
        "api": ORIGIN,
        "people": {"contributor": vault.door.token()},
        "vaultResourceId": VAULT_ID,
        "servers": {"pg-orders": {"resourceId": builders.SERVER_ID}},
    }
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps(endpoints))
    command = ("apply", str(SAMPLE), "--endpoints", str(file), "--as", "contributor")
    assert vault.run(*command) == 0
    assert vault.run(*command, "--dry-run") == 0
    source = vault.door.send("GET", INSTANCE).json["properties"]["dataSourceInfo"]
    assert source["resourceID"] == builders.SERVER_ID


def test_the_sample_names_a_policy_and_a_server_by_their_names() -> None:
    found = {one.name: one for one in read_folder(str(SAMPLE))}
    assert found["pg-orders"].properties["policyInfo"]["policyId"] == "daily"
    assert json.loads((SAMPLE / "policies/daily.json").read_text()) == json.loads(
        (SAMPLE.parent / "daily.json").read_text()
    )


@pytest.mark.parametrize("at", [1, 2])
def test_a_rule_that_is_there_twice_in_different_case_hides_in_no_diff(at: int) -> None:
    found, wanted = builders.policy_properties(), builders.policy_properties()
    second = builders.policy_properties(keep_for="P7D")["policyRules"][1]
    wanted["policyRules"].insert(at, {**second, "name": "default"})
    assert any("P7D" in line for line in find_differences(Kind.POLICY, found, wanted))


def test_many_that_are_left_take_one_line(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    for number in range(7):
        assert_ok(applied.door, f"{POLICY_ID}-{number}", policy_body())
    assert applied.run("apply", str(folder)) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left")]
    assert line.endswith("daily-3, daily-4 and 2 more, which are not in the folder")
