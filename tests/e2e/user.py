"""A person who uses a vault through its API."""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import httpx

from local_cloud.launch import VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from tests.e2e import bodies
from tests.e2e.waiting import wait_for

API_VERSION = "2026-06-01"
TIMEOUT_SECONDS = 60
GOOD_ENDS = ("Completed", "CompletedWithWarnings")


class User:
    """Sends requests as one person."""

    def __init__(self, vault: VaultHost, person: str = "contributor") -> None:
        """Take the person's token; requests of other tokens may be sent, too."""
        self.vault = vault
        endpoints = vault.endpoints
        self.vault_id = endpoints["vaultResourceId"]
        self.servers = {name: server["resourceId"] for name, server in endpoints["servers"].items()}
        self._restore = endpoints["storage"]["restore"]
        self._token = endpoints["people"][person]
        self._api = str(endpoints["api"])
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def reconnect(self) -> None:
        """Go on with a host that was started again, at another port."""
        self._api = str(self.vault.endpoints["api"])

    def send(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a request to a path below the vault, below `/api`, or to a whole URL; every status is an answer."""
        url = path if path.startswith("http") else f"{self._api}{self.vault_id}{path}"
        url = f"{self._api}{path}" if path.startswith("/vault/") else url
        sent = {"Authorization": f"Bearer {self._token}"} if headers is None else dict(headers)
        return self._http.request(method, url, params={"api-version": API_VERSION}, json=body, headers=sent)

    def send_approved(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a critical request, have a second person approve it, and send it again."""
        refused = self.send(method, path, body)
        assert refused.status_code == 403, refused.text
        assert refused.json()["error"]["code"] == "ApprovalRequired"
        with closing(User(self.vault, "approver")) as approver:
            answer = approver.send("POST", f"/vault/approvals/{refused.json()['error']['target']}/approve", {})
        assert answer.status_code == 200, answer.text
        return self.send(method, path, body)

    def get(self, path: str) -> dict[str, Any]:
        """GET what must be there."""
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finish(self, answer: httpx.Response) -> dict[str, Any]:
        """Follow a long-running operation; answers its status document at the end."""
        assert answer.status_code in {200, 201, 202}, answer.text
        monitor = answer.headers.get("azure-asyncoperation")
        if monitor is None:
            return {"status": "Succeeded"}

        def look() -> dict[str, Any] | None:
            document = self.get(monitor)
            return None if document["status"] == "Inprogress" else document

        return wait_for(look, f"the end of {answer.request.url.path}")

    def put_policy(self, name: str, body: Mapping[str, Any]) -> None:
        """Create or change a policy."""
        answer = self.send("PUT", f"/backupPolicies/{name}", body)
        assert answer.status_code == 200, answer.text

    def put_instance(self, server_id: str, policy_name: str, *, name: str = "") -> httpx.Response:
        """Ask for a server's protection, whatever the answer."""
        properties = bodies.instance(self.vault_id, server_id, policy_name)
        return self.send("PUT", instance_path(server_id, name), {"properties": properties})

    def protect(self, server: str = "pg-orders", policy_name: str = "daily") -> str:
        """Protect one of the vault's servers and wait for it; answers the instance's path."""
        server_id = self.servers[server]
        ended = self.finish(self.put_instance(server_id, policy_name))
        assert ended["status"] == "Succeeded", ended
        path = instance_path(server_id)
        assert self.get(path)["properties"]["currentProtectionState"] == "ProtectionConfigured"
        return path

    def back_up(self, instance: str) -> str:
        """Back up now; answers the job's id."""
        return self._job_of(self.send("POST", f"{instance}/backup", bodies.on_demand()))

    def restore_order(self, point: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        """Order a restore into the vault's own restore container."""
        url = f"{self._restore['blobEndpoint']}/{RESTORE_CONTAINER}"
        return bodies.restore(point["name"], url, self._restore["resourceId"], prefix)

    def restore(self, instance: str, point: Mapping[str, Any], prefix: str) -> str:
        """Restore a point; answers the job's id."""
        return self._job_of(self.send("POST", f"{instance}/restore", self.restore_order(point, prefix)))

    def verify_deeply(self, instance: str, point: Mapping[str, Any]) -> str:
        """Verify a point deeply; answers the job's id."""
        return self._job_of(self.send("POST", f"{self.own_point(instance, point)}/verify"))

    def own_point(self, instance: str, point: Mapping[str, Any]) -> str:
        """Answer a point's path in the part of the API that Azure Backup does not have."""
        return f"/vault{instance}/recoveryPoints/{point['name']}"

    def job(self, job_id: str) -> dict[str, Any]:
        """Look at a job."""
        found: dict[str, Any] = self.get(f"/backupJobs/{job_id}")["properties"]
        return found

    def end_of(self, job_id: str, within_seconds: float = 60) -> dict[str, Any]:
        """Wait until a job has ended, however it ended."""

        def look() -> dict[str, Any] | None:
            job = self.job(job_id)
            return None if job["status"] == "InProgress" else job

        return wait_for(look, f"the end of job {job_id}", within_seconds)

    def good_end_of(self, job_id: str, within_seconds: float = 60) -> dict[str, Any]:
        """Wait until a job has ended well."""
        job = self.end_of(job_id, within_seconds)
        assert job["status"] in GOOD_ENDS, job
        return job

    def jobs(self, category: str = "") -> list[dict[str, Any]]:
        """List the jobs, newest first, of one category if it is named."""
        found: list[dict[str, Any]] = self.get("/backupJobs")["value"]
        return [job for job in found if category in {"", job["properties"]["operationCategory"]}]

    def points(self, instance: str) -> list[dict[str, Any]]:
        """List an instance's recovery points, newest first."""
        found: list[dict[str, Any]] = self.get(f"{instance}/recoveryPoints")["value"]
        return found

    def new_point(self, instance: str) -> dict[str, Any]:
        """Back up now and wait; answers the recovery point."""
        job_id = self.back_up(instance)
        self.good_end_of(job_id)
        return self.point_of(instance, job_id)

    def point_of(self, instance: str, job_id: str) -> dict[str, Any]:
        """Answer the recovery point that a backup job made."""
        name = job_id.replace("-", "")
        return next(point for point in self.points(instance) if point["name"] == name)

    def _job_of(self, answer: httpx.Response) -> str:
        self.finish(answer)
        result = self.get(answer.headers["location"])
        return str(result["jobId"]).rpartition("/")[2]


def instance_path(server_id: str, name: str = "") -> str:
    """Answer the path of a backup instance below its vault."""
    return f"/backupInstances/{name or bodies.instance_name(server_id)}"
