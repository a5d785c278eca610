"""The events of an emergency: what a person was about to do to the vault's accounts, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from flexvault.domain import row_keys
from flexvault.domain.event_rows import batch_of, config_target, put
from flexvault.domain.event_type import Batch, EventType, Rows, Target
from flexvault.domain.journal import Entry


def revocation_target(request_key: str) -> Target:
    """Answer the row of one request to have an account's keys revoked."""
    return config_target(row_keys.revocation_row(request_key))


def _revocation_requested(entry: Entry, rows: Rows) -> Sequence[Batch]:
    target = revocation_target(entry.body["request_key"])
    if rows[target] is not None:
        return ()
    values: dict[str, Any] = {
        "account": entry.body["account"],
        "requested_at": entry.at,
        "requested_event_id": entry.event_id,
        "journal_seq": entry.seq,
    }
    return (batch_of(target, put(target, None, values)),)


def _targets(_stream: str, body: Mapping[str, Any]) -> tuple[Target, ...]:
    return (revocation_target(body["request_key"]),)


EMERGENCY_EVENTS = (
    EventType(
        name="KeyRevocationRequested",
        done_member="requested_event_id",
        targets=_targets,
        project=_revocation_requested,
    ),
)
