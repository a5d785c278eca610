"""`/_gateway/`: what the local cloud and its tests may change while it runs, and see. No token, but loopback only."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.config import BaseNameDelete
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.problems import StorageError

_SETTINGS = frozenset({"offsetSeconds", "movesDate", "baseNameDelete", "holdCopiesAfter", "holdReadsAfter"})


def control(gateway: Gateway, method: str, body: bytes) -> Answer:
    """Answer the settings, after a PUT has changed those that its JSON object names.

    `offsetSeconds`: how far the clock that judges policies runs ahead. `movesDate`: whether the Date header does too.
    `baseNameDelete`: `keep` or `refuse`. `holdCopiesAfter`: how many copies still go through before all others are
    held; null = all go through, also those that are held. `holdReadsAfter`: the same for reads of blobs of vault
    accounts. Answered as well: `copiesHeld` and `readsHeld`, how many wait now.

    Raises:
        StorageError: 400, the message names what is wrong.
    """
    if method == "PUT":
        _change(gateway, body)
    settings = {
        "offsetSeconds": gateway.clock.offset.total_seconds(),
        "movesDate": gateway.clock.moves_date,
        "baseNameDelete": gateway.base_name_delete,
        "holdCopiesAfter": gateway.copies.hold_after,
        "copiesHeld": gateway.copies.held,
        "holdReadsAfter": gateway.reads.hold_after,
        "readsHeld": gateway.reads.held,
    }
    return _json(settings)


def show_callers(gateway: Gateway) -> Answer:
    """Answer who did what in each account since the gateway was started: `{account: {operation: [principal]}}`."""
    return _json(gateway.callers.to_json())


def _json(value: object) -> Answer:
    return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(value).encode())


def _change(gateway: Gateway, body: bytes) -> None:
    try:
        wanted: dict[str, Any] = json.loads(body)
        offset = timedelta(seconds=float(wanted.get("offsetSeconds", gateway.clock.offset.total_seconds())))
        base_name_delete = BaseNameDelete(wanted.get("baseNameDelete", gateway.base_name_delete))
        hold_after = {name: _count(name, wanted.get(name)) for name in ("holdCopiesAfter", "holdReadsAfter")}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidInput", f"the settings cannot be read: {error}") from None
    if unknown := set(wanted) - _SETTINGS:
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidInput", f"no such setting: {', '.join(sorted(unknown))}")
    gateway.clock.offset = offset
    gateway.clock.moves_date = bool(wanted.get("movesDate", gateway.clock.moves_date))
    gateway.base_name_delete = base_name_delete
    for name, gate in (("holdCopiesAfter", gateway.copies), ("holdReadsAfter", gateway.reads)):
        if name in wanted:
            gate.change(hold_after[name])


def _count(name: str, value: object) -> int | None:
    if value is None or (isinstance(value, int) and value >= 0):
        return value
    raise ValueError(f"{name} must be a number from 0, or null, not {value!r}")
