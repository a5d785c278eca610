"""What to do next in the words of this command: the vault's own hints speak of HTTP, members and roles."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from flexvault_cli.errors import CliError

type Applies = Callable[[CliError], bool]

AGAIN = "the same command again"
_UNAVAILABLE = 503
_INSTANCE_ID = re.compile(r"backupInstances/([^/?\s]+)", re.IGNORECASE)
_NEEDED_ROLE = re.compile(r"needs the role Backup\.(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A sentence, and the errors that it helps with."""

    applies: Applies
    text: str


def _code(code: str) -> Applies:
    return lambda error: error.code == code


def _target(ending: str) -> Applies:
    return lambda error: error.target.endswith(ending)


def _hints(*words: str) -> Applies:
    """Match a recommended action that holds all these words."""
    return lambda error: any(all(word in action for word in words) for action in error.actions)


_TABLE = (
    Advice(applies=_hints("targetResourceArmId must name"), text="compare --container with --container-id"),
    Advice(
        applies=_hints("send targetResourceArmId"), text="give --container-id, the resource id of the storage account"
    ),
    Advice(applies=_hints("polic", "with PUT"), text="flexvault policy list, or flexvault policy set FILE"),
    Advice(
        applies=_hints("backup instances", "with PUT"),
        text="flexvault instance list, or flexvault instance protect SERVER_ID --policy NAME",
    ),
    Advice(
        applies=_hints("PUT it again"),
        text="flexvault instance show INSTANCE says why; then flexvault instance protect SERVER_ID --policy NAME",
    ),
    Advice(
        applies=_hints("under another policy"),
        text="flexvault instance protect SERVER_ID --policy OTHER, for each of them",
    ),
    Advice(
        applies=_hints("use the instance that is there"),
        text="flexvault instance list, or flexvault instance protect SERVER_ID --policy OTHER without --name",
    ),
    Advice(applies=_hints("GET of"), text="flexvault instance show INSTANCE"),
    Advice(applies=_hints("list the vault's backup jobs"), text="flexvault job list"),
    Advice(applies=_hints("GET /api/vault/approvals"), text="flexvault approval list --state Pending"),
    Advice(applies=_hints("GET /api/vault/breaker"), text="flexvault breaker show"),
    Advice(
        applies=_hints("/poisoning"),
        text="flexvault instance poisoning INSTANCE, then flexvault instance acknowledge INSTANCE --reason TEXT",
    ),
    Advice(applies=_hints("/undelete"), text="flexvault instance undelete INSTANCE"),
    Advice(applies=_hints("resumeProtection"), text="flexvault instance resume INSTANCE"),
    Advice(applies=_hints("resumeBackups"), text="flexvault instance resume INSTANCE"),
    Advice(applies=_hints("list the instance's holds"), text="flexvault hold list INSTANCE"),
    Advice(applies=_code("PreviewOutdated"), text="flexvault instance preview INSTANCE"),
    Advice(applies=_hints("list the instance's recovery points"), text="flexvault point list INSTANCE"),
    Advice(applies=_target("targetDetails.filePrefix"), text="give another --prefix, such as night-1"),
    Advice(applies=_code("UserErrorTargetFilesExist"), text="give another --prefix"),
    Advice(
        applies=_target("targetDetails.url"), text="give --container https://ACCOUNT.blob.core.windows.net/CONTAINER"
    ),
    Advice(applies=_target(".ruleName"), text="give one of these rules with --rule"),
    Advice(applies=_target(".retentionTagOverride"), text="give one of these tags with --tag"),
    Advice(
        applies=lambda error: error.status == _UNAVAILABLE and not error.actions,
        text="try again in a minute; if it lasts, look at the vault's log",
    ),
)


def advise(error: CliError, *, is_local: bool) -> list[str]:
    """Answer the vault's recommended actions and this command's own words for them, each once.

    Args:
        error: What ended the command.
        is_local: The vault is a local cloud's, where `--as` chooses the caller.
    """
    own = [advice.text for advice in _TABLE if advice.applies(error)]
    if named := _INSTANCE_ID.search(" ".join([error.target, *error.actions])):
        name = named[1]
        own = [re.sub(r"\bINSTANCE\b", lambda _: name, text) for text in own]
    if is_local and (needed := _NEEDED_ROLE.search(error.message)):
        own.append(f"call it with: --as {needed[1].lower()}")
    own += _advise_approval(error, is_local=is_local)
    return list(dict.fromkeys([*error.actions, *own]))


def _advise_approval(error: CliError, *, is_local: bool) -> list[str]:
    """Say how a critical change goes on; one whose approval cannot be used any more asks for another by itself."""
    if error.code != "ApprovalRequired":
        return []
    if not any(f"{error.target}/approve" in action for action in error.actions):
        return [AGAIN]
    person = " --as approver" if is_local else ""
    return [
        f"look at it: flexvault approval show {error.target}",
        f"a second person: flexvault approval approve {error.target}{person}",
        f"then {AGAIN}",
    ]
