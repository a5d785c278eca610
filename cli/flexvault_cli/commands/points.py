"""Commands on recovery points."""

import argparse
from urllib.parse import quote

from flexvault_cli import views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_instance, instance_path
from flexvault_cli.output import show_one, show_rows


def list_points(api: VaultApi, options: argparse.Namespace) -> None:
    """List the recovery points of an instance."""
    rows = api.list_all(f"{instance_path(find_instance(api, options.instance))}/recoveryPoints")
    show_rows(rows, views.POINTS, as_json=options.as_json, dropped_first=views.POINTS_DROPPED)


def show_point(api: VaultApi, options: argparse.Namespace) -> None:
    """Show one recovery point."""
    path = f"{instance_path(find_instance(api, options.instance))}/recoveryPoints/{quote(options.point, safe='')}"
    show_one(api.get(path), views.POINT, as_json=options.as_json)
