"""`/_emulator/*`: faults, changes of servers and accounts, and the log. No token, but loopback only."""

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from local_cloud.arm_emulator.problems import ArmError, bad_request
from local_cloud.arm_emulator.routing import Answer
from local_cloud.arm_emulator.views import server_view, storage_account_view

if TYPE_CHECKING:
    from local_cloud.arm_emulator.emulator import Emulator

PREFIX = "/_emulator"
_LOOPBACK = frozenset({"127.0.0.1", "::1"})


def control(emulator: "Emulator", *, client_host: str, method: str, path: str, body: bytes) -> Answer:
    """Answer a request to the emulator itself.

    Raises:
        ArmError: 403 for a caller on another machine, 400 for a wrong body (the message names what is allowed), 404
            for an unknown path or server.
    """
    if client_host not in _LOOPBACK:
        raise ArmError(HTTPStatus.FORBIDDEN, "LoopbackOnly", "The emulator's own paths answer this machine only.")
    match method, path.removeprefix(PREFIX).strip("/").split("/"):
        case "GET", ["log"]:
            return Answer(body=emulator.log())
        case "GET", ["faults"]:
            return Answer(body={"value": emulator.faults.as_json()})
        case "POST", ["faults"]:
            return _order_fault(emulator, body)
        case "DELETE", ["faults"]:
            emulator.faults.clear()
            return Answer(status=HTTPStatus.NO_CONTENT)
        case "DELETE", ["faults", fault_id] if fault_id.isdecimal():
            emulator.faults.clear(int(fault_id))
            return Answer(status=HTTPStatus.NO_CONTENT)
        case "POST", ["servers" | "accounts" as kind, *name_or_id] if name_or_id:
            change = _change_server if kind == "servers" else _change_account
            return change(emulator, "/".join(name_or_id), body)
        case _:
            raise ArmError(
                HTTPStatus.NOT_FOUND,
                "NotFound",
                f"The emulator has no {method} {path}; hint: GET log, GET/POST/DELETE faults, DELETE faults/ID, "
                "POST servers/NAME or servers/RESOURCE-ID, accounts/NAME or accounts/RESOURCE-ID.",
            )


def _order_fault(emulator: "Emulator", body: bytes) -> Answer:
    try:
        fault = emulator.faults.order(_json_object(body))
    except ValueError as error:
        raise bad_request("InvalidFault", str(error)) from error
    return Answer(status=HTTPStatus.CREATED, body=fault.as_json())


def _change_server(emulator: "Emulator", name_or_id: str, body: bytes) -> Answer:
    try:
        return Answer(body=server_view(emulator.change_server(name_or_id, _json_object(body))))
    except ValueError as error:
        raise bad_request("InvalidServerChange", str(error)) from error
    except LookupError as error:
        raise ArmError(HTTPStatus.NOT_FOUND, "ResourceNotFound", str(error.args[0])) from error


def _change_account(emulator: "Emulator", name_or_id: str, body: bytes) -> Answer:
    try:
        return Answer(body=storage_account_view(emulator.inventory.change_account(name_or_id, _json_object(body))))
    except ValueError as error:
        raise bad_request("InvalidAccountChange", str(error)) from error
    except LookupError as error:
        raise ArmError(HTTPStatus.NOT_FOUND, "ResourceNotFound", str(error.args[0])) from error


def _json_object(body: bytes) -> dict[str, Any]:
    data: Any = json.loads(body or b"{}")
    if not isinstance(data, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - one error class for a wrong body
    return cast("dict[str, Any]", data)
