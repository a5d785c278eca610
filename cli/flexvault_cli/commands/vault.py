"""Commands on the vault itself and on its settings."""

import argparse

from flexvault_cli import approval_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.output import show_json, show_lines, show_one, show_rows
from flexvault_cli.wire import dig_list

GUARD = "/vault/poisoningGuard"


def show_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the vault."""
    show_one(api.get(""), views.VAULT, as_json=options.as_json)


def revoke_keys(api: VaultApi, options: argparse.Namespace) -> None:
    """In an emergency: journal why every SAS of an account is to be revoked, and print the owner's command for it."""
    body = {"account": options.account, "reason": options.reason}
    answer = api.post("/vault/emergency/revokeKeys", body)
    if options.as_json:
        show_json(answer)
        return
    empty = f"no job uses a SAS of account {answer['accountName']} now"
    show_rows(dig_list(answer, "jobs"), views.KILLED, as_json=False, empty=empty)
    show_lines(
        ["", f"nothing is revoked yet; the owner of account {answer['accountName']} runs:", str(answer["command"])]
    )


def show_isolation(api: VaultApi, options: argparse.Namespace) -> None:
    """Show what keeps the vault apart from its sources, and what does not."""
    show_one(api.get("/vault/isolation"), views.ISOLATION, as_json=options.as_json)


def set_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Change the vault's immutability; to disable it needs a second person, and Locked can never be taken back."""
    if options.immutability == "Locked" and not options.yes:
        raise CliError(
            "Locked can never be taken back: no recovery point is then deleted before its expiry, whoever asks",
            actions=["give the same command with --yes if that is what you want"],
            exit_code=MISUSED,
        )
    body = {"properties": {"securitySettings": {"immutabilitySettings": {"state": options.immutability}}}}
    show_one(api.patch("", body), views.VAULT, as_json=options.as_json)


def guard_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the poisoning guard, or turn it on or off; off needs a second person."""
    state = options.state
    found = api.put(GUARD, {"state": state.capitalize()}) if state else api.get(GUARD)
    show_one(found, approval_views.GUARD, as_json=options.as_json)
