"""The schedule of a backup instance, with what it missed."""

from datetime import datetime

from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.times import wire_time
from flexvault.services.show_schedule import read_schedule


def get_schedule(call: Call) -> Answer:
    """Show next and last slot, and the newest records of what was missed or slept through."""
    schedule = read_schedule(call.vault, find_named(call))
    missed = [
        {**record, "first": _rewrite(record["first"]), "last": _rewrite(record["last"])} for record in schedule.missed
    ]
    body = {
        "nextSlot": _show(schedule.next_slot),
        "lastSlot": _show(schedule.last_slot),
        "slotsFrom": _show(schedule.slots_from),
        "missed": missed,
    }
    return Answer(body=body)


def _show(moment: datetime | None) -> str | None:
    return None if moment is None else wire_time(moment)


def _rewrite(text: str) -> str:
    return wire_time(datetime.fromisoformat(text))
