"""The command on the journal."""

import argparse
from urllib.parse import urlencode

from flexvault_cli import journal_views
from flexvault_cli.api import VaultApi
from flexvault_cli.commands.lookup import find_any_name
from flexvault_cli.output import show_rows

JOURNAL = "/vault/journal"
LARGEST_PAGE = 100


def list_journal(api: VaultApi, options: argparse.Namespace) -> None:
    """Show who did what, newest first: entries of the journal."""
    asked = {"type": options.type, "$top": str(min(options.limit, LARGEST_PAGE))}
    if options.instance:
        asked["instance"] = find_any_name(api, options.instance)
    query = urlencode({name: value for name, value in asked.items() if value})
    rows = api.list_some(f"{JOURNAL}?{query}", options.limit)
    show_rows(rows, journal_views.ENTRIES, as_json=options.as_json, dropped_first=journal_views.ENTRIES_DROPPED)
