"""A folder is applied to the API itself, in memory: what differs is sent, and the second time nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from flexvault_cli.apply.comparing import find_differences
from flexvault_cli.apply.folder import Kind, read_folder
from flexvault_cli.errors import CliError

from tests import builders
from tests.api.doors import INSTANCE, ORIGIN, POLICY_ID, VAULT_ID, Door, instance_body, policy_body
from tests.api.test_soft_delete import send_approved
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]
SAMPLE = Path(__file__).parents[2] / "cli" / "sample"


class Folder:
    """A folder to be applied: a policy and a server under it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.policy("daily", policy_body()["properties"])
        self.instance("pg-orders", instance_body()["properties"])

    def __str__(self) -> str:
        return str(self.root)

    def policy(self, name: str, properties: Any) -> None:
        self.write(f"policies/{name}.json", {"name": name, "properties": properties})

    def instance(self, name: str, properties: Any) -> None:
        self.write(f"instances/{name}.json", {"name": name, "properties": properties})

    def write(self, file: str, document: Any) -> None:
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def vault() -> RealVault:
    return RealVault(Door())


@pytest.fixture
def applied(vault: RealVault, folder: Folder, capsys: Captured) -> RealVault:
    """A vault that has what the folder says."""
    assert vault.run("apply", str(folder)) == 0
    vault.sent.clear()
    capsys.readouterr()
    return vault


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


def test_what_the_vault_does_not_keep_is_told(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    folder.policy("daily", {**policy_body()["properties"], "color": "green"})
    assert vault.run("apply", str(folder)) == 0
    assert "the vault does not keep color: nothing -> green; correct policies/daily.json" in capsys.readouterr().out


# Mistakes in the folder ----------------------------------------------------------------------------------------------


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


def on_server(server_id: str) -> dict[str, Any]:
    return {**instance_body()["properties"]["dataSourceInfo"], "resourceID": server_id}


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


def test_two_files_for_one_server_are_a_mistake(vault: RealVault, folder: Folder, capsys: Captured) -> None:
    folder.instance("twin", instance_body()["properties"])
    assert vault.run("apply", str(folder), "--dry-run") == 2
    assert "instances/twin.json: instances/pg-orders.json protects the server" in capsys.readouterr().err


def test_many_that_are_left_take_one_line(applied: RealVault, folder: Folder, capsys: Captured) -> None:
    for number in range(7):
        assert_ok(applied.door, f"{POLICY_ID}-{number}", policy_body())
    assert applied.run("apply", str(folder)) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left")]
    assert line.endswith("daily-3, daily-4 and 2 more, which are not in the folder")


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


def assert_ok(door: Door, path: str, body: Any) -> None:
    assert door.send("PUT", path, body).status == 200


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
