"""Blob Batch: many calls in one, each with its own proof and its own right (blob-batch)."""

from collections.abc import Awaitable, Callable
from email.parser import BytesParser
from email.policy import HTTP
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Message

from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.call import Call, split_path
from local_cloud.storage_gateway.gateway import Gateway
from local_cloud.storage_gateway.problems import StorageError, not_implemented

_BOUNDARY = "batchresponse_flexvault"
_MOST = 256

type Dispatch = Callable[[Gateway, Call], Awaitable[Answer]]


async def answer_batch(gateway: Gateway, call: Call, dispatch: Dispatch) -> Answer:
    """Answer each part by itself; a part that is refused does not stop the others."""
    body = await call.request.body()
    kind = f"Content-Type: {call.header('content-type')}\r\n\r\n".encode("latin-1")
    message = BytesParser(policy=HTTP).parsebytes(kind + body)
    parts = list(message.iter_parts())
    if not 0 < len(parts) <= _MOST:
        text = f"A batch is a multipart/mixed body of 1 to {_MOST} parts."
        raise StorageError(HTTPStatus.BAD_REQUEST, "InvalidInput", text)
    answers: list[bytes] = []
    for part in parts:
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
        answered = await _answer_part(gateway, call, content, dispatch)
        head = f"--{_BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: {part.get('Content-ID', '0')}\r\n\r\n"
        answers.append(head.encode() + answered)
    whole = b"".join(answers) + f"--{_BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/mixed; boundary={_BOUNDARY}"}
    return Answer(status=HTTPStatus.ACCEPTED, headers=headers, body=whole)


async def _answer_part(gateway: Gateway, call: Call, content: bytes, dispatch: Dispatch) -> bytes:
    try:
        answer = await dispatch(gateway, _read_part(call, content))
    except StorageError as error:
        answer = Answer(status=error.status, headers=error.headers, body=error.body("batch", ""))
    body = b"".join([part async for part in answer.parts()])
    headers = {**answer.headers, "Content-Length": str(len(body))}
    lines = [f"HTTP/1.1 {int(answer.status)} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body + b"\r\n"


def _read_part(call: Call, content: bytes) -> Call:
    """Read a part as a call to the batch's own account."""
    line, _, rest = content.lstrip().partition(b"\r\n")
    method, target, _ = line.decode("latin-1").split(" ", 2)
    path, _, query = target.partition("?")
    head, _, _ = rest.partition(b"\r\n\r\n")
    pairs = [header.partition(":") for header in head.decode("latin-1").split("\r\n")]
    headers = Headers(raw=[(name.strip().lower().encode(), value.strip().encode()) for name, _, value in pairs if name])
    account, container, blob = split_path(path)
    if account != call.account.name:
        # As a host-style address has it: the path begins with the container.
        path = f"/{call.account.name}{path}"
        account, container, blob = split_path(path)
    raw_target = f"{path}?{query}" if query else path
    part = Call(
        method=method,
        account=call.account,
        container=container,
        blob=blob,
        raw_target=raw_target.encode(),
        raw_query=query,
        headers=headers,
        request=Request({"type": "http", "method": method, "headers": headers.raw}, _no_more),
    )
    if not blob or (method, part.query.get("comp", "")) not in {("DELETE", ""), ("PUT", "tier")}:
        raise not_implemented(f"{method} in a batch", "a batch deletes blobs or sets their tiers")
    return part


async def _no_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
