"""What a thief tries on the versions of a recovery point, with Azure's own SDK and with everything that it holds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, ImmutabilityPolicy

from local_cloud.certificates import now
from tests.e2e.attacks import outcomes
from tests.e2e.attacks.outcomes import ATTEMPTS, JOURNAL_ATTEMPTS, Outcome, outcome_of, rank
from tests.e2e.attacks.points import SealedPoint, SealedVersion
from tests.e2e.attacks.thieves import Thieves

JUNK = b"your files were encrypted"
type Call = Callable[[Any], object]
"""Something that is done with one client of the vault account."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One thief before one version."""

    services: Sequence[Any]
    """The vault account, with each thing that the thief holds."""
    owner: Any
    """The vault account as its owner sees it, to look at what came of it."""
    target: SealedVersion

    def refusal(self, call: Call) -> Outcome | None:
        """Make a call with everything that the thief holds; answers the furthest refusal, or nothing."""
        refusals: list[Outcome] = []
        for service in self.services:
            try:
                call(service)
            except HttpResponseError as error:
                response: Any = error.response
                refusals.append(outcome_of(error.status_code, response.headers.get("x-ms-error-code")))
            else:
                return None
        return max(refusals, key=rank)

    def read(self) -> Outcome:
        """Take the bytes."""
        taken: list[bytes] = []
        refused = self.refusal(lambda service: taken.append(self.target.blob(service).download_blob().readall()))
        assert refused or taken == [self.target.data]
        return refused or Outcome.READ

    def overwrite(self) -> Outcome:
        """Write other bytes at the name."""
        at_name = self._at_name(lambda blob: blob.upload_blob(JUNK, overwrite=True))
        return at_name or self._look()

    def delete_container(self) -> Outcome:
        """Delete the container with all that lies in it."""
        refused = self.refusal(lambda service: service.get_container_client(self.target.container).delete_container())
        return refused or Outcome.LOST

    def release_hold(self) -> Outcome:
        """Take a legal hold away, which the owner has set for it."""
        held = self.target.blob(self.owner)
        held.set_legal_hold(legal_hold=True)
        refused = self._at_version(lambda blob: blob.set_legal_hold(legal_hold=False))
        assert held.get_blob_properties().has_legal_hold is bool(refused)
        held.set_legal_hold(legal_hold=False)
        return refused or Outcome.WEAKENED

    def shorten(self) -> Outcome:
        """Let the policy end tomorrow."""
        until = now().replace(microsecond=0) + timedelta(days=1)
        policy = ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked")
        refused = self._at_version(lambda blob: blob.set_immutability_policy(policy))
        assert (self._until() == until) is not bool(refused)
        return refused or Outcome.WEAKENED

    def remove_policy(self) -> Outcome:
        """Take the policy away."""
        refused = self._at_version(lambda blob: blob.delete_immutability_policy())
        assert (self._until() is None) is not bool(refused)
        return refused or Outcome.WEAKENED

    def encrypt(self) -> Outcome:
        """Write the bytes encrypted, block by block as a large file is written, then delete the readable ones."""
        scrambled = bytes(byte ^ 0x5A for byte in self.target.data)

        def write(blob: Any) -> None:
            blob.stage_block("AAAA", scrambled)
            blob.commit_block_list([BlobBlock("AAAA")])

        refused = self._at_name(write)
        if refused:
            return refused
        self.delete()
        return self._look()

    def delete(self) -> Outcome:
        """Delete the name, the version, and once more after its policy was taken away: what any of these reaches."""
        self._at_name(_delete_name)  # the current version cannot be deleted by its id
        refused = self._at_version(lambda blob: blob.delete_blob())
        if refused:
            self._at_version(lambda blob: blob.delete_immutability_policy())
            refused = self._at_version(lambda blob: blob.delete_blob())
        assert self.target.is_intact(self.owner) is bool(refused)
        return refused or Outcome.LOST

    def _look(self) -> Outcome:
        return Outcome.NOTHING if self.target.is_intact(self.owner) else Outcome.LOST

    def _at_name(self, call: Call) -> Outcome | None:
        return self.refusal(lambda service: call(self.target.blob(service, is_named=False)))

    def _at_version(self, call: Call) -> Outcome | None:
        return self.refusal(lambda service: call(self.target.blob(service)))

    def _until(self) -> Any:
        return self.target.blob(self.owner).get_blob_properties().immutability_policy.expiry_time


def _delete_name(blob: Any) -> None:
    with suppress(ResourceNotFoundError):  # no version is current
        blob.delete_blob()


CARRIED_OUT: Mapping[str, Callable[[Attack], Outcome]] = dict(
    zip(
        ATTEMPTS,
        (
            Attack.read,
            Attack.overwrite,
            Attack.delete_container,
            Attack.release_hold,
            Attack.shorten,
            Attack.remove_policy,
            Attack.encrypt,
            Attack.delete,
        ),
        strict=True,
    )
)


def attack(thieves: Thieves, thief: str, point: SealedPoint, owner: Any) -> list[Outcome]:
    """Make every attempt on every version of a recovery point; answers what came of each, alike on all versions."""
    first = point.versions[0]
    services = thieves.services(thief, first)
    found: list[Outcome] = []
    for name, attempt in CARRIED_OUT.items():
        came_of_it = {
            attempt(Attack(services=services, owner=owner, target=target))
            for target in _targets(thief, name, point.versions)
        }
        assert len(came_of_it) == 1, f"{thief}: {name} ends differently on versions of one point: {came_of_it}"
        found += came_of_it
    return found


def attack_entry(thieves: Thieves, thief: str, entry: SealedVersion, owner: Any) -> list[Outcome]:
    """Make every attempt on a journal entry; answers what came of each."""
    attempt = Attack(services=thieves.services(thief, entry), owner=owner, target=entry)
    return [CARRIED_OUT[name](attempt) for name in JOURNAL_ATTEMPTS]


def _targets(thief: str, attempt: str, versions: Sequence[SealedVersion]) -> Sequence[SealedVersion]:
    """Answer what is tried: a signature is for one version; what was encrypted need not be deleted again."""
    if thief == outcomes.SOURCE_SAS or attempt == "encrypt":
        return versions[:1]
    return versions[1:] if attempt == "delete" else versions
