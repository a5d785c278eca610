"""What the poisoning guard suspects of an instance: show it, acknowledge it."""

from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call
from flexvault.api.instances import find_named
from flexvault.api.people import show_person
from flexvault.api.times import plain_time
from flexvault.domain.poisoning import Poisoning, Suspect
from flexvault.services.acknowledge_poisoning import acknowledge_poisoning
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.poisoning_guard import read_poisoning


def get_poisoning(call: Call) -> Answer:
    """Show what is suspected of an instance, and what was acknowledged last."""
    return Answer(body=_show(call, read_poisoning(call.vault.ports, find_named(call).key)))


def acknowledge(call: Call) -> Answer:
    """Let an instance's recovery points expire again although a backup lost much; needs a second person."""
    instance = find_named(call)
    reader = Reader(call.body(shapes.ACKNOWLEDGE))
    reason = reader.text("reason")
    reader.finish("acknowledgement")
    return Answer(body=_show(call, acknowledge_poisoning(call.vault, instance, reason, call.actor())))


def _show(call: Call, found: Poisoning) -> dict[str, Any]:
    settings = read_believed_settings(call.vault.ports)
    by = found.acknowledged_by
    return {
        "state": "Suspected" if found.is_suspected else "Clear",
        "expiry": "Paused" if found.is_suspected else "Running",
        "guard": "On" if settings.is_poisoning_guarded else "Off",
        "count": found.count,
        "suspected": [_show_suspect(suspect) for suspect in found.suspects],
        "acknowledgedAt": plain_time(found.acknowledged_at) if found.acknowledged_at else None,
        "acknowledgedBy": None if by is None else show_person(by),
        "acknowledgedReason": found.acknowledged_reason or None,
    }


def _show_suspect(suspect: Suspect) -> dict[str, Any]:
    suspicion = suspect.suspicion
    return {
        "recoveryPoint": suspect.point_id,
        "suspectedAt": plain_time(suspect.suspected_at),
        "previousRecoveryPoint": suspicion.previous_point_id,
        "previousSizeInBytes": suspicion.previous_size_bytes,
        "sizeInBytes": suspicion.size_bytes,
        "missingDatabases": list(suspicion.missing),
        "missingCount": suspicion.missing_count,
        "text": suspicion.describe(),
    }
