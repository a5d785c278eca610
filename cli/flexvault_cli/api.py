"""The vault's HTTP API as a client sees it: requests, pages, long-running operations and jobs."""

import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from urllib.parse import quote

import httpx

from flexvault_cli.connection import Connection
from flexvault_cli.errors import CliError, read_failure, read_refusal
from flexvault_cli.wire import Json, dig_list

API_VERSION = "2026-06-01"
TRIES = 6
PAUSE_SECONDS = 2.0
POLL_SECONDS = 5.0
BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
ENDED = {"Completed", "CompletedWithWarnings", "Failed", "Cancelled"}


class VaultApi:
    """One vault. Paths are relative to the vault's resource id; one that begins with a slash, to the API's address."""

    def __init__(self, connection: Connection, client: httpx.Client, sleep: Callable[[float], None]) -> None:
        """Keep the client and the way to wait; the caller closes the client."""
        self.connection = connection
        self._client = client
        self._sleep = sleep

    def get(self, path: str) -> Json:
        """Fetch one resource.

        Raises:
            CliError: The vault refused, or cannot be reached.
        """
        return self._send("GET", self._url(path)).json()

    def download(self, path: str) -> bytes:
        """Fetch a file.

        Raises:
            CliError: The vault refused, or cannot be reached.
        """
        return self._send("GET", self._url(path)).content

    def find(self, path: str) -> Json | None:
        """Fetch one resource, or None when there is none."""
        try:
            return self.get(path)
        except CliError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def find_version(self, path: str) -> tuple[Json | None, str]:
        """Fetch one resource with its ETag; nothing when there is none."""
        try:
            response = self._send("GET", self._url(path))
        except CliError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None, ""
            raise
        return response.json(), response.headers.get("etag", "")

    def list_all(self, path: str) -> list[Json]:
        """Fetch all resources of a collection, page by page."""
        return [resource for page in self._pages(self._url(path)) for resource in dig_list(page, "value")]

    def list_some(self, path: str, limit: int) -> list[Json]:
        """Fetch the first resources of a collection, and no page more than they need."""
        found = (resource for page in self._pages(self._url(path)) for resource in dig_list(page, "value"))
        return list(islice(found, limit))

    def put(self, path: str, body: Json) -> Json:
        """Create or change a resource, and wait until the vault is done."""
        return self._put(path, body, {})

    def put_version(self, path: str, body: Json, etag: str) -> Json:
        """Change the version of a resource that has an ETag, or create one that does not exist; wait as `put` does.

        Raises:
            CliError: status 412: it is another version by now, or exists.
        """
        return self._put(path, body, {"If-Match": etag} if etag else {"If-None-Match": "*"})

    def patch(self, path: str, body: Json) -> Json:
        """Change members of a resource and answer it."""
        return self._send("PATCH", self._url(path), body).json()

    def delete(self, path: str, on_accepted: Callable[[], None] | None = None) -> bool:
        """Delete a resource, wait until it is gone and say whether it was there.

        Args:
            path: Of the resource.
            on_accepted: Called when there is something to wait for.
        """
        response = self._send("DELETE", self._url(path))
        if response.status_code == HTTPStatus.ACCEPTED:
            if on_accepted is not None:
                on_accepted()
            self._follow(response)
        return response.status_code != HTTPStatus.NO_CONTENT

    def post(self, path: str, body: Json) -> Json:
        """Start an operation, wait until it is over and answer its result, which is empty when it has none."""
        response = self._send("POST", self._url(path), body)
        if response.status_code == HTTPStatus.ACCEPTED:
            response = self._follow(response)
        return response.json() if response.content else {}

    def watch_job(self, job_id: str) -> Iterator[Json]:
        """Answer the job each time that it is looked at, until it has ended."""
        while True:
            response = self._send("GET", self._url(f"backupJobs/{quote(job_id)}"))
            job: Json = response.json()
            yield job
            if job["properties"]["status"] in ENDED:
                return
            self._sleep(_pause_of(response, POLL_SECONDS))

    def _put(self, path: str, body: Json, conditions: Mapping[str, str]) -> Json:
        response = self._send("PUT", self._url(path), body, conditions)
        if response.status_code == HTTPStatus.OK:
            return response.json()
        self._follow(response)
        return self.get(path)

    def _pages(self, url: str) -> Iterator[Json]:
        following: str | None = url
        while following:
            page: Json = self._send("GET", following).json()
            yield page
            following = page.get("nextLink")

    def _follow(self, response: httpx.Response) -> httpx.Response:
        """Wait for a long-running operation and answer what its `Location` says in the end."""
        status_url, result_url = response.headers.get("azure-asyncoperation"), response.headers.get("location")
        while status_url:
            self._sleep(_pause_of(response, POLL_SECONDS))
            response = self._send("GET", status_url)
            status: Json = response.json()
            word = str(status.get("status")).lower()
            if word in {"failed", "canceled", "cancelled"}:
                raise read_failure(status.get("error") or {"message": f"the operation ended as {word}"})
            if word == "succeeded":
                break
        if not result_url:
            return response
        response = self._send("GET", result_url)
        while response.status_code == HTTPStatus.ACCEPTED:
            self._sleep(_pause_of(response, POLL_SECONDS))
            response = self._send("GET", result_url)
        return response

    def _url(self, path: str) -> str:
        if path.startswith("/"):
            return self.connection.api_url + path
        vault = self.connection.api_url + quote(self.connection.vault_id)
        return f"{vault}/{path}".rstrip("/") + f"?api-version={API_VERSION}"

    def _send(
        self, method: str, url: str, body: Json | None = None, conditions: Mapping[str, str] | None = None
    ) -> httpx.Response:
        self._check_origin(url)
        # The same id in every try: the vault answers a repeated request as it answered the first.
        request_id = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        own = {"Authorization": f"Bearer {self.connection.token}", "x-ms-client-request-id": request_id}
        headers = {**own, **(conditions or {})}
        tries_left = TRIES
        while True:
            tries_left -= 1
            try:
                response = self._client.request(method, url, json=body, headers=headers)
            except httpx.TransportError as error:
                if not tries_left:
                    action = "check the address, and that the vault is running"
                    raise CliError(f"cannot reach {self.connection.api_url}: {error}", actions=[action]) from error
                self._sleep(PAUSE_SECONDS)
                continue
            if response.status_code in BUSY and tries_left:
                self._sleep(_pause_of(response, PAUSE_SECONDS))
                continue
            if response.is_error:
                raise read_refusal(response)
            return response

    def _check_origin(self, url: str) -> None:
        """Refuse to show the token to another host than the vault's."""
        asked, known = httpx.URL(url), httpx.URL(self.connection.api_url)
        if (asked.scheme, asked.host, asked.port) != (known.scheme, known.host, known.port):
            raise CliError(f"the vault sends its clients to another host: {asked.scheme}://{asked.host}")


def _pause_of(response: httpx.Response, otherwise: float) -> float:
    """Answer the seconds of `Retry-After`, the only form that the vault sends."""
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else otherwise
