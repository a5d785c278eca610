"""Operations on the vault itself."""

from flexvault.api.call import Answer, Call
from flexvault.api.views import show_vault


def get_alive(_call: Call) -> Answer:
    """Say that the app answers; nothing is read and nothing is told."""
    return Answer(body={"status": "alive"})


def get_vault(call: Call) -> Answer:
    """Show the vault."""
    shown = show_vault(call.ids)
    return Answer(body=shown, etag=shown["eTag"])
