"""`/_gateway/settings`: what the local cloud and its tests may change while it runs. No token, but loopback only."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.config import BaseNameDelete
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.problems import StorageError


def control(gateway: Gateway, method: str, body: bytes) -> Answer:
    """Answer the settings, after a PUT has changed those that its JSON object names.

    `offsetSeconds`: how far the clock that judges policies runs ahead. `movesDate`: whether the Date header does too.
    `baseNameDelete`: `keep` or `refuse`.

    Raises:
        StorageError: 400, the message names what is wrong.
    """
    if method == "PUT":
        _change(gateway, body)
    settings = {
        "offsetSeconds": gateway.clock.offset.total_seconds(),
        "movesDate": gateway.clock.moves_date,
        "baseNameDelete": gateway.base_name_delete,
    }
    return Answer(headers={"Content-Type": "application/json"}, body=json.dumps(settings).encode())


def _change(gateway: Gateway, body: bytes) -> None:
    try:
        wanted: dict[str, Any] = json.loads(body)
        offset = timedelta(seconds=float(wanted.get("offsetSeconds", gateway.clock.offset.total_seconds())))
        base_name_delete = BaseNameDelete(wanted.get("baseNameDelete", gateway.base_name_delete))
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidInput", f"the settings cannot be read: {error}") from None
    if unknown := set(wanted) - {"offsetSeconds", "movesDate", "baseNameDelete"}:
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidInput", f"no such setting: {', '.join(sorted(unknown))}")
    gateway.clock.offset = offset
    gateway.clock.moves_date = bool(wanted.get("movesDate", gateway.clock.moves_date))
    gateway.base_name_delete = base_name_delete
