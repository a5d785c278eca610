"""What the newest re-evaluation gave to an instance's recovery points: its row points the way, its entry says it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from flexvault.domain import row_keys
from flexvault.domain.errors import IntegrityError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.journal import Entry
from flexvault.domain.reevaluation import Regrade
from flexvault.domain.rows import Row
from flexvault.ports import Ports
from flexvault.services.journal import read_entry

REEVALUATED = "RetentionReevaluated"


def find_retention_row(ports: Ports, instance: str) -> Row | None:
    """Find the row that says what holds for all points of an instance."""
    return ports.rows.find(row_keys.POINTS, instance, row_keys.RETENTION)


def read_common_holds(row: Row | None) -> tuple[str, ...]:
    """Answer the names of the holds on a whole instance."""
    return () if row is None else tuple(json.loads(str(row.values.get("holds", "[]"))))


def standing_holds(ports: Ports, instance: str, point_id: str) -> tuple[str, ...]:
    """Answer the names of the holds that stand on a point, alone or with its instance, as the rows say."""
    row = ports.rows.find(row_keys.POINTS, instance, point_id)
    own = () if row is None else json.loads(str(row.values.get("holds", "[]")))
    return tuple(sorted({*own, *read_common_holds(find_retention_row(ports, instance))}))


def reevaluated_seq(row: Row | None) -> int:
    """Answer the number of the newest re-evaluation in the instance's stream; 0 when there is none."""
    return 0 if row is None else int(str(row.values.get("reevaluated_seq", 0)))


def read_regrades(ports: Ports, instance: str, seq: int) -> Mapping[str, Regrade]:
    """Read what the newest re-evaluation gave to each point; nothing for 0.

    Raises:
        IntegrityError: The journal does not say what the row says that it does.
    """
    if not seq:
        return {}
    entry = require_entry(read_entry(ports, instance, seq), REEVALUATED, instance)
    return {point_id: Regrade.from_json(stored) for point_id, stored in entry.body["points"].items()}


def show_effective(ports: Ports, instance: str, points: Iterable[RecoveryPoint]) -> list[RecoveryPoint]:
    """Answer points with what holds for them now: a re-evaluation's tag and expiry, and the instance's holds."""
    row = find_retention_row(ports, instance)
    regrades, holds = read_regrades(ports, instance, reevaluated_seq(row)), read_common_holds(row)
    return [_with_holds(apply_regrade(point, regrades), holds) for point in points]


def apply_regrade(point: RecoveryPoint, regrades: Mapping[str, Regrade]) -> RecoveryPoint:
    """Answer a point with the tag and expiry that a re-evaluation gave it, if it gave any."""
    found = regrades.get(point.point_id)
    if found is None:
        return point
    return replace(point, tag=found.tag, because=found.because, day=found.day, expiry_time=found.expiry_time)


def require_entry(entry: Entry, kind: str, instance: str) -> Entry:
    """Refuse an entry that is not what a row says that it is.

    Raises:
        IntegrityError: code JournalDiffers.
    """
    if entry.type != kind or entry.body.get("instance") != instance:
        raise IntegrityError(
            f"journal entry {entry.stream} {entry.seq} is no {kind} of instance {instance}, as its row says",
            code="JournalDiffers",
            target=instance,
            hint="treat the tables as tampered with: compare them with the journal",
        )
    return entry


def _with_holds(point: RecoveryPoint, holds: tuple[str, ...]) -> RecoveryPoint:
    return replace(point, holds=tuple(sorted({*point.holds, *holds}))) if holds else point
