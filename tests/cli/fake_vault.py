"""A vault of a few hundred bytes at the HTTP edge: documented paths, status codes and long-running operations."""

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

API_URL = "http://127.0.0.1:7071/api"
VAULT_ID = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg-flexvault"
    "/providers/Microsoft.DataProtection/backupVaults/flexvault"
)
LOCATIONS = "/subscriptions/11111111-1111-1111-1111-111111111111/providers/Microsoft.DataProtection/locations/eastus"
SERVER_ID = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-data"
    "/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-orders"
)
POINT_ID = "0192f0c1a2b3c4d5e6f708192a3b4c5d"
JOB_ID = "0192f0c1-a2b3-c4d5-e6f7-08192a3b4c5d"

COLLECTIONS = frozenset({"backupPolicies", "backupInstances", "deletedBackupInstances"})

type Json = dict[str, Any]
type Handler = Callable[[httpx.Request], httpx.Response]


def a_policy(name: str, interval: str = "R/2026-11-01T02:00:00+00:00/P1D") -> Json:
    return {
        "name": name,
        "properties": {
            "objectType": "BackupPolicy",
            "datasourceTypes": ["Microsoft.DBforPostgreSQL/flexibleServers"],
            "policyRules": [
                {
                    "objectType": "AzureBackupRule",
                    "name": "BackupDaily",
                    "trigger": {"schedule": {"repeatingTimeIntervals": [interval]}},
                },
                {
                    "objectType": "AzureRetentionRule",
                    "name": "Default",
                    "isDefault": True,
                    "lifecycles": [{"deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": "P3M"}}],
                },
            ],
        },
    }


def an_instance(name: str = "pg-orders-1", server: str = "pg-orders", policy: str = "daily") -> Json:
    return {
        "name": name,
        "properties": {
            "friendlyName": server,
            "dataSourceInfo": {"resourceID": SERVER_ID},
            "policyInfo": {"policyId": f"{VAULT_ID}/backupPolicies/{policy}"},
            "currentProtectionState": "ProtectionConfigured",
        },
    }


def a_job(status: str = "Completed", **properties: Any) -> Json:
    return {
        "name": JOB_ID,
        "properties": {
            "operation": "Backup",
            "status": status,
            "backupInstanceFriendlyName": "pg-orders",
            "startTime": "2026-11-25T02:00:00Z",
            **properties,
        },
    }


def refuse(status: int, code: str, message: str, *actions: str) -> httpx.Response:
    info = {"type": "UserFacingError", "info": {"recommendedAction": list(actions)}}
    error = {"code": code, "message": message, "additionalInfo": [info] if actions else []}
    return httpx.Response(status, json={"error": error})


class FakeVault:
    """Keeps resources by path and remembers every request.

    Attributes:
        resources: Answer of GET by path below the vault.
        jobs: The looks at the one job; the last one stays.
        answers: Handlers that come first, by method and path pattern; each is used once.
        requests: Every request, in order.
        slept: Every wait, in seconds.
    """

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {
            "": {
                "name": "flexvault",
                "id": VAULT_ID,
                "location": "eastus",
                "properties": {"provisioningState": "Succeeded"},
            },
            "backupPolicies/daily": a_policy("daily"),
            "backupInstances/pg-orders-1": an_instance(),
            f"backupInstances/pg-orders-1/recoveryPoints/{POINT_ID}": {
                "name": POINT_ID,
                "properties": {"recoveryPointTime": "2026-11-25T02:03:00Z", "retentionTagName": "Default"},
            },
        }
        self.jobs = [a_job()]
        self.answers: list[tuple[str, str, Handler]] = []
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.pending: list[str] = []

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.handle)

    def answer_once(self, method: str, pattern: str, handler: Handler) -> None:
        self.answers.append((method, pattern, handler))

    def sent(self, method: str) -> list[str]:
        """List the paths below the vault that a method was sent to."""
        return [self.path_of(request) for request in self.requests if request.method == method]

    def body(self, method: str, position: int = -1) -> Json:
        found: Json = json.loads([request for request in self.requests if request.method == method][position].content)
        return found

    def path_of(self, request: httpx.Request) -> str:
        return request.url.path.removeprefix("/api").removeprefix(VAULT_ID).strip("/")

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = self.path_of(request)
        for answer in self.answers:
            method, pattern, handler = answer
            if method == request.method and re.fullmatch(pattern, path):
                self.answers.remove(answer)
                return handler(request)
        if request.headers["authorization"] != "Bearer token-of-operator":
            return refuse(401, "InvalidAuthenticationToken", "the token is not valid")
        return getattr(self, f"on_{request.method.lower()}")(path, request)

    def on_get(self, path: str, request: httpx.Request) -> httpx.Response:
        if "/operationStatus/" in request.url.path:
            word = self.pending.pop(0) if self.pending else "Succeeded"
            return httpx.Response(200, json={"status": word}, headers={"Retry-After": "7"})
        if "/operationResults/" in request.url.path:
            job = {"objectType": "OperationJobExtendedInfo", "jobId": f"{VAULT_ID}/backupJobs/{JOB_ID}"}
            return httpx.Response(200, json=job)
        found = self.find(path)
        return httpx.Response(200, json=found) if found else refuse(404, "ResourceNotFound", f"{path} does not exist")

    def find(self, path: str) -> Json | None:
        if path == "backupJobs":
            return {"value": [self.jobs[-1]]}
        if path == f"backupJobs/{JOB_ID}":
            return self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0]
        if path in self.resources:
            return self.resources[path]
        below = [body for key, body in self.resources.items() if key and key.rpartition("/")[0] == path]
        return {"value": below} if below or path in COLLECTIONS else None

    def on_put(self, path: str, request: httpx.Request) -> httpx.Response:
        body = {"name": path.rpartition("/")[2], **json.loads(request.content)}
        self.resources[path] = body
        if path.startswith("backupPolicies/"):
            return httpx.Response(200, json=body)
        return httpx.Response(201, json=body, headers={"Azure-AsyncOperation": self.operation("Status")})

    def on_delete(self, path: str, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if self.resources.pop(path, None) else 204)

    def on_post(self, _path: str, _request: httpx.Request) -> httpx.Response:
        headers = {
            "Azure-AsyncOperation": self.operation("Status"),
            "Location": self.operation("Results"),
            "Retry-After": "3",
        }
        return httpx.Response(202, headers=headers)

    def operation(self, kind: str) -> str:
        return f"{API_URL}{LOCATIONS}/operation{kind}/b3BlcmF0aW9u?api-version=2026-06-01"
