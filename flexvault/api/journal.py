"""Operation on the journal: who did what, as it is stored."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from flexvault.api.call import Answer, Call
from flexvault.api.pages import read_page, write_token
from flexvault.api.people import show_person
from flexvault.api.times import wire_time
from flexvault.domain import blob_names, names
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.events import EVENT_TYPES
from flexvault.services.catalog import find_instance_row
from flexvault.services.journal_pages import StoredEntry, has_stream, read_journal_page

_KEPT = ("instance", "type", "$top")


def list_journal(call: Call) -> Answer:
    """List the entries of a stream of the journal, newest first."""
    page = read_page(call, _PLACE)
    kind = _read_type(call.query.get("type", ""))
    stream = _read_stream(call, call.query.get("instance", ""))
    before = int(page.after) if page.after else 0
    found = read_journal_page(call.vault.ports, stream, before=before, size=page.size, kind=kind)
    name_of = _names_of(call)
    body: dict[str, Any] = {"value": [_show(stream, one, name_of) for one in found.entries]}
    if found.continue_before > 1:
        kept = {name: call.query[name] for name in _KEPT if call.query.get(name)}
        token = write_token(f"{found.continue_before:012d}")
        body["nextLink"] = call.links.to(call.path, {**kept, "$skipToken": token})
    return Answer(body=body)


def _read_type(text: str) -> str:
    """Answer a type as entries have it, from any case; empty for all."""
    if not text:
        return ""
    for known in EVENT_TYPES:
        if known.lower() == text.lower():
            return known
    raise InvalidInputError(
        f"'{text[:100]}' is no type of an entry of the journal",
        target="type",
        hint=f"send one of {', '.join(sorted(EVENT_TYPES))}, or leave it out",
    )


def _read_stream(call: Call, instance: str) -> str:
    """Answer the stream of an instance that is named by name, id or stream; the vault's own without one.

    An instance that was deleted still has its stream.

    Raises:
        InvalidInputError: code UserErrorGenericResourceNotFound: there is and was none.
    """
    if not instance:
        return blob_names.VAULT_STREAM
    if blob_names.is_stream(instance.lower()) and has_stream(call.vault.ports, instance.lower()):
        return instance.lower()
    prefix = call.ids.instance("").lower()
    plain = instance[len(prefix) :].rstrip("/") if instance.lower().startswith(prefix) else instance
    stream = names.instance_key(call.ids.instance(plain))
    if find_instance_row(call.vault.ports, stream) is None and not has_stream(call.vault.ports, stream):
        raise InvalidInputError(
            f"the vault has, and had, no backup instance '{plain[:260]}'",
            code="UserErrorGenericResourceNotFound",
            target="instance",
            hint="name a backup instance, also one that was deleted, or leave it out for the vault's own stream",
        )
    return stream


def _names_of(call: Call) -> Callable[[str], str | None]:
    """Answer what finds the name of an instance by its stream, each once."""

    @cache
    def find(stream: str) -> str | None:
        row = find_instance_row(call.vault.ports, stream) if stream != blob_names.VAULT_STREAM else None
        return None if row is None else str(row.values.get("instance_name", "")) or None

    return find


def _show(stream: str, stored: StoredEntry, name_of: Callable[[str], str | None]) -> dict[str, Any]:
    entry = stored.entry
    about = stream if entry is None else str(entry.body.get("instance") or stream)
    return {
        "seq": stored.seq,
        "stream": stream,
        "backupInstance": name_of(about) if blob_names.is_stream(about) else None,
        "type": None if entry is None else entry.type,
        "at": None if entry is None else wire_time(entry.at),
        "actor": None if entry is None or not entry.actor else show_person(entry.actor),
        "body": None if entry is None else dict(entry.body),
        "sha256": stored.sha256 or None,
        "previousSha256": None if entry is None else entry.previous_hash or None,
        "problem": stored.problem or None,
    }


_PLACE = re.compile(r"[0-9]{12}")
