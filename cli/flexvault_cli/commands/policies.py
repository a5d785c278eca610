"""Commands on policies."""

import argparse
import json
from pathlib import Path

from flexvault_cli import planning_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.apply.comparing import find_differences
from flexvault_cli.apply.folder import Kind
from flexvault_cli.commands.lookup import find_policy, policy_path, read_policy
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.output import show_error_lines, show_json, show_lines, show_one, show_progress, show_rows
from flexvault_cli.wire import Json


def list_policies(api: VaultApi, options: argparse.Namespace) -> None:
    """List the policies."""
    show_rows(api.list_all("backupPolicies"), views.POLICIES, as_json=options.as_json)


def show_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one policy."""
    show_one(api.get(policy_path(options.name)), views.POLICY, as_json=options.as_json)


def set_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Create or replace a policy from a JSON file: a policy resource, or its properties alone."""
    own_name, properties = read_policy(options.file)
    name = options.name or own_name or Path(options.file).stem
    if not isinstance(name, str):
        raise CliError(f"the member name of {options.file} is no text", actions=["give --name"], exit_code=MISUSED)
    before, _ = api.find_version(policy_path(name))
    policy = api.put(policy_path(name), {"properties": properties})
    show_one(policy, views.POLICY, as_json=options.as_json)
    show_error_lines([*_describe_change(before or {}, policy), *planning_views.describe_warnings(policy)])


def _describe_change(before: Json, after: Json) -> list[str]:
    """Name what of a policy that was there is otherwise now: what the file left out is gone."""
    old: Json = before.get("properties") or {}
    new: Json = after.get("properties") or {}
    lines = [f"changed: {line}" for line in find_differences(Kind.POLICY, old, new)] if before else []
    lost = old.get("deepVerification")
    if lost and not new.get("deepVerification"):
        member = json.dumps({"deepVerification": lost})[1:-1]
        lines.append(f"warning: deep verification is off now; to have it on, add {member} to the properties")
    return lines


def delete_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Delete a policy that no instance uses."""
    was_there = api.delete(policy_path(options.name))
    show_progress(f"policy {options.name} is deleted" if was_there else f"there was no policy {options.name}")


def simulate_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what a policy would create and keep over years; the vault changes nothing."""
    given = {
        "from": options.begin,
        "until": options.until,
        "years": options.years,
        "failures": options.failures,
        "serverSizeBytes": options.size,
        "growthPerYear": options.growth,
    }
    request = {name: value for name, value in given.items() if value is not None}
    answer = api.post("/vault/simulatePolicy", {"policy": find_policy(api, options.policy), **request})
    if options.as_json:
        show_json(answer)
        return
    show_rows(
        planning_views.count_by_tag(answer), planning_views.TAGS, as_json=False, empty="no recovery points are created"
    )
    show_lines([""])
    columns = planning_views.STORED_PERIODS if answer.get("storageBytesByMonth") else planning_views.PERIODS
    show_rows(planning_views.list_periods(answer), columns, as_json=False)
    show_lines(planning_views.describe_warnings(answer))
