"""One vault, and a place in it for each flavour of the SDK: its own server, instance and policy."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from azure.mgmt.dataprotection.models import BackupInstanceResource, BaseBackupPolicyResource

from local_cloud.launch import VaultHost
from tests.e2e import bodies
from tests.e2e.owner import Owner
from tests.e2e.sdk.driving import AioDriver, Driver, SyncDriver
from tests.e2e.user import GOOD_ENDS, User, instance_path
from tests.e2e.waiting import wait_for

SERVERS = {"sync": "pg-orders", "aio": "pg-billing"}


@dataclass(kw_only=True)
class Walk:
    """What one flavour of the SDK does in the vault; the tests of a module go one after the other."""

    driver: Driver
    vault: VaultHost
    user: User
    """For what is the vault's own and no SDK knows: approvals."""

    @property
    def place(self) -> tuple[str, str]:
        """Resource group and name of the vault."""
        segments = self.user.vault_id.split("/")
        return segments[4], segments[8]

    @property
    def name(self) -> str:
        """The backup instance, which is named after its flavour."""
        return f"walk-{self.driver.flavour}"

    @property
    def server_id(self) -> str:
        """The server that this flavour protects."""
        return self.user.servers[SERVERS[self.driver.flavour]]

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the SDK."""
        return self.driver.call(method, *args, **kwargs)

    def instance(self, policy: str = "") -> BackupInstanceResource:
        """What protects the server."""
        properties = bodies.instance(self.user.vault_id, self.server_id, policy or self.name)
        return BackupInstanceResource({"properties": properties})

    def policy(self, keep_for: str = "P3M") -> BaseBackupPolicyResource:
        """A policy whose first slot is a day away."""
        return BaseBackupPolicyResource(bodies.policy(keep_for=keep_for))

    def approve(self, approval_id: str) -> None:
        """Have the second person approve."""
        with closing(User(self.vault, "approver")) as approver:
            approver.send("POST", f"/vault/approvals/{approval_id}/approve", {}).raise_for_status()

    def end_of(self, job_id: str) -> Any:
        """Wait for the good end of a job that an operation named by its full id."""
        assert job_id.startswith(f"{self.user.vault_id}/backupJobs/")

        def look() -> Any:
            job = self.call("jobs.get", *self.place, job_id.rpartition("/")[2])
            assert job.properties.status in {"InProgress", *GOOD_ENDS}, job.properties.error_details
            return job if job.properties.status in GOOD_ENDS else None

        return wait_for(look, f"the end of {job_id}")

    @property
    def path(self) -> str:
        """The instance below the vault."""
        return instance_path("", self.name)


@pytest.fixture(scope="module", params=[SyncDriver, AioDriver], ids=["sync", "aio"])
def walk(request: pytest.FixtureRequest, vault: VaultHost, user: User, owner: Owner) -> Iterator[Walk]:
    """A walk that has not begun: nothing is protected."""
    driver: Driver = request.param(vault)
    owner.change_server(user.servers[SERVERS[driver.flavour]], minimumDurationSeconds=0)
    try:
        yield Walk(driver=driver, vault=vault, user=user)
    finally:
        driver.close()
