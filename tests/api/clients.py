"""How Terraform, the Azure CLI and PowerShell talk to Azure Backup: their headers, and how they wait for an end.

From their sources and recordings (read in November 2026): `hashicorp/go-azure-sdk` `sdk/client/resourcemanager/poller_lro.go`
and the provider's custom pollers; `Azure/azure-cli-extensions` recordings of `dataprotection`, which poll by azure-core's
`ARMPolling`; `Azure/azure-powershell` `DataProtection.Autorest`. Each is stricter than the real service needs it to be,
because a word or header that one of them does not know ends it.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from tests.api.doors import INSTANCE, ORIGIN, Door, Sent

GUID = "11111111-2222-3333-4444-555555555555"
TERRAFORM_HEADERS = {
    "Accept": "application/json; charset=utf-8; IEEE754Compatible=false",
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "HashiCorp Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-azurerm/4.30.0",
    "X-Ms-Correlation-Request-Id": GUID,
}
CLI_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "CommandName": "dataprotection backup-instance create",
    "Connection": "keep-alive",
    "Content-Type": "application/json",
    "ParameterSetName": "-g --vault-name --backup-instance",
    "User-Agent": "AZURECLI/2.60.0 (PIP) azsdk-python-core/1.28.0 Python/3.11.5 (Linux-6.5.0-x86_64-with-glibc2.36)",
}
POWERSHELL_HEADERS = {
    "Accept": "application/json",
    "CommandName": "New-AzDataProtectionBackupInstance",
    "Content-Type": "application/json",
    "FullCommandName": "New-AzDataProtectionBackupInstance_CreateExpanded",
    "ParameterSetName": "__AllParameterSets",
    "User-Agent": "AzurePowershell/v12.0.0 PSVersion/v7.4.2 Az.DataProtection/2.5.0",
    "x-ms-unique-id": "7",
}


class ClientError(Exception):
    """The client gives up."""


@dataclass(kw_only=True)
class Client:
    """Sends requests as one tool does; while it waits, time passes and the vault's jobs run."""

    door: Door
    headers: dict[str, str]
    api_version: str
    waits: list[float] = field(default_factory=list[float])
    requests: int = 0

    def send(self, method: str, path: str, body: Any = None, query: str = "") -> Sent:
        self.requests += 1
        headers = {**self.first_headers(method), "x-ms-client-request-id": f"{GUID[:-4]}{self.requests:04d}"}
        query = "&".join(part for part in (query, f"api-version={self.api_version}") if part)
        return self.door.send(method, path, body, query=query, headers=headers)

    def first_headers(self, method: str) -> dict[str, str]:
        del method  # some clients send others with a DELETE
        return dict(self.headers)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) > 50:
            raise ClientError("it never ends")
        self.door.run_jobs()
        self.door.world.clock.advance(timedelta(seconds=seconds))

    def succeed(self, sent: Sent, *statuses: int) -> Sent:
        if sent.status not in (statuses or (200,)):
            raise ClientError(f"{sent.status}: {sent.body.decode()}")
        return sent


class Terraform(Client):
    """The provider's client: strict about words, content types and absolute URLs."""

    RUNNING = frozenset(
        {"accepted", "creating", "deleting", "inprogress", "pending", "provisioning", "running", "updating"}
    )
    ENDED = frozenset({"cancelled", "canceled", "failed"})

    def __init__(self, door: Door) -> None:
        super().__init__(door=door, headers=dict(TERRAFORM_HEADERS), api_version="2025-07-01")

    def finish(self, first: Sent) -> Sent:
        """Wait for the end of an operation; answers the last document that it read."""
        if first.status == 200 and first.json["properties"]["provisioningState"] == "Succeeded":
            return first
        url = first.header("Azure-AsyncOperation") or first.header("Location")
        if not url:
            raise ClientError("no URL to poll")
        parts = urlsplit(url)
        if not parts.scheme or not parts.netloc:
            raise ClientError(f"not absolute: {url}")
        if parts.netloc != urlsplit(ORIGIN).netloc:
            raise ClientError(f"another host: {url}")
        wait = first.header("Retry-After")
        while True:
            self.wait(float(wait) if wait else 10.0)
            # It takes only path and query of the header.
            polled = self._read(f"https://{urlsplit(ORIGIN).netloc}{parts.path}?{parts.query}")
            wait = polled.header("Retry-After")
            if self._is_over(polled):
                return polled

    def wait_until_protected(self, pending: str) -> dict[str, Any]:
        """Read the instance until it is protected: any state but that and the pending one is an error at once."""
        self.wait(5)
        while True:
            shown = self.succeed(self.send("GET", INSTANCE)).json
            state = shown["properties"]["currentProtectionState"]
            if state == "ProtectionConfigured":
                return shown
            if state != pending:
                raise ClientError(f"unexpected state '{state}', wanted target 'ProtectionConfigured'")
            self.wait(60)

    def _read(self, url: str) -> Sent:
        self.requests += 1
        polled = self.door.send("GET", url, headers=self.headers)
        return self.succeed(polled, 200, 202, 204)

    def _is_over(self, polled: Sent) -> bool:
        if polled.status == 202:
            return False
        if polled.status == 204 or not polled.body:
            return True
        if "application/json" not in polled.header("Content-Type"):
            raise ClientError(f"content type {polled.header('Content-Type')}")
        document = polled.json
        word = document.get("status") or document.get("properties", {}).get("provisioningState")
        if not word:
            raise ClientError("neither status nor properties.provisioningState")
        if word.lower() in self.ENDED:
            raise ClientError(f"{word}: {document.get('error')}")
        if word.lower() not in {*self.RUNNING, "succeeded"}:
            raise ClientError(f"the word '{word}' is not known")
        return word.lower() == "succeeded"


class AzureCli(Client):
    """azure-core's ARM polling: the status at once, then by Retry-After or every 30 s; the result is at Location."""

    def __init__(self, door: Door, api_version: str = "2026-03-01") -> None:
        super().__init__(door=door, headers=dict(CLI_HEADERS), api_version=api_version)

    def first_headers(self, method: str) -> dict[str, str]:
        if method != "DELETE":
            return dict(self.headers)
        return {**self.poll_headers(), "Content-Length": "0"}

    def poll_headers(self) -> dict[str, str]:
        return {**{name: value for name, value in self.headers.items() if name != "Content-Type"}, "Accept": "*/*"}

    def finish(self, first: Sent, *, has_result: bool = True) -> Sent:
        """Wait for the end and read the result, which a DELETE has not."""
        status_url, result_url = first.header("Azure-AsyncOperation"), first.header("Location")
        while True:
            polled = self.succeed(self.door.send("GET", status_url, headers=self.poll_headers()))
            word = polled.json["status"].lower()
            if word in {"failed", "canceled"}:
                raise ClientError(str(polled.json["error"]["code"]))
            if word == "succeeded":
                break
            self.wait(float(polled.header("Retry-After") or first.header("Retry-After") or 30))
        if not has_result:
            return polled
        return self.succeed(self.door.send("GET", result_url, headers=self.poll_headers()), 200, 204)

    def show_job(self, job_id: str) -> dict[str, Any]:
        """Poll a job as the extension's tests do: every 10 s, and any fourth word is an error."""
        while True:
            properties = self.succeed(self.send("GET", job_id)).json["properties"]
            if properties["status"] == "Completed":
                return properties
            if properties["status"] != "InProgress":
                raise ClientError(f"job {properties['status']}")
            self.wait(10)


class PowerShell(AzureCli):
    """The module's generated client ends the same way: status, then the result; its headers are its own."""

    def __init__(self, door: Door) -> None:
        super().__init__(door, "2025-07-01")
        self.headers = dict(POWERSHELL_HEADERS)
