"""The command against the API itself, in memory: what a person sees of simulations, previews and a second person."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from flexvault.adapters.memory.storage import VAULT
from flexvault.domain.errors import ConflictError
from flexvault.domain.vault_settings import SoftDelete
from flexvault.services.reconcile import reconcile
from tests.api.doors import INSTANCE, Door, policy_body
from tests.api.test_poisoning import back_up
from tests.builders import set_soft_delete
from tests.cli.real_vault import Flexvault, RealVault
from tests.services.verifying import flip

type Captured = pytest.CaptureFixture[str]

HOLD = ("pg-orders", "case-7")


@pytest.fixture
def door() -> Door:
    made = Door()
    made.protect_and_back_up()
    return made


@pytest.fixture
def flexvault(door: Door) -> Flexvault:
    """Run the command as a person; while it waits, the vault's jobs run."""
    return RealVault(door).run


@pytest.fixture
def short(tmp_path: Path) -> str:
    """A file with the policy in force, but that it keeps less."""
    file = tmp_path / "daily.json"
    file.write_text(json.dumps(policy_body(keep_for="P7D")))
    return str(file)


def find_waiting(flexvault: Flexvault, capsys: Captured) -> str:
    """Answer the id of the approval that waits, as scripts would read it."""
    capsys.readouterr()
    assert flexvault("approval", "list", "--state", "pending", "--output", "json", person="approver") == 0
    [waiting] = json.loads(capsys.readouterr().out)
    return waiting["id"]


def test_a_critical_change_says_who_has_to_do_what_and_succeeds_once_they_did(
    flexvault: Flexvault, short: str, capsys: Captured
) -> None:
    assert flexvault("policy", "set", short) == 1
    error = capsys.readouterr().err
    approval = find_waiting(flexvault, capsys)
    assert error.startswith("error: ApprovalRequired: ")
    assert f"it waits as approval '{approval}'" in error
    assert error.splitlines()[-3:] == [
        f"recommended: look at it: flexvault approval show {approval}",
        f"recommended: a second person: flexvault approval approve {approval}",
        "recommended: then the same command again",
    ]

    assert flexvault("approval", "show", approval, person="reader") == 0
    shown = capsys.readouterr().out
    assert "policyRules[1].lifecycles[0].deleteAfter.duration: P1M -> P7D" in shown
    assert "Somebody (oid-of-Backup.Contributor)" in shown

    assert flexvault("approval", "approve", approval, "--reason", "as agreed", person="approver") == 0
    shown = capsys.readouterr().out
    assert ("Approved" in shown, "as agreed" in shown) == (True, True)
    assert flexvault("policy", "set", short) == 0
    assert "Default P7D" in capsys.readouterr().out


def test_setting_a_policy_names_what_changed_and_what_it_turns_off(
    flexvault: Flexvault, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "daily.json"
    properties = policy_body()["properties"]
    every = {"newestEvery": "P7D"}
    for members, told in (
        ({"deepVerification": every}, ["changed: deepVerification.newestEvery: nothing -> P7D"]),
        ({"deepVerification": every}, []),
        (
            {"color": "green"},
            [
                "changed: deepVerification.newestEvery: P7D -> nothing",
                f'warning: deep verification is off now; to have it on, add "deepVerification": {json.dumps(every)} to the properties',
                "warning: the member 'properties.color' is not known and has no effect: the vault does not keep it",
            ],
        ),
    ):
        file.write_text(json.dumps({"properties": {**properties, **members}}))
        assert flexvault("policy", "set", str(file)) == 0
        assert capsys.readouterr().err.splitlines() == told
    file.write_text(json.dumps({"name": "weekly", "properties": properties}))
    assert flexvault("policy", "set", str(file)) == 0
    assert capsys.readouterr().err == ""


def test_a_rejected_change_asks_anew_and_tells_why_it_was_rejected(
    flexvault: Flexvault, short: str, capsys: Captured
) -> None:
    flexvault("policy", "set", short)
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "reject", approval, "--reason", "too short", person="approver") == 0
    assert "Rejected" in capsys.readouterr().out
    assert flexvault("policy", "set", short) == 1
    assert "was rejected by Somebody: too short" in capsys.readouterr().err


def test_nobody_but_an_approver_is_told_to_approve(flexvault: Flexvault, short: str, capsys: Captured) -> None:
    flexvault("policy", "set", short)
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "approve", approval) == 1
    assert "needs the role Backup.Approver" in capsys.readouterr().err


def test_an_approval_that_is_not_there_is_looked_for_in_the_list(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("approval", "show", "a/b") == 1
    assert capsys.readouterr().err.splitlines()[0].startswith("error: ")
    assert flexvault("approval", "show", "none") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "recommended: flexvault approval list --state Pending"


def test_a_hold_is_placed_and_released_by_two_people(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("hold", "place", *HOLD, "--reason", "court order") == 0
    assert flexvault("hold", "list", "pg-orders", person="reader") == 0
    listed = capsys.readouterr().out
    assert [word for word in ("case-7", "all", "court order", "Somebody") if word not in listed] == []

    assert flexvault("hold", "release", *HOLD) == 1
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "approve", approval, person="approver") == 0
    assert flexvault("hold", "release", *HOLD) == 0
    assert capsys.readouterr().err == "hold case-7 is released\n"
    assert flexvault("hold", "release", *HOLD) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: backup instance pg-orders has no hold case-7",
        "recommended: flexvault hold list pg-orders",
    ]


def test_a_hold_of_one_recovery_point_names_it(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    point = door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]
    assert flexvault("hold", "place", *HOLD, "--reason", "court order", "--point", point) == 0
    assert point.replace("-", "") in capsys.readouterr().out.replace("-", "")


def test_a_simulation_shows_counts_by_tag_and_year(flexvault: Flexvault, capsys: Captured) -> None:
    cli = Path(__file__).parents[2] / "cli" / "daily.json"
    words = ["--from", "2026-01-01", "--years", "3", "--failures", "2026-01-01,2026-01-02", "--size", "1073741824"]
    assert flexvault("policy", "simulate", str(cli), *words, "--growth", "0.5", person="reader") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["Default", "1094", "92", "2028-10-01T02:00:00Z"]
    assert [line[:2] for line in lines[-3:]] == [["2026-12", "92"], ["2027-12", "92"], ["2028-12", "92"]]
    assert lines[-1][2:] == ["295.1", "GiB"]


def test_the_vaults_own_policy_is_simulated_by_its_name(flexvault: Flexvault, capsys: Captured) -> None:
    words = ["daily", "--from", "2026-02-01T00:00:00+01:00", "--until", "2026-02-11", "--output", "json"]
    assert flexvault("policy", "simulate", *words, person="reader") == 0
    assert len(json.loads(capsys.readouterr().out)["recoveryPoints"]) == 10


def test_what_will_be_deleted_is_shown_with_its_reason(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    assert flexvault("instance", "preview", "pg-orders", person="reader") == 0
    assert capsys.readouterr().out == "nothing would be deleted\n"
    door.world.clock.advance(timedelta(days=1))
    assert flexvault("backup", "pg-orders", "--wait") == 0
    capsys.readouterr()
    assert flexvault("instance", "preview", "pg-orders", person="reader") == 0
    printed = capsys.readouterr().out
    assert "rule Default" in printed
    assert "1 to be deleted" in printed
    assert flexvault("instance", "preview", "pg-orders", "--until", "2026-01-06", person="reader") == 0
    assert capsys.readouterr().out == "nothing would be deleted\n"


def test_a_preview_says_that_the_breaker_would_hold_its_deletions_back(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    door.world.clock.advance(timedelta(days=1))
    assert flexvault("backup", "pg-orders", "--wait") == 0
    capsys.readouterr()
    door.world.clock.advance(timedelta(days=60))
    assert flexvault("instance", "preview", "pg-orders", person="reader") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("held back: ")]
    assert "the vault slept, or a clock jumped" in line


def test_another_policy_shows_both_sides_and_is_reevaluated_once_it_is_in_force(
    flexvault: Flexvault, door: Door, tmp_path: Path, capsys: Captured
) -> None:
    longer = tmp_path / "daily.json"
    longer.write_text(json.dumps(policy_body(keep_for="P2M")))
    door.world.clock.advance(timedelta(days=1))
    assert flexvault("backup", "pg-orders", "--wait") == 0
    capsys.readouterr()
    assert flexvault("instance", "preview", "pg-orders", "--policy", str(longer), person="reader") == 0
    assert "2026-02-05 -> 2026-03-05" in (printed := capsys.readouterr().out)
    assert "to have it so: put pg-orders under it, then flexvault instance preview pg-orders" in printed

    assert flexvault("policy", "set", str(longer)) == 0
    capsys.readouterr()
    assert flexvault("instance", "preview", "pg-orders", person="reader") == 0
    (last,) = capsys.readouterr().out.splitlines()[-1:]
    assert last.startswith("to have it so: flexvault instance reevaluate pg-orders --preview ")
    assert flexvault("instance", "preview", "pg-orders", "--policy", "daily", person="reader") == 0
    assert capsys.readouterr().out.splitlines()[-1] == last

    reevaluate = last.removeprefix("to have it so: flexvault ").split()
    assert flexvault(*reevaluate) == 1
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "show", approval, person="approver") == 0
    assert ".expiry: 2026-02-05T" in capsys.readouterr().out
    assert flexvault("approval", "approve", approval, person="approver") == 0
    capsys.readouterr()
    assert flexvault(*reevaluate) == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["2", "0", "2"]


def test_an_outdated_preview_is_made_again(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("instance", "reevaluate", "pg-orders", "--preview", "0" * 64) == 1
    assert "recommended: flexvault instance preview pg-orders" in capsys.readouterr().err


def test_a_closed_breaker_is_shown_and_needs_no_release(flexvault: Flexvault, capsys: Captured) -> None:
    for words in (["show"], ["release", "--reason", "looked at it"]):
        assert flexvault("breaker", *words) == 0
        assert capsys.readouterr().out.split() == ["state", "Closed"]


def test_the_command_that_revokes_keys_can_be_copied_and_pasted(flexvault: Flexvault, capsys: Captured) -> None:
    for account in ("landing", "vault"):
        assert flexvault("vault", "revoke-keys", "--account", account, "--reason", "a laptop was stolen") == 0
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == f"no job uses a SAS of account {account} now"
        assert printed[-2] == f"nothing is revoked yet; the owner of account {account} runs:"
        assert printed[-1].startswith(f'az storage account revoke-delegation-keys --name "{account}" --resource-group')
        assert printed[-1].endswith('--output tsv)"')


def test_isolation_is_told_with_reasons_and_remedies(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("vault", "isolation") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "isolated no" in printed
    assert "IdentitiesDistinct: the identities that this app holds are distinct: control control" in printed
    assert "SourceSubscriptions: not isolated: protected in the vault's own subscription" in printed
    assert "do: deploy two apps" in printed
    assert "Immutability: immutability is Unlocked" in printed
    assert "then make it Locked; Locked can never be taken back" in printed


def test_protection_is_stopped_and_resumed_and_the_pause_is_told(flexvault: Flexvault, capsys: Captured) -> None:
    for words, state in (
        (["stop", "pg-orders"], "ProtectionStopped"),
        (["resume", "pg-orders"], "ProtectionConfigured"),
        (["stop", "pg-orders", "--keep", "as-policy"], "BackupSchedulesSuspended"),
    ):
        assert flexvault("instance", *words) == 0
        assert state in capsys.readouterr().out
    assert flexvault("instance", "schedule", "pg-orders") == 0
    assert "none is due" in (asleep := capsys.readouterr().out)
    assert "Stopped" in asleep
    assert flexvault("instance", "resume", "pg-orders") == 0
    capsys.readouterr()
    assert flexvault("instance", "schedule", "pg-orders") == 0
    assert "2026-01-05T02:00:00Z" in (awake := capsys.readouterr().out)
    assert "Suspended" in awake


def test_what_is_stopped_for_ever_is_resumed_before_it_expires_again(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("instance", "stop", "pg-orders") == 0
    assert flexvault("instance", "stop", "pg-orders", "--keep", "as-policy") == 1
    assert "recommended: flexvault instance resume pg-orders" in capsys.readouterr().err


def test_an_instance_is_deleted_by_two_people(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("instance", "delete", "pg-orders") == 1
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "approve", approval, person="approver") == 0
    capsys.readouterr()
    assert flexvault("instance", "delete", "pg-orders") == 0
    told = capsys.readouterr().err
    assert "pg-orders: it was deleted and is SoftDeleted: it can be undeleted until 2026-01-19" in told
    assert "its data are gone at 2026-02-05" in told
    assert "to take it back: flexvault instance undelete pg-orders" in told
    assert flexvault("instance", "list") == 0
    assert "pg-orders" not in capsys.readouterr().out
    assert flexvault("instance", "show", "pg-orders") == 0
    shown = capsys.readouterr().out
    assert "SoftDeleted" in shown
    assert "Running" not in shown
    assert flexvault("point", "list", "pg-orders") == 0
    assert flexvault("instance", "stop", "pg-orders") == 1
    assert "recommended: flexvault instance undelete pg-orders" in capsys.readouterr().err
    assert flexvault("instance", "deleted") == 0
    listed = capsys.readouterr().out
    assert "undelete until" in listed
    assert ("2026-01-19T" in listed, "2026-02-05T" in listed) == (True, True)
    for _ in range(2):
        assert flexvault("instance", "undelete", "pg-orders") == 0
        assert "ProtectionStopped" in capsys.readouterr().out
    assert flexvault("instance", "resume", "pg-orders") == 0
    assert flexvault("instance", "undelete", "pg-orders") == 1
    assert "the vault has no soft-deleted backup instance 'pg-orders'" in capsys.readouterr().err
    assert flexvault("instance", "undelete", "nothing") == 1
    assert "no soft-deleted backup instance is called nothing" in capsys.readouterr().err


def test_a_deletion_that_storage_refuses_is_told_to_the_approver_and_afterwards(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    set_soft_delete(door.world, SoftDelete.OFF)
    assert flexvault("instance", "delete", "pg-orders") == 1
    refused = capsys.readouterr().err
    assert "storage keeps 1 recovery point(s) of it until" in refused
    assert "the server cannot be protected again before the last one is gone" in refused
    approve(flexvault, capsys)
    assert flexvault("instance", "delete", "pg-orders") == 0
    capsys.readouterr()
    assert flexvault("instance", "show", "pg-orders") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "RecoveryPointsImmutable: 1 recovery point(s) are kept by storage until" in shown
    assert "wait; until then each of them can be restored" in shown
    assert flexvault("instance", "preview", "pg-orders") == 0
    previewed = capsys.readouterr().out
    assert "nothing would be deleted\nblocked: " in previewed
    assert "not deleted: immutable until" in previewed
    assert flexvault("backup", "pg-orders") == 1
    assert "recommended: flexvault instance show pg-orders" in capsys.readouterr().err


def test_an_untouched_vault_is_verified(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    reconcile(door.world.vault, door.world.memory.orchestrations)
    assert flexvault("vault", "verify", "--deep", person="reader") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "nothing is wrong"
    assert "1 recovery points, 4 files, 4 blocks" in lines[1]
    assert lines[1].endswith(" read")
    assert lines[2] == "verdict: Intact"
    assert lines[3].startswith("evidence: newest root 2026-01-04, SHA-256 ")
    assert flexvault("vault", "verify", "--instance", "pg-orders", "--output", "json", person="reader") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], len(told["evidence"]["streams"])) == ("Intact", 1)


def test_a_vault_that_was_tampered_with_ends_the_command_with_1(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    storage = door.world.memory.storage
    path = storage.list_blobs(VAULT, "manifests")[0].name
    storage.spoil(VAULT, "manifests", path, b"{}")
    assert flexvault("vault", "verify", person="reader") == 1
    told = capsys.readouterr()
    assert "ManifestDiffers" in told.out
    assert "verdict: Broken" in told.out
    assert told.err.splitlines()[0] == "error: VaultBroken: 1 thing(s) are not as they were recorded"
    assert told.err.splitlines()[1].startswith(f"recommended: look at manifests/{path}: do not restore from it: ")


def test_what_could_not_be_read_is_no_proof(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    door.world.memory.faults.fail_next("vault_reader.list_blocks", ConflictError("archived", code="BlobArchived"))
    assert flexvault("vault", "verify", person="reader") == 1
    told = capsys.readouterr()
    assert "verdict: NotProven" in told.out
    assert "BlobArchived: archived" in told.out
    assert told.err.startswith("error: NotAllChecked: ")


def approve(flexvault: Flexvault, capsys: Captured) -> None:
    """Approve what waits, as the second person."""
    assert flexvault("approval", "approve", find_waiting(flexvault, capsys), person="approver") == 0
    capsys.readouterr()


def test_locking_asks_for_yes_and_sends_nothing_without_it(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("vault", "set", "--immutability", "locked") == 2
    assert "can never be taken back" in capsys.readouterr().err
    assert flexvault("vault", "show") == 0
    assert "Unlocked" in capsys.readouterr().out
    assert flexvault("vault", "set", "--immutability", "locked", "--yes") == 0
    assert "Locked" in capsys.readouterr().out
    assert flexvault("vault", "set", "--immutability", "unlocked") == 1
    assert "UserErrorUnsupportedVaultImmutabilityStateChange" in capsys.readouterr().err


def test_disabling_needs_a_second_person(flexvault: Flexvault, capsys: Captured) -> None:
    words = ("vault", "set", "--immutability", "Disabled")
    assert flexvault(*words) == 1
    approve(flexvault, capsys)
    assert flexvault(*words) == 0
    assert "Disabled" in capsys.readouterr().out


def test_the_guard_is_shown_and_turned_off_by_two(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("vault", "guard") == 0
    assert "On" in capsys.readouterr().out
    assert flexvault("vault", "guard", "off") == 1
    approval = find_waiting(flexvault, capsys)
    assert flexvault("approval", "show", approval, person="approver") == 0
    assert "poisoningGuard: On -> Off" in capsys.readouterr().out
    assert flexvault("approval", "approve", approval, person="approver") == 0
    capsys.readouterr()
    assert flexvault("vault", "guard", "off") == 0
    assert "Off" in capsys.readouterr().out


def test_a_suspected_backup_is_shown_and_acknowledged(
    flexvault: Flexvault,
    door: Door,
    capsys: Captured,
) -> None:
    back_up(door, 60_000)
    lost = back_up(door, 600)
    assert flexvault("instance", "show", "pg-orders") == 0
    shown = capsys.readouterr().out
    assert "Paused" in shown
    assert "PoisoningSuspected" in shown
    assert "acknowledgePoisoning" in shown
    assert flexvault("instance", "poisoning", "pg-orders") == 0
    assert f"{lost}: its size fell by" in capsys.readouterr().out
    words = ("instance", "acknowledge", "pg-orders", "--reason", "archived")
    assert flexvault(*words) == 1
    approve(flexvault, capsys)
    assert flexvault(*words) == 0
    told = capsys.readouterr().out
    assert "Running" in told
    assert "archived" in told


def test_soft_delete_is_set_and_always_on_needs_a_yes(flexvault: Flexvault, capsys: Captured) -> None:
    assert flexvault("vault", "set") == 2
    assert "nothing to change" in capsys.readouterr().err
    assert flexvault("vault", "set", "--soft-delete-days", "30") == 0
    assert "On, 30 days" in capsys.readouterr().out
    assert flexvault("vault", "set", "--soft-delete-days", "14") == 1
    assert "it shortens soft delete" in capsys.readouterr().err
    assert flexvault("vault", "set", "--soft-delete", "AlwaysOn") == 2
    assert "can never be taken back" in capsys.readouterr().err
    assert flexvault("vault", "set", "--soft-delete", "AlwaysOn", "--yes") == 0
    assert "AlwaysOn, 30 days" in capsys.readouterr().out
    assert flexvault("vault", "set", "--soft-delete", "Off") == 1
    assert "UserErrorUnsupportedVaultSoftDeleteStateChange" in capsys.readouterr().err


def newest_point(door: Door) -> str:
    return str(door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"])


def test_a_point_is_verified_deeply_and_shown_with_its_rows(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    point = newest_point(door)
    assert flexvault("point", "verify", "pg-orders", point, "--wait") == 0
    told = capsys.readouterr().out
    assert "DeepVerification" in told
    assert "no damage found" in told
    assert flexvault("point", "verification", "pg-orders", point, "--output", "json", person="reader") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], [file["rows"] for file in found["files"] if file["database"]]) == ("Intact", [2])
    assert flexvault("point", "show", "pg-orders", point) == 0
    shown = dict(re.split(r" {2,}|(?<=until) ", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["verified"].strip(), shown["size"].split()[-1] in {"B", "KiB"}) == ("Intact", True)
    assert "." not in shown["immutable until"] + shown["verified at"]
    assert flexvault("point", "list", "pg-orders") == 0
    heading, row = (line.split() for line in capsys.readouterr().out.splitlines())
    assert (heading[-1], row[-1]) == ("verified", "Intact")


def test_a_point_that_is_broken_ends_the_command_with_1_and_says_what_to_do(
    flexvault: Flexvault, door: Door, capsys: Captured
) -> None:
    flip(door.world, 700)
    assert flexvault("point", "verify", "pg-orders", newest_point(door), "--wait") == 1
    streams = capsys.readouterr()
    assert "BlockDiffers" in streams.out
    assert "PointBroken" in streams.err
    assert "recommended: BlockDiffers: do not restore from it" in streams.err


def test_a_point_that_was_never_verified_says_so(flexvault: Flexvault, door: Door, capsys: Captured) -> None:
    assert flexvault("point", "verification", "pg-orders", newest_point(door), person="reader") == 1
    told = capsys.readouterr().err
    assert "UserErrorVerificationNotFound" in told
    [action] = [line for line in told.splitlines() if line.startswith("recommended: ")]
    assert action == f"recommended: flexvault point verify pg-orders {newest_point(door)} --wait"
    assert flexvault(*action.split()[2:]) == 0
