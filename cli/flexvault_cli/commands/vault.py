"""Commands on the vault itself and on its settings."""

import argparse

from flexvault_cli import approval_views, views
from flexvault_cli.api import VaultApi
from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.output import show_json, show_lines, show_one, show_rows
from flexvault_cli.wire import Json, dig_list

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
    """Change immutability or soft delete; to weaken one needs a second person, Locked and AlwaysOn stay for ever."""
    final = {
        "Locked": "no recovery point is then deleted before its expiry, whoever asks",
        "AlwaysOn": "a deleted backup instance then stays for its soft delete period, whoever asks",
    }
    for word in (options.immutability, options.soft_delete):
        if word in final and not options.yes:
            raise CliError(
                f"{word} can never be taken back: {final[word]}",
                actions=["give the same command with --yes if that is what you want"],
                exit_code=MISUSED,
            )
    soft = {"state": options.soft_delete, "retentionDurationInDays": options.soft_delete_days}
    wanted = {"immutabilitySettings": {"state": options.immutability}, "softDeleteSettings": soft}
    settings = {name: given for name, members in wanted.items() if (given := _given(members))}
    if not settings:
        raise CliError(
            "nothing to change", actions=["give --immutability, --soft-delete or --soft-delete-days"], exit_code=MISUSED
        )
    show_one(api.patch("", {"properties": {"securitySettings": settings}}), views.VAULT, as_json=options.as_json)


def _given(members: Json) -> Json:
    return {name: value for name, value in members.items() if value is not None}


def guard_vault(api: VaultApi, options: argparse.Namespace) -> None:
    """Show the poisoning guard, or turn it on or off; off needs a second person."""
    state = options.state
    found = api.put(GUARD, {"state": state.capitalize()}) if state else api.get(GUARD)
    show_one(found, approval_views.GUARD, as_json=options.as_json)
