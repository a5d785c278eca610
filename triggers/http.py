"""The one HTTP function: it hands every request to the API and its answer back."""

from typing import Any

import azure.functions as func

from flexvault.api.app import handle, refuse_unusable
from flexvault.api.wire import Request
from flexvault.bootstrap import get_api, orchestrations_of
from flexvault.domain.errors import InvalidInputError

METHODS = ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS")


def serve(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    """Serve one request; path and query are parsed from the URL as sent, never from the host's parsed parameters."""
    request = Request(method=req.method, url=req.url, headers=dict(req.headers), body=req.get_body())
    try:
        answer = handle(get_api(orchestrations_of(client)), request)
    except InvalidInputError as error:  # of the settings: a request's own mistakes are answers
        answer = refuse_unusable(request, error)
    return func.HttpResponse(body=answer.body, status_code=answer.status, headers=answer.headers)
