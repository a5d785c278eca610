"""The ARM ports twice: in memory, and over Azure's SDKs against the ARM emulator; and the other parties' hands."""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.ltr import AzureLtr
from flexvault.adapters.azure.roles import AzureRoles
from flexvault.adapters.azure.servers import AzureServers
from flexvault.adapters.azure.storage_accounts import StorageAccounts
from flexvault.adapters.memory.build import memory_ports
from flexvault.domain.errors import ConflictError, NotAuthorizedError, OutcomeUnknownError, ThrottledError
from flexvault.ports import AzureBackupInstance, LongTermRetention, Server, Servers, SourceRoles, WriteGrant
from local_cloud.arm_emulator.config import EmulatorConfig, InitialRoleAssignment
from local_cloud.arm_emulator.roles import RBAC_ADMINISTRATOR_ROLE, READER_ROLE
from local_cloud.arm_emulator.server import EmulatorServer
from local_cloud.certificates import Certificates
from local_cloud.landscape import LOCATION
from tests.emulator.people import CONTROL, OWNER, Credential, IdentityService
from tests.emulator.places import ACCOUNT, ACCOUNT_ID, GROUP, GROUP_ID, SERVER_ID, SUBSCRIPTION, TENANT, server_of

PLANTED = "c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
"""The signature in every URL that a test hands out: no text of ours may hold it."""
START = "startLtrBackup"
SERVER_NAME = "pg-orders"


SUBNET_ID = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/net/subnets/servers"
PRIMARY_ID = f"{GROUP_ID}/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-primary"


def azure_backup_id(name: str) -> str:
    """Answer the id of an instance in a vault of Azure Backup."""
    return f"{GROUP_ID}/providers/Microsoft.DataProtection/backupVaults/theirs/backupInstances/{name}"


def grant_of(*containers: str) -> WriteGrant:
    """Answer a grant that the emulator takes; nothing listens behind it."""
    query = f"sr=c&sp=racwl&se=2999-01-01T00%3A00%3A00Z&sig={PLANTED}&grant=0"
    return WriteGrant([f"https://127.0.0.1:1/landing/{container}?{query}" for container in containers or ("c0",)])


class ArmRun(Protocol):
    """The three ports of one run, and what Azure and its people do beside them."""

    @property
    def servers(self) -> Servers: ...
    @property
    def ltr(self) -> LongTermRetention: ...
    @property
    def roles(self) -> SourceRoles: ...
    def set_state(self, state: str) -> None: ...
    def change_kind(self) -> None: ...
    def protect_by_azure_backup(self, *states: str) -> None: ...
    def forbid_reading(self) -> None: ...
    def delete_server(self) -> None: ...
    def forbid_granting(self) -> None: ...
    def keep_running(self) -> None: ...
    def end_failed(self, code: str, message: str) -> None: ...
    def throttle(self, seconds: int) -> None: ...
    def refuse_start_as(self, code: str) -> None: ...
    def lose_answer(self, *, accepted: bool) -> None: ...
    def accepted(self) -> list[str]: ...
    def assignments(self) -> int: ...


class MemoryRun:
    """Dictionaries."""

    def __init__(self) -> None:
        self._memory = memory_ports()
        self.servers, self.ltr, self.roles = self._memory.servers, self._memory.ltr, self._memory.roles
        # A grant of the test is one that the landing account issued.
        self._memory.storage.issue_grant(["c0", "c1"], "racwl", timedelta(hours=1))
        created_at = self._memory.clock.storage_now()
        server = Server(id=SERVER_ID, name=SERVER_NAME, location=LOCATION, state="Ready", created_at=created_at)
        self.servers.put(server)

    def set_state(self, state: str) -> None:
        self.servers.set_state(SERVER_ID, state)

    def change_kind(self) -> None:
        self.servers.change(
            SERVER_ID,
            storage_size_gib=2048,
            storage_type="PremiumV2_LRS",
            cluster_size=4,
            public_network_access="Disabled",
            delegated_subnet_id=SUBNET_ID,
            private_endpoints=2,
            replication_role="AsyncReplica",
            source_server_id=PRIMARY_ID,
        )

    def protect_by_azure_backup(self, *states: str) -> None:
        instances = [AzureBackupInstance(id=azure_backup_id(state), state=state) for state in states]
        self.servers.protect_by_azure_backup(SERVER_ID, *instances)

    def forbid_reading(self) -> None:
        hint = self.roles.grant_commands(SERVER_ID)
        refused = NotAuthorizedError("it lacks Microsoft.DataProtection/backupInstances/read", hint=hint)
        self._memory.faults.fail_next("servers.list_azure_backup_instances", refused)

    def delete_server(self) -> None:
        self.servers.remove(SERVER_ID)

    def forbid_granting(self) -> None:
        self.roles.may_grant = False

    def keep_running(self) -> None:
        """Nothing ends here while the clock stands."""

    def end_failed(self, code: str, message: str) -> None:
        script = replace(self.ltr.script, status="Failed", error_code=code, error_message=message)
        self.ltr.script = replace(script, duration=timedelta())

    def throttle(self, seconds: int) -> None:
        self._memory.faults.fail_next("ltr.start", ThrottledError("a pause", retry_after_seconds=seconds))

    def refuse_start_as(self, code: str) -> None:
        self._memory.faults.fail_next("ltr.start", ConflictError("busy", code=code))

    def lose_answer(self, *, accepted: bool) -> None:
        self._memory.faults.fail_next("ltr.start", OutcomeUnknownError("no answer"), after=accepted)

    def accepted(self) -> list[str]:
        return [backup.backup_name for backup in self.ltr.accepted]

    def assignments(self) -> int:
        return len(self.roles.grants)


class EmulatorRun:
    """The emulator, in a thread of this process."""

    def __init__(self, emulator: EmulatorServer, arm: Arm) -> None:
        self._server = emulator
        self._emulator = emulator.emulator
        self.servers, self.ltr, self.roles = AzureServers(arm), AzureLtr(arm, start_timeout_seconds=5), AzureRoles(arm)
        self.storage_accounts = StorageAccounts(arm)
        self.arm = arm

    def set_state(self, state: str) -> None:
        self._emulator.change_server(SERVER_NAME, {"state": state})

    def change_kind(self) -> None:
        changes: dict[str, Any] = {
            "storageSizeGB": 2048,
            "storageType": "PremiumV2_LRS",
            "clusterSize": 4,
            "publicNetworkAccess": "Disabled",
            "delegatedSubnetResourceId": SUBNET_ID,
            "privateEndpoints": 2,
            "replicationRole": "AsyncReplica",
            "sourceServerResourceId": PRIMARY_ID,
        }
        self._emulator.change_server(SERVER_NAME, changes)

    def protect_by_azure_backup(self, *states: str) -> None:
        instances = [{"id": azure_backup_id(state), "currentProtectionState": state} for state in states]
        self._emulator.change_server(SERVER_NAME, {"azureBackupInstances": instances})

    def forbid_reading(self) -> None:
        self._emulator.access.delete_below(GROUP_ID)

    def delete_server(self) -> None:
        self._emulator.delete_server(self._emulator.inventory.get_server(SUBSCRIPTION, GROUP, SERVER_NAME))

    def forbid_granting(self) -> None:
        self._emulator.access.delete_below(GROUP_ID)

    def keep_running(self) -> None:
        self.order("hold-backup", START, seconds=60)

    def end_failed(self, code: str, message: str) -> None:
        self.order("backup-failed", START, errorCode=code, errorMessage=message)

    def throttle(self, seconds: int) -> None:
        self.order("throttle", START, retryAfterSeconds=seconds)

    def refuse_start_as(self, code: str) -> None:
        self.order("error-before", START, status=409, code=code, message="The server is busy.")

    def lose_answer(self, *, accepted: bool) -> None:
        if accepted:
            self.order("lost-response", START)
        else:
            self.order("error-before", START)

    def accepted(self) -> list[str]:
        return [backup["backupName"] for backup in self._emulator.log()["backups"]]

    def assignments(self) -> int:
        return len([entry for entry in self._emulator.log()["roleAssignments"] if entry["action"] == "created"])

    def change_account(self, **changes: Any) -> None:
        self._emulator.inventory.change_account(ACCOUNT, changes)

    def order(self, fault: str, path: str, **parameters: Any) -> None:
        order = {"fault": fault, "match": {"path": path}, "times": 1, **parameters}
        self._emulator.faults.order(order)

    @property
    def requests(self) -> Mapping[str, int]:
        return self._emulator.log()["requests"]


@contextmanager
def run_emulator(folder: Path, certificates: Certificates, identity: IdentityService) -> Generator[EmulatorRun]:
    """Run an emulator with one server that nothing stands behind; roles take effect at once."""
    config = EmulatorConfig.from_json(
        {
            "certificate": str(certificates.certificate),
            "privateKey": str(certificates.private_key),
            "caFile": str(certificates.authority),
            "state": str(folder),
            "tenantId": TENANT,
            "jwksUrl": identity.jwks_url,
            "owner": OWNER.object_id,
            "roleDelaySeconds": 0,
            "subscriptions": [{"id": SUBSCRIPTION, "displayName": "Test"}],
            "resourceGroups": [{"subscriptionId": SUBSCRIPTION, "name": GROUP, "location": LOCATION}],
            "storageAccounts": [
                {
                    "subscriptionId": SUBSCRIPTION,
                    "resourceGroup": GROUP,
                    "name": ACCOUNT,
                    "location": LOCATION,
                    "blobEndpoint": f"https://127.0.0.1:1/{ACCOUNT}",
                }
            ],
        }
    )
    held = tuple(
        InitialRoleAssignment(scope=scope, role_definition_id=role, principal_id=CONTROL.object_id)
        for scope, role in ((GROUP_ID, READER_ROLE), (GROUP_ID, RBAC_ADMINISTRATOR_ROLE), (ACCOUNT_ID, READER_ROLE))
    )
    config = replace(config, servers=(server_of(SERVER_NAME),), role_assignments=held)
    with ExitStack() as stack:
        emulator = stack.enter_context(EmulatorServer(config))
        arm = stack.enter_context(closing(Arm(emulator.base_url, Credential(identity=identity, person=CONTROL))))
        yield EmulatorRun(emulator, arm)
