"""The commands that start a backup or a restore."""

import argparse

from flexvault_cli import contents_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.jobs import follow_job
from flexvault_cli.commands.lookup import find_instance, instance_path, policy_path
from flexvault_cli.errors import CliError
from flexvault_cli.output import show_error_lines, show_json, show_lines, show_rows, show_warnings
from flexvault_cli.wire import Json, dig, dig_list


def back_up(api: VaultApi, options: argparse.Namespace) -> None:
    """Start a backup now."""
    instance = find_instance(api, options.instance)
    rule = options.rule or _only_backup_rule(api, instance)
    trigger = {"retentionTagOverride": options.tag} if options.tag else {}
    body = {"backupRuleOptions": {"ruleName": rule, "triggerOption": trigger}}
    follow_job(api, api.post(f"{instance_path(instance)}/backup", body), options)


def restore(api: VaultApi, options: argparse.Namespace) -> None:
    """Check a restore as files into a container, then start it."""
    instance = find_instance(api, options.instance)
    details = {
        "filePrefix": options.prefix,
        "restoreTargetLocationType": "AzureBlobs",
        "url": options.container,
        **({"targetResourceArmId": options.container_id} if options.container_id else {}),
    }
    request = {
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": options.point,
        "sourceDataStoreType": "VaultStore",
        "restoreTargetInfo": {
            "objectType": "RestoreFilesTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": api.get("")["location"],
            "targetDetails": details,
            **({"databases": options.database} if options.database else {}),
        },
    }
    path = instance_path(instance)
    checked = api.post(f"{path}/validateRestore", {"restoreRequestObject": request})
    show_warnings(checked)
    outline: Json = checked.get("restoreOutline") or {}
    if options.check:
        _show_outline(outline, options)
        return
    show_error_lines(contents_views.describe_choice(outline))
    follow_job(api, api.post(f"{path}/restore", request), options)


def _show_outline(outline: Json, options: argparse.Namespace) -> None:
    if options.as_json:
        show_json(outline)
        return
    rows, dropped = dig_list(outline, "databases"), contents_views.OUTLINE_DROPPED
    show_rows(rows, contents_views.OUTLINE, as_json=False, dropped_first=dropped, empty="no database is rebuilt")
    show_lines(contents_views.describe_outline(outline))


def _only_backup_rule(api: VaultApi, instance: Json) -> str:
    policy = api.get(policy_path(views.last_segment(dig(instance, "properties.policyInfo.policyId"))))
    names = [str(rule["name"]) for rule in views.find_rules(policy, "AzureBackupRule")]
    if len(names) == 1:
        return names[0]
    raise CliError(f"the policy has {len(names)} backup rules", actions=[f"give one with --rule: {', '.join(names)}"])
