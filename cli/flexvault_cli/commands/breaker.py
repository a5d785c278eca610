"""Commands on the breaker of retention."""

import argparse

from flexvault_cli import approval_views
from flexvault_cli.api import VaultApi
from flexvault_cli.output import show_one
from flexvault_cli.wire import Json


def show_breaker(api: VaultApi, options: argparse.Namespace) -> None:
    """Show whether retention waits for a release, and why."""
    show_one(api.get("/vault/breaker"), approval_views.BREAKER, as_json=options.as_json)


def release_breaker(api: VaultApi, options: argparse.Namespace) -> None:
    """Let retention go on with what tripped the breaker; needs a second person."""
    body: Json = {"reason": options.reason} if options.reason else {}
    show_one(api.post("/vault/breaker/release", body), approval_views.BREAKER, as_json=options.as_json)
