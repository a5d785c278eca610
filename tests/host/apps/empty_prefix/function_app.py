"""One function for everything, without a route prefix, and four that are lost to the host."""

import hashlib
import json

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="{*path}", methods=["GET", "PUT", "POST", "DELETE", "PATCH"])
def root_catch(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(
        json.dumps(
            {
                "fn": "root_catch",
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


@app.route(route="admin/mine", methods=["GET"])
def adm(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route(route="administration/mine", methods=["GET"])
def adm2(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route(route="runtime/mine", methods=["GET"])
def run(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")


@app.route(route="runtimes/mine", methods=["GET"])
def run2(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("never")
