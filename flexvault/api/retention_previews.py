"""Preview what retention would delete, and what another policy would change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flexvault.api import shapes
from flexvault.api.call import Answer, Call
from flexvault.api.instances import body_references, find_by_name_or_id
from flexvault.api.simulations import read_moment, read_policy_properties
from flexvault.api.times import plain_time
from flexvault.domain.mistakes import Mistakes
from flexvault.domain.retention import Reason, describe_reason
from flexvault.domain.retention_texts import explain, explain_end
from flexvault.services.preview_retention import PreviewedPoint, preview_instance


def preview_retention(call: Call) -> Answer:
    """Answer what would be deleted of an instance, when and why: as it stands, and re-evaluated under a policy."""
    body = call.body(shapes.RETENTION_PREVIEW)
    mistakes = Mistakes()
    name = mistakes.text(body, "", "backupInstance")
    until = read_moment(mistakes, "until", body["until"]) if "until" in body else None
    given = "policy" in body
    properties = read_policy_properties(mistakes, body["policy"]) if given else None
    mistakes.finish("preview")
    with body_references():
        instance = find_by_name_or_id(call, name)
    as_of = call.vault.ports.clock.storage_now()
    found = preview_instance(call.vault, instance, as_of, properties)
    under = {
        "policy": None if given else instance.policy_name,
        **_show(found.reevaluated, until),
        "changes": [
            _show_change(before, after)
            for before, after in zip(found.present, found.reevaluated, strict=True)
            if _show_side(before) != _show_side(after)
        ],
        "previewHash": None if given else found.preview_hash,
    }
    shown = {"backupInstance": instance.name, "asOf": plain_time(as_of), **_show(found.present, until)}
    shown["heldBack"] = list(found.held_back)
    return Answer(body={**shown, "underPolicy": under})


def _show(points: Sequence[PreviewedPoint], until: datetime | None) -> dict[str, Any]:
    deletions = sorted(
        (
            (point.deleted_at, point)
            for point in points
            if point.deleted_at is not None and (until is None or point.deleted_at <= until)
        ),
        key=lambda pair: (pair[0], pair[1].verdict.point.recovery_point_time),
    )
    return {
        "recoveryPoints": [_show_point(point) for point in points],
        "deletions": [
            {
                "time": plain_time(at),
                "recoveryPoint": point.verdict.point.point_id,
                "recoveryPointTime": plain_time(point.verdict.point.recovery_point_time),
                "reason": explain_end(point.verdict),
            }
            for at, point in deletions
        ],
        "deletedBytes": sum(point.size_bytes for _, point in deletions),
    }


def _show_point(point: PreviewedPoint) -> dict[str, Any]:
    facts = point.verdict.point
    return {
        "recoveryPoint": facts.point_id,
        "time": plain_time(facts.recovery_point_time),
        "retentionTag": facts.tag,
        "expiry": plain_time(facts.expiry_time),
        "decision": point.verdict.decision.value,
        "deletedAt": plain_time(point.deleted_at) if point.deleted_at else None,
        "reasons": [describe_reason(reason, facts) for reason in point.verdict.reasons],
        "text": _explain(point),
    }


def _explain(point: PreviewedPoint) -> str:
    text = explain(point.verdict)
    is_said = not point.is_newest or point.verdict.reasons[0] is not Reason.RETENTION_RULE
    if is_said:
        return text
    if point.is_newest_good:
        return f"{text}; as the newest good recovery point it stays until there is a newer one"
    return f"{text}; after that it stays until there is a newer recovery point that was never found broken"


def _show_change(before: PreviewedPoint, after: PreviewedPoint) -> dict[str, Any]:
    facts = before.verdict.point
    return {
        "recoveryPoint": facts.point_id,
        "time": plain_time(facts.recovery_point_time),
        "before": _show_side(before),
        "after": _show_side(after),
    }


def _show_side(point: PreviewedPoint) -> dict[str, Any]:
    facts = point.verdict.point
    return {
        "retentionTag": facts.tag,
        "expiry": plain_time(facts.expiry_time),
        "deletedAt": plain_time(point.deleted_at) if point.deleted_at else None,
        "text": _explain(point),
    }
