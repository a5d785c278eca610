"""The commands on the vault itself."""

import argparse

from flexvault_cli import views
from flexvault_cli.api import VaultApi
from flexvault_cli.output import show_one


def show_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the vault."""
    show_one(api.get(""), views.VAULT, as_json=options.as_json)


def show_isolation(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what keeps the vault apart from its sources, and what does not."""
    show_one(api.get("/vault/isolation"), views.ISOLATION, as_json=options.as_json)
