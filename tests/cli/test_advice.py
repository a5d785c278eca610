"""What the command recommends, in its own words, when the vault refuses."""

import pytest
from flexvault_cli.advice import advise
from flexvault_cli.errors import CliError, read_failure


@pytest.mark.parametrize(
    ("error", "own"),
    [
        pytest.param(
            CliError("outside", actions=["send targetResourceArmId and give ..."]), "--container-id", id="container id"
        ),
        pytest.param(
            CliError("no policy", actions=["list the vault's policies, or create this one with PUT"]),
            "flexvault policy set FILE",
            id="no policy",
        ),
        pytest.param(
            CliError("no instance", actions=["list the vault's backup instances, or configure this one with PUT"]),
            "flexvault instance protect",
            id="no instance",
        ),
        pytest.param(
            CliError("state", actions=["wait; after ConfiguringProtectionFailed PUT it again"]),
            "flexvault instance show",
            id="failed protection",
        ),
        pytest.param(
            CliError("stopped", actions=["resume it first with resumeProtection: they expire again"]),
            "flexvault instance resume INSTANCE",
            id="stopped protection",
        ),
        pytest.param(
            CliError("no hold", actions=["list the instance's holds, or place this one with PUT"]),
            "flexvault hold list INSTANCE",
            id="no hold",
        ),
        pytest.param(
            CliError("being deleted", actions=["wait; GET of the instance says what storage keeps until when"]),
            "flexvault instance show INSTANCE",
            id="being deleted",
        ),
        pytest.param(
            CliError("no approval", actions=["list the vault's approvals: GET /api/vault/approvals"]),
            "flexvault approval list --state Pending",
            id="no approval",
        ),
        pytest.param(
            CliError("another plan", actions=["look at it again: GET /api/vault/breaker"]),
            "flexvault breaker show",
            id="breaker",
        ),
        pytest.param(
            CliError("prefix", target="restoreTargetInfo.targetDetails.filePrefix"), "--prefix", id="file prefix"
        ),
        pytest.param(CliError("rule", target="backupRuleOptions.ruleName"), "--rule", id="rule"),
        pytest.param(CliError("tag", target="backupRuleOptions.triggerOption.retentionTagOverride"), "--tag", id="tag"),
        pytest.param(CliError("no container", target="targetDetails.url"), "/CONTAINER", id="container"),
        pytest.param(CliError("cannot be reached now", status=503), "try again in a minute", id="unavailable"),
        pytest.param(
            CliError("it needs the role Backup.Contributor, the token has Backup.Operator", status=403),
            "--as contributor",
            id="role",
        ),
    ],
)
def test_a_refusal_is_answered_in_the_commands_own_words(error: CliError, own: str):
    told = advise(error, is_local=True)
    assert told[:-1] == error.actions
    assert own in told[-1]


@pytest.mark.parametrize(
    "error",
    [
        CliError("soft-deleted", target="/subscriptions/x/backupInstances/pg-1", actions=["POST .../undelete"]),
        CliError(
            "soft-deleted", target="a server", actions=["undelete it, with POST deletedBackupInstances/pg-1/undelete"]
        ),
    ],
    ids=["by its id", "by what the vault recommends"],
)
def test_the_instance_is_named_where_the_vault_names_it(error: CliError):
    assert advise(error, is_local=False)[-1] == "flexvault instance undelete pg-1"


def test_another_caller_is_advised_only_where_the_command_can_choose_one():
    assert advise(CliError("it needs the role Backup.Contributor"), is_local=False) == []


APPROVAL = "0123-0"


@pytest.mark.parametrize(
    ("is_local", "command"),
    [
        pytest.param(True, f"flexvault approval approve {APPROVAL} --as approver", id="local cloud"),
        pytest.param(False, f"flexvault approval approve {APPROVAL}", id="Azure"),
    ],
)
def test_a_critical_change_names_the_second_persons_command(*, is_local: bool, command: str):
    hint = f"have it approved with POST /api/vault/approvals/{APPROVAL}/approve, then send it again"
    error = CliError("it waits", code="ApprovalRequired", target=APPROVAL, actions=[hint], status=403)
    assert advise(error, is_local=is_local) == [
        hint,
        f"look at it: flexvault approval show {APPROVAL}",
        f"a second person: {command}",
        "then the same command again",
    ]


def test_an_approval_that_cannot_be_used_any_more_is_not_to_be_approved():
    hint = "send the request again: that asks for another approval"
    error = CliError("it is Expired", code="ApprovalRequired", target=APPROVAL, actions=[hint], status=403)
    assert advise(error, is_local=True) == [hint, "the same command again"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        pytest.param(
            {"message": "m: path.a: is wrong", "details": [{"target": "path.a", "message": "is wrong"}]},
            "m: path.a: is wrong",
            id="a detail that the message tells",
        ),
        pytest.param(
            {"message": "m", "details": [{"code": "C", "target": "path.a", "message": "is wrong"}]},
            "m\npath.a: is wrong",
            id="a detail of its own",
        ),
        pytest.param(
            {"message": "m; hint: do this", "additionalInfo": [{"info": {"recommendedAction": ["do this"]}}]},
            "m",
            id="a hint at the end of the message",
        ),
    ],
)
def test_nothing_is_told_twice(error: dict[str, object], message: str):
    assert read_failure(error).message == message


def test_the_same_action_is_recommended_once():
    infos = [{"info": {"recommendedAction": ["do this"]}}]
    assert read_failure({"recommendedAction": ["do this"], "additionalInfo": infos}).actions == ["do this"]
