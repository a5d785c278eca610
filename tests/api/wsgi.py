"""The API behind WSGI, for tools that test a web app in process."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flexvault.api.app import Api, handle
from flexvault.api.wire import Request

type Environ = dict[str, Any]
type StartResponse = Callable[[str, list[tuple[str, str]]], object]


def wsgi_app(api: Api) -> Callable[[Environ, StartResponse], Iterable[bytes]]:
    """Answer a WSGI app that hands each request, escaped as it was sent, to the API."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        names = {"CONTENT_TYPE": "content-type"} | {
            name: name.removeprefix("HTTP_").replace("_", "-").lower() for name in environ if name.startswith("HTTP_")
        }
        # What werkzeug's client has been given apart is not in its REQUEST_URI.
        path, query = environ["REQUEST_URI"].partition("?")[0], environ.get("QUERY_STRING", "")
        address = f"{environ['wsgi.url_scheme']}://{environ['HTTP_HOST']}{path}"
        response = handle(
            api,
            Request(
                method=environ["REQUEST_METHOD"],
                url=f"{address}?{query}" if query else address,
                headers={header: environ[name] for name, header in names.items() if environ.get(name)},
                body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
            ),
        )
        status = HTTPStatus(response.status)
        start_response(f"{status.value} {status.phrase}", list(response.headers.items()))
        return [response.body]

    return app
