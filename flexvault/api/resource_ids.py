"""ARM ids in their canonical spelling: what answers show, whatever case a client sent."""

import re
from dataclasses import dataclass

from flexvault.domain.errors import InvalidInputError
from flexvault.settings import Settings

PROVIDER = "Microsoft.DataProtection"
VAULT_TYPE = f"{PROVIDER}/backupVaults"
POLICY_TYPE = f"{VAULT_TYPE}/backupPolicies"
INSTANCE_TYPE = f"{VAULT_TYPE}/backupInstances"
POINT_TYPE = f"{INSTANCE_TYPE}/recoveryPoints"
DELETED_TYPE = f"{VAULT_TYPE}/deletedBackupInstances"
JOB_TYPE = f"{VAULT_TYPE}/backupJobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceIds:
    """Every id that the vault answers."""

    subscription_id: str
    resource_group: str
    vault_name: str
    location: str

    @classmethod
    def of(cls, settings: Settings) -> "ResourceIds":
        """Take the vault's id from the settings, which may spell its segments in any case."""
        parts = settings.vault_resource_id.split("/")
        return cls(
            subscription_id=parts[2],
            resource_group=parts[4],
            vault_name=parts[8],
            location=normal_location(settings.location),
        )

    @property
    def vault(self) -> str:
        """Answer the vault's id."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/{VAULT_TYPE}/{self.vault_name}"

    @property
    def location_scope(self) -> str:
        """Answer the path under which operations of the vault's region are."""
        return f"/subscriptions/{self.subscription_id}/providers/{PROVIDER}/locations/{self.location}"

    def policy(self, name: str) -> str:
        """Answer a policy's id."""
        return f"{self.vault}/backupPolicies/{name}"

    def instance(self, name: str) -> str:
        """Answer a backup instance's id."""
        return f"{self.vault}/backupInstances/{name}"

    def deleted_instance(self, name: str) -> str:
        """Answer a soft-deleted backup instance's id."""
        return f"{self.vault}/deletedBackupInstances/{name}"

    def job(self, job_id: str) -> str:
        """Answer a job's id."""
        return f"{self.vault}/backupJobs/{job_id}"

    def policy_name_of(self, policy_id: str) -> str:
        """Read the name out of the id of one of this vault's policies.

        Raises:
            InvalidInputError: It is another resource's id.
        """
        prefix = self.policy("").lower()
        name = policy_id[len(prefix) :].rstrip("/")
        if not policy_id.lower().startswith(prefix) or not name or "/" in name:
            raise InvalidInputError(
                f"'{policy_id}' is no id of a policy of this vault",
                target="properties.policyInfo.policyId",
                hint=f"send {self.policy('NAME')}",
            )
        return name


def is_resource_id(text: str) -> bool:
    """Say whether a text can be an ARM id: it goes into ARM's URLs, so nothing in it may lead elsewhere."""
    return _RESOURCE_ID.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))


_RESOURCE_ID = re.compile(r"/subscriptions/[0-9A-Fa-f-]{36}(/[-A-Za-z0-9_.()$]{1,260})+", re.IGNORECASE)


def normal_location(location: str) -> str:
    """Write a region as ARM compares it: `East US` is `eastus`."""
    return location.replace(" ", "").lower()
