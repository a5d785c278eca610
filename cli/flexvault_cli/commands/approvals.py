"""Commands on approvals of critical changes."""

import argparse
from urllib.parse import quote, urlencode

from flexvault_cli import approval_views
from flexvault_cli.api import VaultApi
from flexvault_cli.output import show_one, show_rows
from flexvault_cli.wire import Json

APPROVALS = "/vault/approvals"


def list_approvals(api: VaultApi, options: argparse.Namespace) -> None:
    """List the approvals, newest first."""
    query = f"?{urlencode({'state': options.state})}" if options.state else ""
    rows, dropped = api.list_all(APPROVALS + query), approval_views.APPROVALS_DROPPED
    show_rows(rows, approval_views.APPROVALS, as_json=options.as_json, dropped_first=dropped)


def show_approval(api: VaultApi, options: argparse.Namespace) -> None:
    """Show who asks for what, why it is critical, and what it would change."""
    show_one(api.get(_path(options.approval)), approval_views.APPROVAL, as_json=options.as_json)


def approve(api: VaultApi, options: argparse.Namespace) -> None:
    """Approve a change that somebody else asked for; the author may then make it, once."""
    _decide(api, "approve", options)


def reject(api: VaultApi, options: argparse.Namespace) -> None:
    """Reject a change."""
    _decide(api, "reject", options)


def _decide(api: VaultApi, verb: str, options: argparse.Namespace) -> None:
    body: Json = {"reason": options.reason} if options.reason else {}
    answer = api.post(f"{_path(options.approval)}/{verb}", body)
    show_one(answer, approval_views.APPROVAL, as_json=options.as_json)


def _path(approval: str) -> str:
    return f"{APPROVALS}/{quote(approval, safe='')}"
