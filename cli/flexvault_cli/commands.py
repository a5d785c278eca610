"""What each command does: requests in the order in which Azure's own clients send them."""

import argparse
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from flexvault_cli import views
from flexvault_cli.api import VaultApi
from flexvault_cli.errors import INTERRUPTED, MISUSED, CliError, read_failure
from flexvault_cli.output import show_one, show_progress, show_rows
from flexvault_cli.wire import Json, dig, dig_list

type Command = Callable[[VaultApi, argparse.Namespace], None]

SERVER_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
SERVER_HINT = f"give /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/{SERVER_TYPE}/NAME"
POLICY_HINT = "cli/README.md shows a whole policy"
GOOD_ENDS = {"Completed", "CompletedWithWarnings"}


def show_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the vault."""
    show_one(api.get(""), views.VAULT, as_json=options.as_json)


def list_policies(api: VaultApi, options: argparse.Namespace) -> None:
    """List the policies."""
    show_rows(api.list_all("backupPolicies"), views.POLICIES, as_json=options.as_json)


def show_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one policy."""
    show_one(api.get(_policy_path(options.name)), views.POLICIES, as_json=options.as_json)


def set_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Create or replace a policy from a JSON file: a policy resource, or its properties alone."""
    document = _read_object(options.file)
    name = options.name or document.get("name") or Path(options.file).stem
    if not isinstance(name, str):
        raise CliError(f"the member name of {options.file} is no text", actions=["give --name"], exit_code=MISUSED)
    properties = document.get("properties") or {key: value for key, value in document.items() if key != "name"}
    policy = api.put(_policy_path(name), {"properties": properties})
    show_one(policy, views.POLICIES, as_json=options.as_json)


def delete_policy(api: VaultApi, options: argparse.Namespace) -> None:
    """Delete a policy that no instance uses."""
    was_there = api.delete(_policy_path(options.name))
    show_progress(f"policy {options.name} is deleted" if was_there else f"there was no policy {options.name}")


def list_instances(api: VaultApi, options: argparse.Namespace) -> None:
    """List the backup instances."""
    rows = api.list_all("backupInstances")
    show_rows(rows, views.INSTANCES, as_json=options.as_json, dropped_first=views.INSTANCES_DROPPED)


def show_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one backup instance."""
    show_one(_find_instance(api, options.instance), views.INSTANCE, as_json=options.as_json)


def protect_server(api: VaultApi, options: argparse.Namespace) -> None:
    """Configure a server's backup under a policy: a new server, another policy, or again what failed."""
    server_id = _server_id(api, options.server_id)
    properties = _instance_properties(api, server_id, options.policy)
    server = properties["friendlyName"]
    # Derived from the server, so that the same command again means the same instance.
    guid = uuid.uuid5(uuid.NAMESPACE_URL, server_id.lower())
    path = f"backupInstances/{quote(options.name or f'{server}-{server}-{guid}', safe='')}"
    # validateForBackup names no instance: it would count the instance's own protection against it.
    if api.find(path) is None:
        api.post("validateForBackup", {"backupInstance": properties})
    instance = api.put(path, {"properties": properties})
    show_one(instance, views.INSTANCE, as_json=options.as_json)
    if dig(instance, "properties.currentProtectionState") == "ConfiguringProtectionFailed":
        raise read_failure(dig(instance, "properties.protectionErrorDetails") or {})


def back_up(api: VaultApi, options: argparse.Namespace) -> None:
    """Start a backup now."""
    instance = _find_instance(api, options.instance)
    rule = options.rule or _only_backup_rule(api, instance)
    trigger = {"retentionTagOverride": options.tag} if options.tag else {}
    body = {"backupRuleOptions": {"ruleName": rule, "triggerOption": trigger}}
    _follow_job(api, api.post(f"{_instance_path(instance)}/backup", body), options)


def list_jobs(api: VaultApi, options: argparse.Namespace) -> None:
    """List the jobs."""
    rows = api.list_all("backupJobs")
    show_rows(rows, views.JOBS, as_json=options.as_json, dropped_first=views.JOBS_DROPPED)


def show_job(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one job, at once or when it has ended."""
    _report_job(api, views.last_segment(options.job), options, wait=options.wait)


def list_points(api: VaultApi, options: argparse.Namespace) -> None:
    """List the recovery points of an instance."""
    rows = api.list_all(f"{_instance_path(_find_instance(api, options.instance))}/recoveryPoints")
    show_rows(rows, views.POINTS, as_json=options.as_json, dropped_first=views.POINTS_DROPPED)


def show_point(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one recovery point."""
    path = f"{_instance_path(_find_instance(api, options.instance))}/recoveryPoints/{quote(options.point, safe='')}"
    show_one(api.get(path), views.POINT, as_json=options.as_json)


def restore(api: VaultApi, options: argparse.Namespace) -> None:
    """Validate a restore as files into a container, then start it."""
    instance = _find_instance(api, options.instance)
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
        },
    }
    path = _instance_path(instance)
    api.post(f"{path}/validateRestore", {"restoreRequestObject": request})
    _follow_job(api, api.post(f"{path}/restore", request), options)


def _read_object(file: str) -> Json:
    try:
        document: Any = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise CliError(f"cannot read {file}: {error.strerror}", exit_code=MISUSED) from error
    except ValueError as error:
        raise CliError(f"{file} is no JSON: {error}", actions=[POLICY_HINT], exit_code=MISUSED) from error
    if not isinstance(document, dict):
        raise CliError(f"{file} holds no JSON object", actions=[POLICY_HINT], exit_code=MISUSED)
    return cast("Json", document)


def _server_id(api: VaultApi, given: str) -> str:
    """Answer a server's resource id: given as such, or by the name that a local cloud's endpoints file has for it."""
    server_id = "/" + api.connection.servers.get(given, given).strip("/")
    if server_id.lower().startswith("/subscriptions/"):
        return server_id
    known = [f"{name} is {resource_id}" for name, resource_id in api.connection.servers.items()]
    raise CliError(f"'{given}' is no resource id of a server", actions=known or [SERVER_HINT], exit_code=MISUSED)


def _instance_properties(api: VaultApi, server_id: str, policy: str) -> Json:
    server = views.last_segment(server_id)
    source = {
        "objectType": "Datasource",
        "resourceID": server_id,
        "resourceName": server,
        "resourceType": SERVER_TYPE,
        "datasourceType": SERVER_TYPE,
        "resourceLocation": api.get("")["location"],
        "resourceUri": "",
    }
    return {
        "objectType": "BackupInstance",
        "friendlyName": server,
        "dataSourceInfo": source,
        "policyInfo": {"policyId": f"{api.connection.vault_id}/{_policy_path(policy)}"},
    }


def _policy_path(name: str) -> str:
    return f"backupPolicies/{quote(name, safe='')}"


def _instance_path(instance: Json) -> str:
    return f"backupInstances/{quote(instance['name'], safe='')}"


def _find_instance(api: VaultApi, wanted: str) -> Json:
    """Find an instance by its own name, or by its server's name while only one instance has it."""
    instances = api.list_all("backupInstances")
    by_name = [found for found in instances if str(found["name"]).lower() == wanted.lower()]
    by_server = [found for found in instances if str(dig(found, "properties.friendlyName")).lower() == wanted.lower()]
    matches = by_name or by_server
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise CliError(f"no backup instance is called {wanted}", actions=["see: flexvault instance list"])
    names = ", ".join(str(found["name"]) for found in matches)
    raise CliError(f"several backup instances protect {wanted}", actions=[f"give the name of one: {names}"])


def _only_backup_rule(api: VaultApi, instance: Json) -> str:
    policy = api.get(_policy_path(views.last_segment(dig(instance, "properties.policyInfo.policyId"))))
    names = [str(rule["name"]) for rule in views.find_rules(policy, "AzureBackupRule")]
    if len(names) == 1:
        return names[0]
    raise CliError(f"the policy has {len(names)} backup rules", actions=[f"give one with --rule: {', '.join(names)}"])


def _follow_job(api: VaultApi, answer: Json, options: argparse.Namespace) -> None:
    job_id = views.last_segment(answer.get("jobId"))
    if not job_id:
        raise CliError("the vault accepted the request and named no job", actions=["see: flexvault job list"])
    _report_job(api, job_id, options, wait=options.wait)


def _report_job(api: VaultApi, job_id: str, options: argparse.Namespace, *, wait: bool) -> None:
    """Show a job; the last look decides how the command ends."""
    seen = ""
    job: Json = {}
    try:
        for job in api.watch_job(job_id):
            if not wait:
                break
            line = "; ".join([f"job {job_id}: {dig(job, 'properties.status')}", *views.describe_job_tasks(job)])
            if line != seen:
                show_progress(line)
                seen = line
    except KeyboardInterrupt:
        again = f"flexvault job show {job_id} --wait"
        raise CliError(f"interrupted; job {job_id} goes on", actions=[f"see: {again}"], exit_code=INTERRUPTED) from None
    show_one(job, views.JOB, as_json=options.as_json)
    if wait and dig(job, "properties.status") not in GOOD_ENDS:
        errors = dig_list(job, "properties.errorDetails")
        raise read_failure(errors[0] if errors else {"message": f"job {job_id} is {dig(job, 'properties.status')}"})
