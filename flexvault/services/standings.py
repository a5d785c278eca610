"""Read what lets recovery points go or keeps them from the journal, going on from where an earlier plan ended."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flexvault.domain import blob_names, names
from flexvault.domain.errors import ConflictError, IntegrityError
from flexvault.domain.events import head_target
from flexvault.domain.journal import Entry
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.retention import Regime
from flexvault.domain.standing import InstanceStanding, Protection, Standing, VaultStanding
from flexvault.domain.stored_plan import PlanWarning
from flexvault.domain.suspicion import POISONING_SUSPECTED
from flexvault.ports import Ports
from flexvault.services.journal import find_entry_data, find_row
from flexvault.services.vault_files import RENEW_EVERY, do_nothing

JOURNAL_DIFFERS = "JournalDiffers"


@dataclass(slots=True, kw_only=True)
class _Stream:
    """One stream as far as it was read."""

    name: str
    standing: Standing
    seq: int = 0
    entry_hash: str = ""
    """SHA-256 of the entry of that number."""
    problem: str = ""
    """Why it could not be read to its end."""


class Standings:
    """The journal's streams as far as they were read; each look reads only what came since the one before.

    Attributes:
        warnings: What people must hear of the journal itself.
    """

    def __init__(
        self, ports: Ports, checkpoint: Mapping[str, Any] | None = None, renew: Callable[[], object] = do_nothing
    ) -> None:
        """Go on from an earlier plan.

        Args:
            ports: What may be reached.
            checkpoint: Member `standing` of a stored plan; nothing: every stream is read from its first entry.
            renew: Called now and then.
        """
        self.warnings: list[PlanWarning] = []
        self._ports = ports
        self._checkpoint = checkpoint or {}
        self._renew = renew
        self._streams: dict[str, _Stream] = {}

    def catch_up(self, name: str) -> None:
        """Read a stream to its end: the vault's, or an instance's.

        Raises:
            TransientError, NotAuthorizedError: The journal cannot be read now: a refusal is no end.
        """
        stream = self._stream(name)
        # The head first: entries up to it exist, so one that is not found below it is missing.
        head_seq = self._read_head(name)
        stream.problem = ""
        while not stream.problem:
            data = find_entry_data(self._ports.vault_reader, name, stream.seq + 1)
            if data is None:
                break
            self._take_up(stream, data)
        if head_seq is None:
            stream.problem = f"the row of the head of journal stream {name} cannot be read"
        elif not stream.problem and head_seq > stream.seq:
            stream.problem = f"journal entry {name} {stream.seq + 1} is missing: the stream's head is {head_seq}"

    def protection(self, instance: str) -> Protection | None:
        """Answer what the vault's stream says of an instance; nothing when it knows none of that key."""
        return cast("VaultStanding", self._stream(blob_names.VAULT_STREAM).standing).find(instance)

    @property
    def breaker_seq(self) -> int:
        """Answer the newest entry of the vault's stream that tripped or released the breaker; 0 without one."""
        return cast("VaultStanding", self._stream(blob_names.VAULT_STREAM).standing).breaker_seq

    def instance(self, instance: str) -> InstanceStanding:
        """Answer what an instance's own stream says."""
        return cast("InstanceStanding", self._stream(instance).standing)

    def find_problem(self, instance: str) -> str:
        """Answer why the journal cannot be believed about an instance, or nothing."""
        return self._stream(blob_names.VAULT_STREAM).problem or self._stream(instance).problem

    def list_problems(self) -> Iterator[PlanWarning]:
        """Answer what is wrong with the streams that were read."""
        for stream in self._streams.values():
            if stream.problem:
                yield PlanWarning(code="JournalUnreadable", message=stream.problem, resource=stream.name)

    def to_json(self) -> dict[str, Any]:
        """Write for the plan how far every stream was read, and what it says."""
        return {
            stream.name: {"seq": stream.seq, "hash": stream.entry_hash, "facts": stream.standing.to_json()}
            for stream in sorted(self._streams.values(), key=lambda stream: stream.name)
            if stream.seq
        }

    def _stream(self, name: str) -> _Stream:
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = self._go_on(name) or _Stream(name=name, standing=_standing_of(name)())
        return found

    def _go_on(self, name: str) -> _Stream | None:
        """Answer a stream as the checkpoint has it, if the entry there is still the one that it was."""
        stored = self._checkpoint.get(name)
        if stored is None:
            return None
        try:
            seq, expected = int(stored["seq"]), str(stored["hash"])
            standing = _standing_of(name).from_json(stored["facts"])
        except MALFORMED:
            return None  # no checkpoint at all: every entry is read
        data = find_entry_data(self._ports.vault_reader, name, seq)
        if data is not None and names.sha256_hex(data) == expected:
            return _Stream(name=name, standing=standing, seq=seq, entry_hash=expected)
        text = f"the journal stream '{name}' is not the one that the plan before read: it was read from its first entry"
        self.warnings.append(PlanWarning(code=JOURNAL_DIFFERS, message=text, resource=name))
        self._ports.telemetry.emit(JOURNAL_DIFFERS, {"stream": name})
        return None

    def _read_head(self, name: str) -> int | None:
        """Answer a stream's last number as its head row has it; nothing when that is no number."""
        head = find_row(self._ports, head_target(name))
        try:
            return 0 if head is None else int(str(head.values["seq"]))
        except MALFORMED:
            return None

    def _take_up(self, stream: _Stream, data: bytes) -> None:
        seq = stream.seq + 1
        if seq % RENEW_EVERY == 0:
            self._renew()
        try:
            entry = Entry.from_bytes(data)
            if (entry.stream, entry.seq) != (stream.name, seq):
                stream.problem = f"journal entry {stream.name} {seq} says that it is {entry.stream} {entry.seq}"
                return
            if entry.previous_hash != stream.entry_hash:
                stream.problem = f"journal entry {stream.name} {seq} does not follow the one that lies before it"
                return
            stream.standing.apply(entry)
        except IntegrityError as error:
            stream.problem = f"journal entry {stream.name} {seq} cannot be read: {error.message}"
            return
        stream.seq, stream.entry_hash = seq, names.sha256_hex(data)


def _standing_of(stream: str) -> type[VaultStanding] | type[InstanceStanding]:
    return VaultStanding if stream == blob_names.VAULT_STREAM else InstanceStanding


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedBy:
    """What an instance's points were judged by, as of the moment when the journal was read."""

    regime: Regime | None
    reevaluated_seq: int
    deletion_seq: int = 0
    """Of an approved deletion: after an undeletion another one may be soft again."""
    broken: frozenset[str] = frozenset()
    """Points that are no good ones, so another one is the newest good point."""
    ever_broken: frozenset[str] = frozenset()
    """Points that take no older one's protection away."""


def judged_by(standings: Standings, instance: str) -> JudgedBy:
    """Answer by what an instance's points are judged now."""
    protection = standings.protection(instance)
    return JudgedBy(
        regime=protection.regime if protection else None,
        reevaluated_seq=standings.instance(instance).reevaluated_seq,
        broken=standings.instance(instance).broken,
        ever_broken=standings.instance(instance).ever_broken,
        deletion_seq=protection.deletion_seq if protection else 0,
    )


def require_unchanged(standings: Standings, instance: str, point_id: str, before: JudgedBy) -> None:
    """Refuse to delete a point when the journal, read to its end, says otherwise than when the point was judged.

    Raises:
        ConflictError: code JournalUnreadable, PointIsHeld, PointIsRead, PoisoningSuspected, PointReevaluated,
            PointsVerified, PointIsRetained or ProtectionChanged.
    """
    standings.catch_up(blob_names.VAULT_STREAM)
    standings.catch_up(instance)
    found = standings.instance(instance)
    problem = standings.find_problem(instance)
    if problem:
        raise ConflictError(f"recovery point {point_id}: {problem}", code="JournalUnreadable", target=point_id)
    holds = sorted({*found.common_holds, *found.point_holds(point_id)})
    if holds:
        text = f"a legal hold stands on recovery point {point_id}: {', '.join(holds)}"
        raise ConflictError(text, code="PointIsHeld", target=point_id)
    if found.readers(point_id):
        raise ConflictError(f"a restore reads recovery point {point_id}", code="PointIsRead", target=point_id)
    now = judged_by(standings, instance)
    if found.suspects and now.regime is not Regime.DELETE:
        text = f"a backup of its server may be poisoned since recovery point {found.suspects[0]}: expiry is paused"
        raise ConflictError(text, code=POISONING_SUSPECTED, target=point_id)
    if now.reevaluated_seq != before.reevaluated_seq:
        text = f"the retention of recovery point {point_id} was re-evaluated meanwhile: the next plan decides"
        raise ConflictError(text, code="PointReevaluated", target=point_id)
    if (now.broken, now.ever_broken) != (before.broken, before.ever_broken):
        text = f"a deep verification said meanwhile which points beside {point_id} are good: the next plan decides"
        raise ConflictError(text, code="PointsVerified", target=point_id)
    if now.regime is Regime.FOREVER:
        text = f"protection was stopped meanwhile and recovery point {point_id} is retained"
        raise ConflictError(text, code="PointIsRetained", target=point_id)
    if (now.regime, now.deletion_seq) != (before.regime, before.deletion_seq):
        text = f"the protection of recovery point {point_id} was changed meanwhile: the next plan decides"
        raise ConflictError(text, code="ProtectionChanged", target=point_id)
