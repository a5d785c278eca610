"""Commands on legal holds."""

import argparse
from urllib.parse import quote

from flexvault_cli import approval_views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, own_path
from flexvault_cli.errors import CliError
from flexvault_cli.output import show_one, show_progress, show_rows
from flexvault_cli.wire import Json


def list_holds(api: VaultApi, options: argparse.Namespace) -> None:
    """List the holds on an instance and on its recovery points."""
    rows, dropped = api.list_all(_path(api, options)), approval_views.HOLDS_DROPPED
    show_rows(rows, approval_views.HOLDS, as_json=options.as_json, dropped_first=dropped)


def place_hold(api: VaultApi, options: argparse.Namespace) -> None:
    """Keep an instance's recovery points, or one of them, until the hold is released."""
    body: Json = {"reason": options.reason, **({"recoveryPointId": options.point} if options.point else {})}
    hold = api.put(f"{_path(api, options)}/{quote(options.name, safe='')}", body)
    show_one(hold, approval_views.HOLDS, as_json=options.as_json)


def release_hold(api: VaultApi, options: argparse.Namespace) -> None:
    """Release a hold; needs a second person."""
    was_there = api.delete(f"{_path(api, options)}/{quote(options.name, safe='')}")
    if not was_there:
        text = f"backup instance {options.instance} has no hold {options.name}"
        raise CliError(text, actions=[f"flexvault hold list {options.instance}"])
    show_progress(f"hold {options.name} is released")


def _path(api: VaultApi, options: argparse.Namespace) -> str:
    return f"{own_path(find_instance(api, options.instance))}/holds"
