"""Operations on legal holds."""

import re
from http import HTTPStatus
from typing import Any

from flexvault.api import shapes
from flexvault.api.bodies import Reader
from flexvault.api.call import Answer, Call, require_name
from flexvault.api.instances import body_references, find_named
from flexvault.api.pages import answer_page, read_page
from flexvault.api.people import show_person
from flexvault.api.points import require_point_id
from flexvault.api.protection_states import begin_retention
from flexvault.api.times import wire_time
from flexvault.domain.hold import Hold
from flexvault.domain.instance import GOING
from flexvault.services import holds


def list_holds(call: Call) -> Answer:
    """List the holds that stand on an instance or on one of its points."""
    page = read_page(call, _PLACE)
    standing = holds.list_holds(call.vault.ports, find_named(call).key)
    rest = (hold for hold in standing if _place(hold) > page.after)
    return answer_page(call, page, rest, _place, _show)


def get_hold(call: Call) -> Answer:
    """Show a hold that stands."""
    return Answer(body=_show(holds.get_hold(call.vault.ports, find_named(call), call.params["hold"])))


def put_hold(call: Call) -> Answer:
    """Place a hold, or give it another reason; the answer is 200 also for a new one, as for policies."""
    instance, name = find_named(call), require_name(call.params["hold"], "hold")
    body = call.body(shapes.HOLD)
    reader = Reader(body)
    reason, point_id = reader.text("reason"), reader.text("recoveryPointId", optional=True)
    reader.finish("hold")
    with body_references():
        if point_id:
            point_id = require_point_id(instance, point_id).replace("-", "").lower()
        order = holds.HoldOrder(name=name, reason=reason, recovery_point_id=point_id)
        return Answer(body=_show(holds.place_hold(call.vault, instance, order, call.actor())))


def delete_hold(call: Call) -> Answer:
    """Release a hold, once a second person approved it; 204 when none of that name stands."""
    instance = find_named(call)
    was_there = holds.release_hold(call.vault, instance, call.params["hold"], call.actor())
    if was_there and instance.state in GOING:
        begin_retention(call)  # the deletion may have waited for it
    return Answer(status=HTTPStatus.OK if was_there else HTTPStatus.NO_CONTENT)


def _place(hold: Hold) -> str:
    return hold.name.lower()


_PLACE = re.compile(r".{1,260}", re.DOTALL)


def _show(hold: Hold) -> dict[str, Any]:
    return {
        "name": hold.name,
        "reason": hold.reason,
        "recoveryPointId": hold.recovery_point_id or None,
        "placedBy": show_person(hold.placed_by),
        "placedAt": wire_time(hold.placed_at),
        "changedBy": None if hold.changed_by is None else show_person(hold.changed_by),
        "changedAt": None if hold.changed_at is None else wire_time(hold.changed_at),
    }
