"""Commands that show what retention will delete, and put recovery points under a changed policy."""

import argparse

from flexvault_cli import planning_views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, find_policy, own_path
from flexvault_cli.output import show_json, show_lines, show_one, show_rows
from flexvault_cli.wire import Json, dig_list

NOTHING_DELETED = "nothing would be deleted"


def preview_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what will be deleted of an instance, when and why; with a policy, what that one would change."""
    instance = find_instance(api, options.instance)
    request: Json = {"backupInstance": instance["name"]}
    if options.policy:
        request["policy"] = find_policy(api, options.policy)
    if options.until:
        request["until"] = options.until
    answer = api.post("/vault/retentionPreview", request)
    if options.as_json:
        show_json(answer)
        return
    _show_deletions(answer)
    other: Json | None = answer.get("otherPolicy")
    if other is None:
        return
    show_lines(["", f"under {options.policy}:"])
    _show_deletions(other)
    show_lines(["", f"what {options.policy} would change at existing recovery points:"])
    changes = dig_list(other, "changes")
    dropped = planning_views.CHANGES_DROPPED
    show_rows(changes, planning_views.CHANGES, as_json=False, dropped_first=dropped, empty="nothing")
    if changes and other.get("previewHash"):
        command = f"flexvault instance reevaluate {instance['name']} --preview {other['previewHash']}"
        show_lines(["", f"once the instance is under this policy, that is done by: {command}"])


def reevaluate_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Give existing recovery points the tag and expiry of the instance's policy, as a preview showed it."""
    path = f"{own_path(find_instance(api, options.instance))}/reevaluate"
    answer = api.post(path, {"previewHash": options.preview})
    show_one(answer, planning_views.REEVALUATED, as_json=options.as_json)


def _show_deletions(answer: Json) -> None:
    rows, dropped = dig_list(answer, "deletions"), planning_views.DELETIONS_DROPPED
    show_rows(rows, planning_views.DELETIONS, as_json=False, dropped_first=dropped, empty=NOTHING_DELETED)
    show_lines(planning_views.describe_total(answer))
