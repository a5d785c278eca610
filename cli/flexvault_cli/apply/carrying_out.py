"""Carry a plan out: policies before instances; what one refusal does not concern goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from flexvault_cli.api import VaultApi
from flexvault_cli.apply.comparing import find_differences
from flexvault_cli.apply.folder import Kind
from flexvault_cli.apply.items import Action, Item
from flexvault_cli.apply.planning import Plan
from flexvault_cli.errors import CliError, read_failure
from flexvault_cli.wire import Json, dig

DONE, WAITING, REFUSED, LEFT_OUT = "done", "waits for approval", "refused", "not tried"
NOT_KEPT = "not kept as written"
ATTENTION = "needs a person"


LOOK_FIRST = "look at what somebody else changed, with --dry-run: the same command would overwrite it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one step."""

    item: Item
    result: str
    error: CliError | None = None
    ignored: tuple[str, ...] = ()
    """What the file says and the vault does not keep."""


def carry_out(api: VaultApi, plan: Plan, on_step: Callable[[Item], None]) -> list[Outcome]:
    """Send what has to change, one after the other, and wait for each.

    A change is sent with the ETag of what was compared, so that what somebody else changed meanwhile is not lost. A
    refusal ends only its own step, and those of instances under a policy that could not be created. An instance that
    moves under a policy whose change waits for approval waits, too: the policy's change would make its approval void.

    Args:
        api: The vault.
        plan: What has to be done.
        on_step: Called before each step.
    """
    outcomes: list[Outcome] = []
    missing: set[str] = set()
    waiting: set[str] = set()
    is_reached = True
    for item in plan.steps:
        if not is_reached or item.policy in missing:
            text = "the vault could not be reached" if not is_reached else f"its policy '{item.policy}' was not created"
            outcomes.append(Outcome(item=item, result=LEFT_OUT, error=CliError(text)))
            continue
        if item.moves and item.policy in waiting:
            text = f"policy '{item.policy}' has to be changed first: this instance's approval would be void by that"
            outcomes.append(Outcome(item=item, result=f"waits for policy {item.policy}", error=CliError(text)))
            continue
        on_step(item)
        outcome = _take_step(api, item)
        outcomes.append(outcome)
        is_reached = outcome.error is None or outcome.error.status != 0 or bool(outcome.error.code)
        if outcome.error is not None and item.wanted.kind is Kind.POLICY and item.action is Action.CREATE:
            missing.add(item.wanted.name.lower())
        if outcome.result == WAITING and item.wanted.kind is Kind.POLICY:
            waiting.add(item.wanted.name.lower())
    return [*outcomes, *(_point_out(item) for item in plan.attentions)]


def _point_out(item: Item) -> Outcome:
    """Say what a person has to do for an instance that is not backed up; it is never resumed by a file."""
    error = CliError(item.differences[0], code="NotBackedUp", target=item.path, actions=[item.remedy])
    return Outcome(item=item, result=ATTENTION, error=error)


def _take_step(api: VaultApi, item: Item) -> Outcome:
    try:
        answer = _send(api, item)
    except CliError as error:
        if error.code == "ApprovalRequired":
            return Outcome(item=item, result=WAITING, error=error)
        if error.status == HTTPStatus.PRECONDITION_FAILED:
            if _is_so_already(api, item):
                return Outcome(item=item, result=DONE)
            text = f"somebody else changed it meanwhile: {error.message}"
            error = CliError(text, code=error.code, status=error.status, actions=[LOOK_FIRST])
        return Outcome(item=item, result=REFUSED, error=error)
    kind = item.wanted.kind
    ignored = find_differences(kind, answer.get("properties") or {}, item.properties)
    if not ignored:
        return Outcome(item=item, result=DONE)
    actions = [f"correct {item.wanted.file}: the vault does not keep all of it"]
    error = CliError("the vault keeps less than the file says", code="NotKept", target=item.path, actions=actions)
    return Outcome(item=item, result=NOT_KEPT, error=error, ignored=tuple(ignored))


def _is_so_already(api: VaultApi, item: Item) -> bool:
    """Say whether the vault has what is wanted: a change whose answer was lost is repeated, and then finds itself."""
    found, _ = api.find_version(item.path)
    return found is not None and not find_differences(item.wanted.kind, found.get("properties") or {}, item.properties)


def _send(api: VaultApi, item: Item) -> Json:
    if item.wanted.kind is Kind.INSTANCE and item.action is Action.CREATE:
        # Before anything of it exists: what cannot be protected leaves no failed instance behind.
        api.post("validateForBackup", {"backupInstance": item.properties})
    answer = api.put_version(item.path, {"properties": item.properties}, item.etag)
    if dig(answer, "properties.currentProtectionState") == "ConfiguringProtectionFailed":
        raise read_failure(dig(answer, "properties.protectionErrorDetails") or {})
    return answer
