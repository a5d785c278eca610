"""The smallest app: it shows that it runs, as whom, and with which settings."""

import json
import os

import azure.functions as func

app = func.FunctionApp()


@app.route(route="settings", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def settings(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(dict(os.environ)), mimetype="application/json")
