"""Commands that show what retention will delete, and put recovery points under a changed policy."""

import argparse

from flexvault_cli import planning_views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, find_policy, own_path
from flexvault_cli.output import show_json, show_lines, show_one, show_rows
from flexvault_cli.views import last_segment
from flexvault_cli.wire import Json, dig, dig_list

NOTHING_DELETED = "nothing would be deleted"


def preview_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what will be deleted of an instance, when and why, and what a policy would change at what exists."""
    instance = find_instance(api, options.instance)
    request: Json = {"backupInstance": instance["name"]}
    # Without a policy the vault compares with the instance's own, and only then names what may be carried out.
    if options.policy and options.policy != last_segment(dig(instance, "properties.policyInfo.policyId")):
        request["policy"] = find_policy(api, options.policy)
    if options.until:
        request["until"] = options.until
    answer = api.post("/vault/retentionPreview", request)
    if options.as_json:
        show_json(answer)
        return
    _show_deletions(answer)
    show_lines(planning_views.describe_held_back(answer))
    show_lines(planning_views.describe_blocked(answer))
    under: Json = answer.get("underPolicy") or {}
    if options.policy or dig_list(under, "changes"):
        _show_other_side(under, str(options.policy or under.get("policy")), instance["name"])


def _show_other_side(under: Json, policy: str, instance: str) -> None:
    show_lines(["", f"Re-evaluated under {policy}:"])
    _show_deletions(under)
    show_lines(["", f"Recovery points that {policy} would change:"])
    changes, dropped = dig_list(under, "changes"), planning_views.CHANGES_DROPPED
    show_rows(changes, planning_views.CHANGES, as_json=False, dropped_first=dropped, empty="none")
    if not changes:
        return
    preview_hash = under.get("previewHash")
    if preview_hash:
        command = f"flexvault instance reevaluate {instance} --preview {preview_hash}"
    else:
        command = f"put {instance} under it, then flexvault instance preview {instance}"
    show_lines(["", f"to have it so: {command}"])


def reevaluate_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Give existing recovery points the tag and expiry of the instance's policy, as a preview showed it."""
    path = f"{own_path(find_instance(api, options.instance))}/reevaluate"
    answer = api.post(path, {"previewHash": options.preview})
    show_one(answer, planning_views.REEVALUATED, as_json=options.as_json)


def _show_deletions(answer: Json) -> None:
    rows, dropped = dig_list(answer, "deletions"), planning_views.DELETIONS_DROPPED
    show_rows(rows, planning_views.DELETIONS, as_json=False, dropped_first=dropped, empty=NOTHING_DELETED)
    show_lines(planning_views.describe_total(answer))
