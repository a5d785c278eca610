"""The command that brings a vault to what a folder says."""

import argparse
from collections.abc import Sequence

from flexvault_cli.api import VaultApi
from flexvault_cli.apply.carrying_out import DONE, LOOK_FIRST, WAITING, Outcome, carry_out
from flexvault_cli.apply.folder import Kind, read_folder
from flexvault_cli.apply.items import Action, Item
from flexvault_cli.apply.planning import Plan, make_plan
from flexvault_cli.errors import DIFFERENT, CliError
from flexvault_cli.output import show_json, show_lines, show_progress
from flexvault_cli.wire import Json

MOST_NAMED = 5
_COUNTED = {
    Action.CREATE: "to create",
    Action.CHANGE: "to change",
    Action.ATTENTION: "to look at",
    Action.NOTHING: "unchanged",
}


def apply_folder(api: VaultApi, options: argparse.Namespace) -> int:
    """Create and change the policies and backup instances of a folder; delete nothing. Again: nothing to do."""
    plan = make_plan(api, read_folder(options.folder))
    if not options.as_json:
        show_lines(_describe(plan))
    if options.dry_run:
        _show_json(plan, [], options)
        return DIFFERENT if plan.steps or plan.attentions else 0
    outcomes = carry_out(api, plan, lambda item: show_progress(f"{_progress(item)}..."))
    _show_json(plan, outcomes, options)
    if not options.as_json:
        show_lines(_describe_outcomes(outcomes))
    _require_all_done(outcomes, is_local=options.endpoints is not None)
    return 0


def _describe(plan: Plan) -> list[str]:
    lines: list[str] = []
    for item in plan.items:
        lines.append(f"{item.action:<9} {item.wanted.kind:<8} {item.wanted.name}")
        lines += [f"          {difference}" for difference in item.differences]
        lines += [f"          what to do: {item.remedy}"] if item.remedy else []
    lines += _describe_others(plan)
    counts = {text: sum(item.action is action for item in plan.items) for action, text in _COUNTED.items()}
    summary = ", ".join(f"{count} {text}" for text, count in counts.items() if count)
    return [*lines, summary if plan.steps or plan.attentions else f"nothing to do: {summary}"]


def _describe_others(plan: Plan) -> list[str]:
    """Answer a line for each kind of which the vault has more than the folder, with the first few names."""
    lines: list[str] = []
    for kind in Kind:
        names = [name for found, name in plan.others if found is kind]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        verb = "is" if len(names) == 1 else "are"
        if names:
            told = f"{', '.join(names[:MOST_NAMED])}{more}"
            lines.append(f"{'left':<9} {kind:<8} {told}, which {verb} not in the folder")
    return lines


def _describe_outcomes(outcomes: Sequence[Outcome]) -> list[str]:
    lines: list[str] = []
    for outcome in outcomes:
        lines.append(f"{outcome.result}: {_name(outcome.item)}")
        if outcome.error is not None:
            lines.append(f"  {_tell(outcome.error)}")
        lines += [f"  the vault does not keep {text}; correct {outcome.item.wanted.file}" for text in outcome.ignored]
    return lines


def _require_all_done(outcomes: Sequence[Outcome], *, is_local: bool) -> None:
    left = [outcome for outcome in outcomes if outcome.result != DONE]
    if not left:
        return
    waiting = [outcome.error.target for outcome in left if outcome.error is not None and outcome.result == WAITING]
    looks = [text for approval in waiting for text in (f"look at it: flexvault approval show {approval}",)]
    person = " --as approver" if is_local else ""
    asks = [f"a second person: flexvault approval approve {approval}{person}" for approval in waiting]
    told = [
        action for outcome in left if outcome.error and outcome.result != WAITING for action in outcome.error.actions
    ]
    again = "then, if yours shall win, the same command again" if LOOK_FIRST in told else "then the same command again"
    done = len(outcomes) - len(left)
    raise CliError(
        f"{len(left)} of {len(outcomes)} steps are not done, {done} are",
        code="NotAllApplied",
        actions=list(dict.fromkeys([*told, *looks, *asks, again])),
    )


def _show_json(plan: Plan, outcomes: Sequence[Outcome], options: argparse.Namespace) -> None:
    if not options.as_json:
        return
    results = {id(outcome.item): outcome for outcome in outcomes}
    others = [{"kind": kind.value, "name": name} for kind, name in plan.others]
    items = [_item_json(item, results.get(id(item))) for item in plan.items]
    show_json({"items": items, "notInFolder": others})


def _item_json(item: Item, outcome: Outcome | None) -> Json:
    wanted = item.wanted
    shown: Json = {
        "kind": wanted.kind.value,
        "name": wanted.name,
        "file": wanted.file,
        "action": item.action.value,
        "differences": list(item.differences),
        "remedy": item.remedy or None,
        "result": None if outcome is None else outcome.result,
        "ignored": [] if outcome is None else list(outcome.ignored),
        "error": None,
    }
    if outcome is not None and outcome.error is not None:
        error = outcome.error
        shown["error"] = {"code": error.code, "message": error.message, "target": error.target, "status": error.status}
    return shown


def _progress(item: Item) -> str:
    return f"{item.action} {_name(item)}"


def _name(item: Item) -> str:
    return f"{item.wanted.kind} {item.wanted.name}"


def _tell(error: CliError) -> str:
    text = f"{error.code}: {error.message}" if error.code else error.message
    return text.replace("\n", "\n  ")
