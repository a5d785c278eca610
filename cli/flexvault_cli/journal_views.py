"""What the table shows of the journal."""

from flexvault_cli.output import Columns
from flexvault_cli.views import member, moment
from flexvault_cli.wire import Json, dig

WHAT = ("code", "name", "hold", "account", "decision", "operation", "status")
"""Members of a body that say in a word what it is about, the most telling first."""


def _who(entry: Json) -> object:
    return dig(entry, "actor.name") or dig(entry, "actor.oid") or "the vault"


def _what(entry: Json) -> object:
    if entry.get("problem"):
        return entry["problem"]
    if entry.get("type") == "JobClosed":
        return f"{dig(entry, 'body.operation')} {dig(entry, 'body.status')}"
    told = [dig(entry, f"body.{name}") for name in WHAT]
    return next((word for word in told if isinstance(word, str) and word), "")


ENTRIES: Columns = {
    "seq": member("seq"),
    "at": moment("at"),
    "type": lambda entry: entry.get("type") or "unreadable",
    "by": _who,
    "instance": member("backupInstance"),
    "what": _what,
}
ENTRIES_DROPPED = ("seq", "what")
