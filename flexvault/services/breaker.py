"""The breaker's memory: what earlier plans announced, and whether retention waits for a release."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from flexvault.domain import blob_names, names, row_keys
from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.breaker import LONGEST_PAUSE, EarlierPlan, PointKey, Trip, find_trips, read_earlier, read_known
from flexvault.domain.errors import ConflictError, IntegrityError, NotFoundError
from flexvault.domain.events import Rows, breaker_target
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.retention import Verdict
from flexvault.ports import Ports
from flexvault.services.journal import Draft, append, read_entry

ALREADY_TRIPPED = "BreakerIsTripped"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """Whether retention waits for a release."""

    is_tripped: bool = False
    plan: str = ""
    """Path of the plan that tripped it."""
    plan_hash: str = ""
    tripped_at: datetime | None = None
    trips: tuple[Mapping[str, str], ...] = ()
    released_at: datetime | None = None
    known_plan: str = ""
    """The newest plan when it was released: what it knew may go, too."""
    known_hash: str = ""
    journal_seq: int = 0

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "BreakerState":
        """Read the row."""
        return cls(
            is_tripped=values["is_tripped"],
            plan=values["plan"],
            plan_hash=values["plan_hash"],
            tripped_at=values["tripped_at"],
            trips=tuple(json.loads(values["trips"])),
            released_at=values.get("released_at"),
            known_plan=values.get("known_plan", ""),
            known_hash=values.get("known_hash", ""),
            journal_seq=values["journal_seq"],
        )


def breaker_of(ports: Ports, seq: int) -> BreakerState:
    """Answer how the breaker stands by the journal: what retention goes by, for a row can be lost or forged.

    Args:
        ports: What may be reached.
        seq: The newest entry of the vault's stream that tripped or released it; 0 without one.
    """
    if seq == 0:
        return BreakerState()
    entry = read_entry(ports, blob_names.VAULT_STREAM, seq)
    try:
        return _state_after(entry)
    except MALFORMED:
        text = f"journal entry {entry.stream} {seq} ({entry.type}) cannot be understood"
        raise IntegrityError(text, code="EntryUnreadable", target=entry.stream) from None


def _state_after(entry: Entry) -> BreakerState:
    plan, plan_hash = str(entry.body["plan"]), str(entry.body["plan_hash"])
    if entry.type == "BreakerTripped":
        return BreakerState(
            is_tripped=True,
            plan=plan,
            plan_hash=plan_hash,
            tripped_at=entry.at,
            trips=tuple(entry.body["trips"]),
            journal_seq=entry.seq,
        )
    return BreakerState(
        plan=plan,
        plan_hash=plan_hash,
        released_at=entry.at,
        known_plan=str(entry.body["known_plan"]),
        known_hash=str(entry.body["known_hash"]),
        journal_seq=entry.seq,
    )


def read_breaker(ports: Ports) -> BreakerState:
    """Answer how the breaker stands by its row, for people; one that never tripped has no row."""
    row = ports.rows.find(row_keys.CONFIG, row_keys.VAULT_PARTITION, row_keys.BREAKER)
    return BreakerState() if row is None else BreakerState.from_values(row.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPlans:
    """What the plans before a moment say."""

    checkpoint: Mapping[str, Any]
    """How far the newest one, tripped or not, read the journal; empty when there is none."""
    untripped: EarlierPlan | None
    """The newest one that did not trip."""


def find_earlier_plans(ports: Ports, as_of: datetime) -> EarlierPlans:
    """Read the newest plan before a moment, and the newest that did not trip: nearly always the same.

    What lies there and is no plan of this version tells nothing: the next older one does.
    """
    checkpoint: Mapping[str, Any] | None = None
    for path in _list_plans(ports, as_of):
        plan = _find_plan(ports, path)
        try:
            if plan is None or plan["version"] == 1 or datetime.fromisoformat(plan["asOf"]) >= as_of:
                continue
            untripped = None if plan["trips"] else read_earlier(plan)
            checkpoint = dict(plan.get("standing", {})) if checkpoint is None else checkpoint
        except MALFORMED:
            continue
        if untripped is not None:
            return EarlierPlans(checkpoint=checkpoint, untripped=untripped)
    return EarlierPlans(checkpoint=checkpoint or {}, untripped=None)


def read_released(
    ports: Ports, state: BreakerState, earlier: EarlierPlan | None, as_of: datetime
) -> Collection[PointKey]:
    """Answer what a person allowed to delete by releasing the breaker, until a plan after it did not trip.

    Raises:
        IntegrityError: The released plan is not the one that tripped.
    """
    if state.is_tripped or state.released_at is None or (earlier and earlier.as_of >= state.released_at):
        return frozenset()
    if as_of - state.released_at > LONGEST_PAUSE:
        return frozenset()  # the vault slept since, or a clock jumped
    known: set[PointKey] = set()
    for path, plan_hash in {(state.plan, state.plan_hash), (state.known_plan, state.known_hash)}:
        data = ports.vault_reader.read(blob_names.PLANS, path)
        if names.sha256_hex(data) != plan_hash:
            raise IntegrityError("the released retention plan is not the one that was stored", target=path)
        known |= read_known(json.loads(data), as_of)
    return known


def find_trips_now(
    ports: Ports,
    state: BreakerState,
    verdicts: Sequence[Verdict],
    as_of: datetime,
    *,
    earlier: EarlierPlan | None,
    regraded: Collection[PointKey],
) -> tuple[Trip, ...]:
    """Answer why a plan of these verdicts must not be executed, after all that people approved since the earlier one.

    Args:
        ports: What may be reached.
        state: How the breaker stands.
        verdicts: One per recovery point.
        as_of: The plan's moment.
        earlier: The newest plan that did not trip; nothing when there is none.
        regraded: Points whose expiry an approved re-evaluation changed.
    """
    released = read_released(ports, state, earlier, as_of)
    return find_trips(verdicts, as_of, earlier, released=released, released_at=state.released_at, regraded=regraded)


def find_newest_plan(ports: Ports, as_of: datetime) -> tuple[str, str]:
    """Answer path and hash of the newest plan that is stored; there is one once the breaker has tripped.

    Raises:
        NotFoundError: There is none.
    """
    path = next(_list_plans(ports, as_of), "")
    return path, names.sha256_hex(ports.vault_reader.read(blob_names.PLANS, path))


def trip_breaker(ports: Ports, path: str, plan_hash: str, trips: Collection[Trip]) -> None:
    """Stop retention until a person releases it; a plan that meets a tripped breaker changes nothing."""

    def check(rows: Rows) -> None:
        row = rows[breaker_target()]
        if row is not None and row.values["is_tripped"]:
            raise ConflictError("the breaker is tripped already", code=ALREADY_TRIPPED)

    body = {"plan": path, "plan_hash": plan_hash, "trips": [trip.to_json() for trip in trips]}
    draft = Draft(stream=blob_names.VAULT_STREAM, type="BreakerTripped", key=plan_hash, body=body, check=check)
    try:
        append(ports, draft, by_retention=True)
    except ConflictError as error:
        if error.code != ALREADY_TRIPPED:
            raise


def _list_plans(ports: Ports, as_of: datetime) -> Iterator[str]:
    """Answer the paths of plans, the newest first.

    Nearly always the newest will do, so all the others of the years before are not listed for it.
    """
    begin_of_month = as_of.astimezone(UTC).replace(day=1)
    told: set[str] = set()
    for month in (as_of, begin_of_month - timedelta(days=1), None):
        prefix = "" if month is None else blob_names.plans_prefix(month)
        found = {blob.name for blob in ports.vault_reader.list_blobs(blob_names.PLANS, prefix)}
        yield from sorted(found - told, reverse=True)
        told |= found


def _find_plan(ports: Ports, path: str) -> Mapping[str, Any] | None:
    try:
        return json.loads(ports.vault_reader.read(blob_names.PLANS, path))
    except NotFoundError as error:
        if error.code != BLOB_NOT_FOUND:
            raise
        return None
    except ValueError:
        return None  # no plan that can tell anything: the next older one does
