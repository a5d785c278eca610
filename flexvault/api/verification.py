"""Verify the vault from its storage: page by page, because a large vault takes longer than one call may."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flexvault.api import shapes
from flexvault.api.call import Answer, Call
from flexvault.api.finding_views import show_findings
from flexvault.api.instances import body_references, find_by_name_or_id
from flexvault.api.times import plain_time
from flexvault.domain import blob_names
from flexvault.domain.errors import NotFoundError
from flexvault.domain.mistakes import Mistakes
from flexvault.services.journal import list_heads
from flexvault.services.verify_page import Order, Page, Report, StreamEvidence
from flexvault.services.verify_vault import verify_vault

LONGEST_PAGE = timedelta(seconds=60)
"""Azure's front end drops a call after 230 s, the command line waits 100 s; the last step may still take a while."""


def verify(call: Call) -> Answer:
    """Answer what is not as it was recorded, and how far that is proven; `continueFrom` says where to go on."""
    order = _read_order(call)
    as_of = call.vault.ports.clock.storage_now()
    report = verify_vault(call.vault.ports.vault_reader, order, _is_spent(call))
    page = report.page
    return Answer(
        body={
            "verdict": report.verdict.value,
            "asOf": plain_time(as_of),
            "deep": order.is_deep,
            "findings": show_findings(report.findings),
            "notChecked": [{"subject": found.subject, "reason": found.reason} for found in page.not_checked],
            "checked": _show_counts(page),
            "evidence": _show_evidence(report),
            "continueFrom": report.continue_from or None,
        }
    )


def _read_order(call: Call) -> Order:
    body: Mapping[str, Any] = call.body(shapes.VERIFY) if call.request.body.strip() else {}
    mistakes = Mistakes()
    is_deep, texts = body.get("deep", False), {name: body.get(name, "") for name in ("instance", "continueFrom")}
    if not isinstance(is_deep, bool):
        mistakes.wrong("deep", "must be true or false")
    for name, value in texts.items():
        if not isinstance(value, str):
            mistakes.wrong(name, "is not a text")
    mistakes.finish("verification")
    # The tables' say is read before the journal, which is never behind them.
    heads = list_heads(call.vault.ports)
    instance = _find_key(call, texts["instance"]) if texts["instance"] else ""
    return Order(is_deep=bool(is_deep), instance=instance, continue_from=texts["continueFrom"], heads=heads)


def _find_key(call: Call, name: str) -> str:
    """Answer an instance's key; the key itself serves where its rows are lost."""
    try:
        return find_by_name_or_id(call, name).key
    except NotFoundError:
        if blob_names.is_stream(name):
            return name
        with body_references():
            raise


def _is_spent(call: Call) -> Callable[[], bool]:
    clock = call.vault.ports.clock
    until = clock.host_now() + LONGEST_PAGE
    return lambda: clock.host_now() >= until


def _show_counts(page: Page) -> dict[str, int]:
    counts = page.counts
    return {
        "streams": counts.streams,
        "journalEntries": counts.entries,
        "roots": counts.roots,
        "recoveryPoints": counts.points,
        "recoveryPointsBeingDeletedOrGone": counts.deleting,
        "files": counts.files,
        "blocks": counts.blocks,
        "bytesRead": counts.bytes_read,
    }


def _show_evidence(report: Report) -> dict[str, Any]:
    newest = report.page.newest
    root = {"date": newest.day.isoformat(), "sha256": newest.hash} if newest else None
    held = (
        f"entries up to coveredByRoot of a stream are held by the root of {newest.day} and those before it, too: none "
        "of them can be changed or removed unseen while that root stands"
        if newest
        else "there is no root yet"
    )
    later = (
        "later entries are covered by their chain alone: the last ones of a stream can be removed unseen, unless a "
        "manifest or the app's tables (which were asked) still name them, until the next root holds them"
    )
    return {
        "newestRoot": root,
        "reach": f"{held}; {later}",
        "streams": [_show_stream(one) for one in report.page.streams],
    }


def _show_stream(stream: StreamEvidence) -> dict[str, Any]:
    return {
        "stream": stream.stream,
        "lastEntry": stream.last,
        "lastEntrySha256": stream.last_hash or None,
        "coveredByRoot": stream.covered_by_root,
        "firstBrokenLink": stream.first_break or None,
    }
