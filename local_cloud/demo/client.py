"""A small client of the vault's API, as any script would write one: plain HTTP, long-running operations followed."""

import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

API_VERSION = "2026-06-01"
WAIT_SECONDS = 180.0
POLL_SECONDS = 0.3


class ApiError(Exception):
    """The vault refused or failed; the message is its own."""


class VaultClient:
    """Calls one vault as one person."""

    def __init__(self, api: str, vault_id: str, token: str) -> None:
        self._base = api
        self.vault_id = vault_id
        self._http = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        """Answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str) -> dict[str, Any]:
        """GET a resource below the vault."""
        return self._body(self._send("GET", path))

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """PUT a resource below the vault and wait for its operation."""
        answer = self._send("PUT", path, body)
        self._follow(answer)
        return self._body(answer)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """POST an action below the vault, wait for its operation and answer its result."""
        answer = self._send("POST", path, body)
        return self._follow(answer)

    def wait_for_job(self, job_id: str, on_change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Look at a job until it has ended well.

        Raises:
            ApiError: It failed, or did not end in time.
        """
        name = job_id.rpartition("/")[2]
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            job = self.get(f"/backupJobs/{name}")["properties"]
            on_change(job)
            if job["status"] in {"Completed", "CompletedWithWarnings"}:
                return job
            if job["status"] != "InProgress":
                raise ApiError(f"job {name} ended {job['status']}: {job.get('errorDetails')}")
            time.sleep(POLL_SECONDS)
        raise ApiError(f"job {name} did not end within {WAIT_SECONDS:.0f} s")

    def wait_for_scheduled_job(self, known: set[str]) -> str:
        """Wait until the schedule has made a backup job that was not known; answers its id."""
        until = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < until:
            for job in self.get("/backupJobs")["value"]:
                facts = job["properties"]
                if facts["operationCategory"] == "Backup" and not facts["isUserTriggered"] and job["id"] not in known:
                    return str(job["id"])
            time.sleep(POLL_SECONDS)
        raise ApiError("the schedule made no backup job")

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        url = path if path.startswith("http") else f"{self._base}{self.vault_id}{path}"
        answer = self._http.request(method, url, params={"api-version": API_VERSION}, json=body)
        if answer.is_error:
            raise ApiError(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer

    def _follow(self, answer: httpx.Response) -> dict[str, Any]:
        monitor, result = answer.headers.get("azure-asyncoperation"), answer.headers.get("location")
        until = time.monotonic() + WAIT_SECONDS
        while monitor and time.monotonic() < until:
            state = self._http.get(monitor).raise_for_status().json()
            if state["status"] == "Succeeded":
                return self._body(self._http.get(result)) if result else {}
            if state["status"] in {"Failed", "Canceled"}:
                raise ApiError(f"{answer.request.url.path}: {state.get('error')}")
            time.sleep(POLL_SECONDS)
        if monitor:
            raise ApiError(f"{answer.request.url.path} did not end within {WAIT_SECONDS:.0f} s")
        return self._body(answer)

    @staticmethod
    def _body(answer: httpx.Response) -> dict[str, Any]:
        body: dict[str, Any] = answer.json() if answer.content else {}
        return body
