"""The functions behind the recorded HTTP cases."""

import asyncio
import hashlib
import json
from collections.abc import Callable

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
EVERY_METHOD = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]


def seen(name: str, req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(
        json.dumps(
            {
                "fn": name,
                "method": req.method,
                "url": req.url,
                "params": dict(req.params),
                "route_params": dict(req.route_params),
                "headers": sorted((name, req.headers[name]) for name in req.headers),
                "body_len": len(body),
                "body_type": type(body).__name__,
                "sha256": hashlib.sha256(body).hexdigest() if body else None,
            }
        ),
        mimetype="application/json",
    )


def declare(name: str, route: str, methods: list[str] | None, level: func.AuthLevel = func.AuthLevel.ANONYMOUS) -> None:
    def handler(req: func.HttpRequest) -> func.HttpResponse:
        return seen(name, req)

    app.function_name(name)(app.route(route=route, methods=methods, auth_level=level)(handler))


for name, route in [
    ("m1_catch", "one/{*path}"),
    ("z1_literal", "one/special"),
    ("a1_param", "one/{id}"),
    ("z2_param", "two/{id}"),
    ("m2_literal", "two/special"),
    ("a2_catch", "two/{*path}"),
    ("a3_literal", "three/special"),
    ("m3_param", "three/{id}"),
    ("z3_catch", "three/{*path}"),
    ("B4_param", "four/{x}"),
    ("a4_param", "four/{y}"),
    ("a5_name", "nums/{name}"),
    ("b5_int", "nums/{id:int}"),
    ("c5_only_int", "onlyint/{id:int}"),
    ("v_get", "verbs/{id}"),
    ("opt", "opt/{id?}"),
    ("default_value", "dflt/{id=abc}"),
    ("two_seg", "seg/{a}/{b}"),
    # Routes of the host's own: these functions are lost, the others run.
    ("reserved_1", "admin/mine"),
    ("reserved_2", "runtimes/mine"),
]:
    declare(name, route, ["GET"])
declare("v_post", "verbs/{id}", ["POST"])
declare("v_del", "Verbs/{ID}", ["DELETE"])
declare("zz_post_all", "{*rest}", ["POST"])
declare("lower", "lowercase/path", ["get"])
declare("anymethod", "anymethod", None)
declare("echo", "echo/{*path}", EVERY_METHOD)
declare("au_anon", "auth/anon", ["GET", "POST"])
declare("au_func", "auth/func", ["GET", "POST"], func.AuthLevel.FUNCTION)
declare("au_admin", "auth/admin", ["GET", "POST"], func.AuthLevel.ADMIN)


@app.route(route="boom")
def boom(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("on purpose")


@app.route(route="ret/str", methods=["GET"])
def ret_str(req: func.HttpRequest) -> str:
    return "just a string \u00e9"


@app.route(route="ret/none", methods=["GET"])
def ret_none(req: func.HttpRequest) -> func.HttpResponse:
    return None  # pyright: ignore[reportReturnType] - what a careless function does


@app.route(route="ret/async", methods=["GET"])
async def ret_async(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(0)
    return func.HttpResponse("async")


def with_headers(*headers: tuple[str, str], body: str = "h") -> func.HttpResponse:
    response = func.HttpResponse(body)
    for header_name, value in headers:
        response.headers.add(header_name, value)
    return response


def with_cookies() -> func.HttpResponse:
    return with_headers(
        ("Set-Cookie", "a=b; Path=/; HttpOnly; SameSite=Lax"), ("Set-Cookie", "c=d; Max-Age=10; Secure")
    )


def five_bytes() -> func.HttpResponse:
    return func.HttpResponse(
        "12345", headers={"Content-Length": "5"}, mimetype="application/problem+json; charset=utf-8"
    )


ANSWERS: dict[str, Callable[[], func.HttpResponse]] = {
    "bin": lambda: func.HttpResponse(bytes(range(256)), mimetype="application/octet-stream"),
    "headers": lambda: with_headers(
        ("Cache-Control", "no-store"),
        ("ETag", '"abc"'),
        ("Retry-After", "5"),
        ("X-Mixed-Case", "V1"),
        ("x-lower", "v2"),
        ("Azure-AsyncOperation", "https://x/y"),
    ),
    "server": lambda: with_headers(("Server", "mine")),
    "uniheader": lambda: with_headers(("X-A", "1"), ("X-B", "\u20ac")),
    "crlfheader": lambda: func.HttpResponse("h", headers={"X-A": "1\r\nX-B: 2"}),
    "cookies": with_cookies,
    "multi": lambda: with_headers(("X-Multi", "1"), ("X-Multi", "2")),
    "transfer": lambda: with_headers(("Transfer-Encoding", "chunked")),
    "contentlength": five_bytes,
    "location": lambda: func.HttpResponse(status_code=302, headers={"Location": "/elsewhere"}),
    "json": lambda: func.HttpResponse('{"\u00e9": 1}', mimetype="application/json"),
}


@app.route(route="ret/{what}", methods=["GET"])
def ret_x(req: func.HttpRequest) -> func.HttpResponse:
    return ANSWERS[req.route_params["what"]]()


BAD_ANSWERS: dict[str, object] = {"str": "text", "dict": {}, "list": [], "int": 1, "bytes": b"x", "none": None}


@app.route(route="ret/noannot/{what}", methods=["GET"])
def ret_noannot(req: func.HttpRequest):  # pyright: ignore[reportUnknownParameterType] - no annotation is the point
    return BAD_ANSWERS[req.route_params["what"]]


@app.route(route="ret/status/{code}", methods=["GET"])
def ret_status(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(status_code=int(req.route_params["code"]))


@app.route(route="ret/statusbody/{code}", methods=["GET", "HEAD"])
def ret_statusbody(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("a body", status_code=int(req.route_params["code"]))


@app.route(route="ret/big/{size}", methods=["GET"])
def ret_big(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(b"b" * int(req.route_params["size"]), mimetype="application/octet-stream")
