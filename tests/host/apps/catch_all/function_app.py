"""One function for everything, as flexvault has it."""

import hashlib
import json

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="{*path}", methods=["GET", "PUT", "POST", "DELETE", "PATCH"])
def api(req: func.HttpRequest) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(
        json.dumps(
            {
                "fn": "api",
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
