"""Commands on backups that may be poisoned: what was lost, and that it is known."""

import argparse

from flexvault_cli import approval_views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, own_path
from flexvault_cli.output import show_one


def show_poisoning(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what backups of an instance lost, and whether expiry waits for somebody to acknowledge it."""
    path = f"{own_path(find_instance(api, options.instance))}/poisoning"
    show_one(api.get(path), approval_views.POISONING, as_json=options.as_json)


def acknowledge_poisoning(api: VaultApi, options: argparse.Namespace) -> None:
    """Let recovery points expire again although backups lost much; needs a second person."""
    path = f"{own_path(find_instance(api, options.instance))}/acknowledgePoisoning"
    show_one(api.post(path, {"reason": options.reason}), approval_views.POISONING, as_json=options.as_json)
