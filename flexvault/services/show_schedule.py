"""What a person may know of an instance's schedule: the next slot, the last one, what was missed or slept through."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flexvault.domain import names
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.instance import RUNS_BACKUPS, Instance
from flexvault.domain.policy import parse_policy
from flexvault.domain.schedule import next_slot
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.vault import Vault

SHOWN_RECORDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """How an instance's schedule stands."""

    next_slot: datetime | None
    """Nothing while the schedule sleeps."""
    last_slot: datetime | None
    """The newest slot that got a job."""
    slots_from: datetime | None
    """Slots at or before this moment do not count."""
    missed: tuple[Mapping[str, Any], ...]
    """Newest first, at most `SHOWN_RECORDS`."""


def read_schedule(vault: Vault, instance: Instance) -> ScheduleView:
    """Read how an instance's schedule stands."""
    ports = vault.ports
    row = catalog.find_schedule_row(ports, instance.key)
    values: Mapping[str, Any] = {} if row is None else row.values
    return ScheduleView(
        next_slot=None if row is None else _find_next(ports, instance, ports.clock.storage_now()),
        last_slot=_find_claimed(ports, instance, values.get("last_slot")),
        slots_from=values.get("slots_from"),
        missed=tuple(reversed(_list_own_missed(ports, instance)))[:SHOWN_RECORDS],
    )


def _list_own_missed(ports: Ports, instance: Instance) -> list[Mapping[str, Any]]:
    """Answer the records, oldest first, without those of an instance of this name that was deleted before."""
    ended = instance.deleted_at
    records = catalog.list_missed(ports, instance.key)
    return [record for record in records if ended is None or datetime.fromisoformat(str(record["last"])) > ended]


def _find_next(ports: Ports, instance: Instance, now: datetime) -> datetime | None:
    stored = catalog.find_policy(ports, instance.policy_name)
    if instance.state not in RUNS_BACKUPS or stored is None:
        return None
    try:
        policy = parse_policy(stored.properties)
    except InvalidInputError:
        return None  # the schedule tick reports it
    return next_slot(policy.intervals, policy.zone, now)


def _find_claimed(ports: Ports, instance: Instance, last_slot: datetime | None) -> datetime | None:
    """Answer the last slot if it was one: a schedule begins with the moment of its protection in its place."""
    if last_slot is None or catalog.find_job(ports, names.slot_job_id(instance.key, last_slot)) is None:
        return None
    return last_slot
