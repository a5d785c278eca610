"""The command on the vault itself."""

import argparse

from flexvault_cli import views
from flexvault_cli.api import VaultApi
from flexvault_cli.output import show_one


def show_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the vault."""
    show_one(api.get(""), views.VAULT, as_json=options.as_json)
