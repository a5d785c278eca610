"""What lets recovery points go or keeps them, folded from journal entries: tables can be lost or forged, these cannot.

A standing takes up the entries of one stream in their order, and goes on from its JSON form where that one ended.
What is doubtful keeps points: only a resumption or an approved deletion ends a stop, a hold ends by its own release.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol, Self

from flexvault.domain.errors import IntegrityError
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.retention import Regime
from flexvault.domain.soft_delete import read_purge_always, read_purge_at
from flexvault.domain.vault_settings import SoftDelete
from flexvault.domain.verification import Verdict
from flexvault.domain.verification_events import POINT_VERIFIED


class Standing(Protocol):
    """The fold of one stream."""

    def apply(self, entry: Entry) -> None:
        """Take up the next entry; one that cannot be understood changes nothing.

        Raises:
            IntegrityError: code EntryUnreadable.
        """
        ...

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What the vault's stream says of one backup instance."""

    regime: Regime = Regime.POLICY
    deletion_seq: int = 0
    """The entry of the vault's stream by which its data are deleted; 0 while there is none."""
    purge_at: datetime | None = None
    """Until when that deletion is soft; nothing where soft delete was off."""
    is_ended: bool = False
    """Its deletion has ended; a point of it that turns up late is deleted, too."""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Protection":
        """Read it from a plan; one of a version that knew no soft delete says too little of a deletion.

        Raises:
            KeyError: It says too little: the journal must be read from its first entry.
        """
        regime = Regime(stored["regime"])
        until = stored["purgeAt"] if regime is Regime.DELETE else ""
        return cls(
            regime=regime,
            deletion_seq=int(stored["deletionSeq"]),
            purge_at=datetime.fromisoformat(until) if until else None,
            is_ended=bool(stored["isEnded"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        return {
            "regime": self.regime.value,
            "deletionSeq": self.deletion_seq,
            "purgeAt": self.purge_at.isoformat() if self.purge_at else "",
            "isEnded": self.is_ended,
        }


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class VaultStanding:
    """The protection of every backup instance and the newest word on the breaker, from the vault's stream.

    Attributes:
        breaker_seq: The newest entry that tripped or released the breaker; 0 while there is none.
        is_always_soft: Soft delete was made AlwaysOn once: no later entry takes that back.
    """

    def __init__(
        self,
        protections: Mapping[str, Protection] | None = None,
        breaker_seq: int = 0,
        *,
        is_always_soft: bool = False,
        latest: datetime = _LONG_AGO,
    ) -> None:
        self._protections = dict(protections or {})
        self.breaker_seq = breaker_seq
        self.is_always_soft = is_always_soft
        self._latest = latest  # moment of an entry

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read it from a plan."""
        protections = {instance: Protection.from_json(found) for instance, found in stored["instances"].items()}
        return cls(
            protections,
            int(stored["breakerSeq"]),
            is_always_soft=bool(stored["isAlwaysSoft"]),
            latest=datetime.fromisoformat(stored["latest"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        instances = {instance: found.to_json() for instance, found in sorted(self._protections.items())}
        return {
            "instances": instances,
            "breakerSeq": self.breaker_seq,
            "isAlwaysSoft": self.is_always_soft,
            "latest": self._latest.isoformat(),
        }

    def find(self, instance: str) -> Protection | None:
        """Answer the protection of an instance; nothing when the journal knows none of that key."""
        return self._protections.get(instance)

    def apply(self, entry: Entry) -> None:
        """Take up the next entry."""
        if entry.type in _BREAKER_CHANGES:
            self.breaker_seq = entry.seq
        try:
            self._apply(entry)
            self._latest = max(self._latest, entry.at)
        except MALFORMED:
            raise _unreadable(entry) from None

    def _apply(self, entry: Entry) -> None:
        if entry.type == "VaultChanged":
            self.is_always_soft |= entry.body["settings"].get("soft_delete") == SoftDelete.ALWAYS_ON
        change = _PROTECTION_CHANGES.get(entry.type)
        if change is None:
            return
        instance = str(entry.body["instance"])
        after = change(self._protections.get(instance), entry)
        if self.is_always_soft and entry.type == "DataDeletionRequested":
            after = replace(after, purge_at=read_purge_always(entry, self._latest))
        self._protections[instance] = after


def _requested(before: Protection | None, _entry: Entry) -> Protection:
    """A request begins an instance, also one of a name that was deleted; it never ends a stop."""
    return before if before is not None and before.regime is Regime.FOREVER else Protection()


def _configured(before: Protection | None, _entry: Entry) -> Protection:
    """A configuration that comes late begins nothing of what was ended before it."""
    is_final = before is not None and (before.is_ended or before.regime is Regime.FOREVER)
    return before if before is not None and is_final else Protection()


def _stopped(_before: Protection | None, _entry: Entry) -> Protection:
    return Protection(regime=Regime.FOREVER)


def _suspended(before: Protection | None, entry: Entry) -> Protection:
    return _configured(before, entry)


def _resumed(_before: Protection | None, _entry: Entry) -> Protection:
    return Protection()


def _deletion_requested(_before: Protection | None, entry: Entry) -> Protection:
    return Protection(regime=Regime.DELETE, deletion_seq=entry.seq, purge_at=read_purge_at(entry))


def _undeleted(before: Protection | None, _entry: Entry) -> Protection:
    """An undeletion keeps all that is left, whenever it came; of what is gone nothing is left to keep."""
    return before if before is not None and before.is_ended else Protection(regime=Regime.FOREVER)


def _ended(before: Protection | None, entry: Entry) -> Protection:
    """An end counts for the deletion that it names: another one's says nothing of this instance."""
    seq = int(entry.body["deletion_seq"])
    if before is None or before.regime is not Regime.DELETE or before.deletion_seq != seq:
        return before or Protection()
    return replace(before, is_ended=True)


_BREAKER_CHANGES = frozenset({"BreakerTripped", "BreakerReleased"})
_PROTECTION_CHANGES: Mapping[str, Callable[[Protection | None, Entry], Protection]] = {
    "ProtectionRequested": _requested,
    "ProtectionConfigured": _configured,
    "ProtectionStopped": _stopped,
    "BackupsSuspended": _suspended,
    "ProtectionResumed": _resumed,
    "DataDeletionRequested": _deletion_requested,
    "InstanceUndeleted": _undeleted,
    "InstanceDeleted": _ended,
}


class InstanceStanding:
    """What an instance's stream says of its points: holds, restores, re-evaluation, what is suspected or broken."""

    def __init__(
        self,
        *,
        holds: Mapping[tuple[str, str], str] | None = None,
        readers: Mapping[str, str] | None = None,
        reevaluated_seq: int = 0,
        suspects: Iterable[str] = (),
        broken: Iterable[str] = (),
        ever_broken: Iterable[str] = (),
    ) -> None:
        self._holds = dict(holds or {})  # (name in lower case, point id or "" for the whole instance) -> name as placed
        self._readers = dict(readers or {})  # job id -> point id
        self.reevaluated_seq = reevaluated_seq
        self._suspects = list(suspects)
        self._broken = set(broken)
        self._ever_broken = set(ever_broken)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read it from a plan.

        Raises:
            KeyError: A plan of a version that knew no deep verification says too little: who took a broken point for a
                good one would let the last good one go.
        """
        holds = {(str(found["name"]).lower(), str(found["pointId"])): str(found["name"]) for found in stored["holds"]}
        readers = {str(found["jobId"]): str(found["pointId"]) for found in stored["readers"]}
        suspects = [str(point_id) for point_id in stored.get("suspects", [])]
        return cls(
            holds=holds,
            readers=readers,
            reevaluated_seq=int(stored["reevaluatedSeq"]),
            suspects=suspects,
            broken=[str(point_id) for point_id in stored["broken"]],
            ever_broken=[str(point_id) for point_id in stored["everBroken"]],
        )

    def to_json(self) -> dict[str, Any]:
        """Write it for the plan."""
        holds = [{"name": name, "pointId": point_id} for (_, point_id), name in sorted(self._holds.items())]
        readers = [{"jobId": job_id, "pointId": point_id} for job_id, point_id in sorted(self._readers.items())]
        return {
            "holds": holds,
            "readers": readers,
            "reevaluatedSeq": self.reevaluated_seq,
            "suspects": list(self._suspects),
            "broken": sorted(self._broken),
            "everBroken": sorted(self._ever_broken),
        }

    @property
    def holds(self) -> tuple[str, ...]:
        """Answer the names of all holds, whatever they stand on."""
        return tuple(sorted(set(self._holds.values())))

    @property
    def common_holds(self) -> tuple[str, ...]:
        """Answer the names of the holds on the whole instance."""
        return self._holds_on("")

    def point_holds(self, point_id: str) -> tuple[str, ...]:
        """Answer the names of the holds on one point alone."""
        return self._holds_on(point_id)

    def readers(self, point_id: str) -> int:
        """Answer how many restores read a point."""
        return sum(read == point_id for read in self._readers.values())

    @property
    def suspects(self) -> tuple[str, ...]:
        """Answer the points that may be poisoned and that nobody acknowledged, in the order of their seals."""
        return tuple(self._suspects)

    @property
    def broken(self) -> frozenset[str]:
        """Answer the points whose newest deep verification failed: they are no good points."""
        return frozenset(self._broken)

    @property
    def ever_broken(self) -> frozenset[str]:
        """Answer the points that are there and of which any deep verification failed, whatever a later one said."""
        return frozenset(self._ever_broken)

    def apply(self, entry: Entry) -> None:
        """Take up the next entry."""
        try:
            if entry.type in {POINT_VERIFIED, "PointDeleted"}:
                self._take_verdict(entry)
            match entry.type:
                case "Sealed" | "PointDeleted" | "PoisoningAcknowledged":
                    self._suspects = _suspects_after(self._suspects, entry)
                case "HoldPlaced":
                    name, point_id = str(entry.body["hold"]), str(entry.body["recovery_point_id"])
                    self._holds[name.lower(), point_id] = name
                case "HoldReleased":
                    name, point_id = str(entry.body["hold"]), str(entry.body["recovery_point_id"])
                    self._holds.pop((name.lower(), point_id), None)
                case "RestoreStarted":
                    self._readers[str(entry.body["job_id"])] = str(entry.body["point_id"])
                case "RestoreEnded":
                    self._readers.pop(str(entry.body["job_id"]), None)
                case "RetentionReevaluated":
                    self.reevaluated_seq = entry.seq
                case _:
                    pass
        except MALFORMED:
            raise _unreadable(entry) from None

    def _take_verdict(self, entry: Entry) -> None:
        """Take up a verification; one that proves nothing changes nothing of what an earlier one said."""
        point_id = str(entry.body["point_id"])
        verdict = Verdict.INTACT if entry.type == "PointDeleted" else Verdict(entry.body["verdict"])
        if verdict is Verdict.BROKEN:
            self._broken.add(point_id)
            self._ever_broken.add(point_id)
        elif verdict is Verdict.INTACT:
            self._broken.discard(point_id)
        if entry.type == "PointDeleted":
            self._ever_broken.discard(point_id)

    def _holds_on(self, point_id: str) -> tuple[str, ...]:
        return tuple(sorted(name for (_, held), name in self._holds.items() if held == point_id))


def _suspects_after(before: list[str], entry: Entry) -> list[str]:
    """Answer the suspected points after an entry; an acknowledgement of a point that is not suspected ends nothing."""
    if entry.type == "Sealed":
        return [*before, str(entry.body["point_id"])] if entry.body.get("suspicion") else before
    if entry.type == "PointDeleted":
        return [found for found in before if found != entry.body["point_id"]]
    known = str(entry.body["recovery_point_id"])
    return before[before.index(known) + 1 :] if known in before else before


def _unreadable(entry: Entry) -> IntegrityError:
    return IntegrityError(
        f"journal entry {entry.stream} {entry.seq} ({entry.type}) cannot be understood",
        code="EntryUnreadable",
        target=entry.stream,
        hint="treat the vault account as tampered with, or run the version that wrote it",
    )
