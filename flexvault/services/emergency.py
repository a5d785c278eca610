"""Revoke every SAS of one of the vault's accounts: what that would kill, and how the account's owner does it.

Revoking an account's user delegation keys is a right that no identity of the vault holds: who stole one cannot stop
the backups with it, and the vault changes nothing here but its journal.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from flexvault.domain import blob_names
from flexvault.domain.container_url import account_name
from flexvault.domain.job import Operation, Step
from flexvault.domain.open_job import OpenJob
from flexvault.domain.redaction import redact
from flexvault.domain.texts import require_reason
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.journal import Draft, append
from flexvault.services.vault import Vault

JOURNALLED_JOBS = 100


class OwnAccount(StrEnum):
    """Whose keys are revoked."""

    LANDING = "landing"
    """Kills what servers write with, and what promotions read with."""
    VAULT = "vault"
    """Kills what restores read with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KilledJob:
    """An open job that uses a SAS of the account."""

    job_id: str
    operation: Operation
    instance: str
    """Name of its backup instance."""
    step: Step
    consequence: str
    """What happens to it, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevocation:
    """What the owner of an account needs to know before they revoke its keys."""

    account: OwnAccount
    account_name: str
    reason: str
    command: str
    jobs: tuple[KilledJob, ...]
    looked_at: datetime
    """When the jobs were looked at."""


_FAILS = (
    "the server reports that its upload was refused: this attempt fails, and the next one begins with new keys, "
    "if the job may have another"
)
_REPEATED = "storage refuses the copy's source: the block is copied again with a new key"
_CONSEQUENCES: Mapping[OwnAccount, Mapping[tuple[Operation, Step], str]] = {
    OwnAccount.LANDING: {
        (Operation.BACKUP, Step.STARTING): _FAILS,
        (Operation.BACKUP, Step.POLLING): _FAILS,
        (Operation.BACKUP, Step.PROMOTING): _REPEATED,
    },
    OwnAccount.VAULT: {(Operation.RESTORE, Step.COPYING): _REPEATED},
}


def request_key_revocation(
    vault: Vault, account: OwnAccount, reason: str, actor: Mapping[str, str], request_key: str
) -> KeyRevocation:
    """Journal that somebody is about to revoke an account's keys, and answer what they need for it.

    Args:
        vault: The vault.
        account: Whose keys.
        reason: In their words, for the journal.
        actor: Who asks.
        request_key: Names the request: a repetition is journalled once and answered anew.

    Raises:
        InvalidInputError: The reason is missing or too long.
    """
    require_reason(reason, "a key revocation", 'send {"account": "landing", "reason": "..."}')
    settings = vault.settings
    is_landing = account is OwnAccount.LANDING
    name = account_name(settings.landing_blob_endpoint if is_landing else settings.vault_blob_endpoint)
    found = KeyRevocation(
        account=account,
        account_name=name,
        reason=redact(reason),
        command=revocation_command(name),
        jobs=tuple(_find_killed(vault.ports, account)),
        looked_at=vault.ports.clock.storage_now(),
    )
    append(vault.ports, _draft(found, actor, request_key))
    return found


def revocation_command(name: str) -> str:
    """Answer the command with which an account's owner revokes its keys; the vault does not know its resource group."""
    group = f"$(az storage account list --query \"[?name=='{name}'].resourceGroup\" --output tsv)"
    return f'az storage account revoke-delegation-keys --name "{name}" --resource-group "{group}"'


def _find_killed(ports: Ports, account: OwnAccount) -> Iterator[KilledJob]:
    for opened in catalog.list_open_jobs(ports):
        consequence = _CONSEQUENCES[account].get((opened.operation, opened.step))
        if consequence is None or not _has_sas(opened):
            continue
        instance = catalog.find_instance_by_key(ports, opened.instance)
        yield KilledJob(
            job_id=opened.job_id,
            operation=opened.operation,
            instance=opened.instance if instance is None else instance.name,
            step=opened.step,
            consequence=consequence,
        )


def _has_sas(opened: OpenJob) -> bool:
    """A backup that waits to be started has none yet, but for names in doubt: their SAS may be in use."""
    if opened.step is not Step.STARTING:
        return True
    return bool(opened.state.get("start_requested_at") or opened.state.get("doubts"))


def _draft(found: KeyRevocation, actor: Mapping[str, str], request_key: str) -> Draft:
    body = {
        "request_key": request_key,
        "account": found.account.value,
        "account_name": found.account_name,
        "reason": found.reason,
        "jobs": [{"job_id": job.job_id, "step": job.step.value} for job in found.jobs[:JOURNALLED_JOBS]],
        "job_count": len(found.jobs),
    }
    return Draft(stream=blob_names.VAULT_STREAM, type="KeyRevocationRequested", key=request_key, body=body, actor=actor)
