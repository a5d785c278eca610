"""The event of refused calls: who came, from where, to what, and what was missing; it changes only its own row."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_rows import batch_of, config_target, is_older, put
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry


def refusals_target() -> Target:
    """Answer the row that names the newest entry of refused calls; it is not there before the first one."""
    return config_target(row_keys.REFUSALS)


def _refused(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = refusals_target()
    row = rows[target]
    if not is_older(row, entry):
        return ()
    values = {"refused_at": entry.at, "refused_event_id": entry.event_id, "journal_seq": entry.seq}
    return (batch_of(target, put(target, row, values)),)


def _targets(_stream: str, _body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (refusals_target(),)


ACCESS_EVENTS = (EventType(name="AccessRefused", done_member="refused_event_id", targets=_targets, project=_refused),)
