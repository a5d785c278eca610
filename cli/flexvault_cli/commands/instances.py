"""Commands on backup instances: protect a server, stop, resume, delete."""

import argparse
import uuid
from http import HTTPStatus
from urllib.parse import quote

from flexvault_cli import planning_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, find_undeletable, instance_path, own_path, policy_path
from flexvault_cli.errors import INTERRUPTED, MISUSED, CliError, read_failure
from flexvault_cli.output import show_one, show_progress, show_rows, show_warnings
from flexvault_cli.wire import Json, dig

SERVER_TYPE = "Microsoft.DBforPostgreSQL/flexibleServers"
SERVER_HINT = f"give /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/{SERVER_TYPE}/NAME"
STOPPING = {"forever": "stopProtection", "as-policy": "suspendBackups"}


def list_instances(api: VaultApi, options: argparse.Namespace) -> None:
    """List the backup instances."""
    rows = api.list_all("backupInstances")
    show_rows(rows, views.INSTANCES, as_json=options.as_json, dropped_first=views.INSTANCES_DROPPED)


def show_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one backup instance."""
    # The list does not say what stands in the way: only the instance itself does.
    instance = api.get(instance_path(find_instance(api, options.instance)))
    poisoning = api.find(f"{own_path(instance)}/poisoning")
    shown = instance if poisoning is None else {**instance, "poisoning": poisoning}
    show_one(shown, views.INSTANCE, as_json=options.as_json)


def protect_server(api: VaultApi, options: argparse.Namespace) -> None:
    """Configure a server's backup under a policy: a new server, another policy, or again what failed."""
    server_id = read_server_id(api, options.server_id)
    properties = _instance_properties(api, server_id, options.policy)
    server = properties["friendlyName"]
    # Derived from the server, so that the same command again means the same instance.
    guid = uuid.uuid5(uuid.NAMESPACE_URL, server_id.lower())
    path = f"backupInstances/{quote(options.name or f'{server}-{server}-{guid}', safe='')}"
    # validateForBackup names no instance: it would count the instance's own protection against it.
    if api.find(path) is None:
        show_warnings(api.post("validateForBackup", {"backupInstance": properties}))
    instance = api.put(path, {"properties": properties})
    show_one(instance, views.INSTANCE, as_json=options.as_json)
    if dig(instance, "properties.currentProtectionState") == "ConfiguringProtectionFailed":
        raise read_failure(dig(instance, "properties.protectionErrorDetails") or {})


def stop_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """End the backups of a server; what exists is kept for ever, or as long as the policy says."""
    _change_protection(api, find_instance(api, options.instance), STOPPING[options.keep], options)


def resume_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Go on with backups; recovery points expire again as the policy says."""
    instance = find_instance(api, options.instance)
    is_stopped = dig(instance, "properties.currentProtectionState") == "ProtectionStopped"
    _change_protection(api, instance, "resumeProtection" if is_stopped else "resumeBackups", options)


def delete_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Delete a backup instance with all its recovery points: softly, or waiting until they are gone."""
    instance = find_instance(api, options.instance)
    name = instance["name"]
    waiting = f"waiting until {name} is deleted; Ctrl-C ends the waiting, not the deletion"
    try:
        was_there = api.delete(instance_path(instance), lambda: show_progress(waiting))
    except KeyboardInterrupt:
        raise CliError(
            f"interrupted; if the deletion of {name} was started, it goes on",
            actions=["see: flexvault instance list"],
            exit_code=INTERRUPTED,
        ) from None
    if not was_there:
        show_progress(f"there was no {name}")
        return
    show_progress(_tell_left(api, instance) or f"{name} is deleted with its recovery points")


def list_deleted(api: VaultApi, options: argparse.Namespace) -> None:
    """List the soft-deleted backup instances, and when their data will be gone."""
    rows = api.list_all("deletedBackupInstances")
    show_rows(rows, views.DELETED_INSTANCES, as_json=options.as_json, dropped_first=views.DELETED_DROPPED)


def undelete_instance(api: VaultApi, options: argparse.Namespace) -> None:
    """Take a soft deletion back: protection is stopped then, and all recovery points are retained.

    The same again, when the answer was lost, answers the instance as it is.
    """
    instance = find_undeletable(api, options.instance)
    api.post(f"deletedBackupInstances/{quote(instance['name'], safe='')}/undelete", {})
    show_one(api.get(instance_path(instance)), views.INSTANCE, as_json=options.as_json)


def _tell_left(api: VaultApi, instance: Json) -> str:
    """Answer what storage still keeps of a deleted instance, or nothing when it is gone."""
    try:
        left = api.get(instance_path(instance))
    except CliError as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return ""
        raise
    message = dig(left, "properties.protectionErrorDetails.message")
    if dig(left, "properties.currentProtectionState") == "SoftDeleted":
        return f"{instance['name']}: {message}; to take it back: flexvault instance undelete {instance['name']}"
    return f"{instance['name']} is being deleted: {message or 'see flexvault instance show'}"


def show_schedule(api: VaultApi, options: argparse.Namespace) -> None:
    """Show when the next backup is due, and which were missed."""
    schedule = api.get(f"{own_path(find_instance(api, options.instance))}/schedule")
    show_one(schedule, planning_views.SCHEDULE, as_json=options.as_json)


def _change_protection(api: VaultApi, instance: Json, verb: str, options: argparse.Namespace) -> None:
    path = instance_path(instance)
    api.post(f"{path}/{verb}", {})
    show_one(api.get(path), views.INSTANCE, as_json=options.as_json)


def read_server_id(api: VaultApi, given: str) -> str:
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
        "policyInfo": {"policyId": f"{api.connection.vault_id}/{policy_path(policy)}"},
    }
