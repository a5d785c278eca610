"""Journal refused calls, within bounds: the journal is kept for ten years, so nobody may fill it from outside.

In each hour (UTC) the first refusal of a caller, an operation and a code gets an entry; later ones are counted, and the
next entry tells how many there were. Whoever proved who they are and strangers have a bound of their own each, so that
a stranger's flood hides nothing of a person. All counts are this process's: each instance of the app has its own.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flexvault.domain import blob_names
from flexvault.domain.errors import VaultError
from flexvault.domain.redaction import redact, redact_path
from flexvault.domain.texts import shorten
from flexvault.ports import Ports
from flexvault.services.background import Background
from flexvault.services.journal import Draft, append

MOST_AN_HOUR = 30
"""Entries of each of the two kinds of callers."""
MOST_OF_ONE = 10
"""Of these, entries of one caller: whoever tries everything hides nobody else."""
TOO_MANY = "TooManyRefusals"
"""The bound was reached: until the hour is over refusals of this kind of callers are counted only."""
REPEATED = "RepeatedRefusals"
"""The hour is over: so many refusals had no entry of their own."""
UNKNOWN = "unknown"
_LONGEST_PATH, _LONGEST_WORD, _MOST_ROLES = 400, 100, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One refused call."""

    code: str
    status: int
    method: str
    path: str
    """Without its query."""
    operation: str = UNKNOWN
    needs: str = ""
    """The role that the operation needs."""
    oid: str = ""
    """Of a valid token alone: what a token that is not valid says of its holder is worth nothing."""
    name: str = ""
    roles: tuple[str, ...] = ()
    address: str = ""
    network: str = ""
    """What counts as one sender; empty: the address."""
    request_id: str
    correlation_id: str
    client_request_id: str = ""

    @property
    def is_of_a_stranger(self) -> bool:
        """Say whether nobody proved who calls."""
        return not self.oid

    @property
    def kind(self) -> tuple[str, str, str]:
        """Answer what makes two refusals alike."""
        return self.oid or self.network or self.address, self.operation, self.code

    def actor(self) -> dict[str, str]:
        """Say for the journal who called, and from where."""
        who = {"oid": self.oid, "name": _clean(self.name)} if self.oid else {}
        return {**who, **({"from": self.address} if self.address else {}), "correlation_id": self.correlation_id}

    def to_json(self) -> dict[str, Any]:
        """Write it for the entry; nothing in it is longer than its bound."""
        return {
            "code": self.code,
            "status": self.status,
            "operation": self.operation,
            "needs": self.needs or None,
            "roles": [_clean(role) for role in self.roles[:_MOST_ROLES]],
            "method": _clean(self.method),
            "path": shorten(redact_path(self.path).lower(), _LONGEST_PATH),
            "from": self.address or None,
            "request_id": self.request_id,
            "client_request_id": self.client_request_id or None,
        }


def _clean(text: str) -> str:
    return shorten(redact(text), _LONGEST_WORD)


@dataclass(slots=True)
class _Hour:
    """What one hour saw of one kind of callers."""

    begin: datetime
    is_of_strangers: bool
    seen: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    suppressed: int = 0
    """Refusals that no entry has told yet."""
    is_full: bool = False


class Refusals:
    """Counts the refused calls of this process and journals some of them."""

    def __init__(self, run: Callable[[Callable[[], None]], bool] | None = None, most: int = MOST_AN_HOUR) -> None:
        """Begin without a refusal.

        Args:
            run: Does work that no answer waits for; answers whether it took it.
            most: Entries an hour of each kind of callers.
        """
        self._run = run or Background()
        self._most = most
        self._lock = threading.Lock()
        self._hours: dict[bool, _Hour] = {}

    def add(self, ports: Ports, refusal: Refusal, now: datetime) -> None:
        """Count a refusal, tell it to operations, and journal it if it is the first of its kind in this hour."""
        facts = {
            "code": refusal.code,
            "operation": refusal.operation,
            "needs": refusal.needs,
            "oid": refusal.oid,
            "from": refusal.address,
            "correlation_id": refusal.correlation_id,
        }
        ports.telemetry.emit("AccessRefused", facts)
        with self._lock:
            hour, drafts = self._turn(refusal.is_of_a_stranger, now, refusal.request_id)
            if refusal.kind in hour.seen or hour.is_full or _count_of(refusal, hour) >= MOST_OF_ONE:
                hour.suppressed += 1
            elif len(hour.seen) >= self._most:
                hour.is_full = True
                hour.suppressed += 1
                drafts.append(_count(hour, TOO_MANY, refusal.request_id))
            else:
                hour.seen.add(refusal.kind)
                drafts.append(_draft(refusal, hour))
        self._journal(ports, hour, drafts)

    def end_hours(self, ports: Ports, now: datetime, request_id: str) -> None:
        """Tell what past hours counted and no entry told; called at every request, for there may be no next refusal."""
        for is_of_strangers in (False, True):
            if is_of_strangers in self._hours:
                with self._lock:
                    hour, drafts = self._turn(is_of_strangers, now, request_id)
                self._journal(ports, hour, drafts)

    def _turn(self, is_of_strangers: bool, now: datetime, request_id: str) -> tuple[_Hour, list[Draft]]:  # noqa: FBT001 - the key of the hours
        """Answer the present hour, and the entry that ends the one before."""
        begin = now.replace(minute=0, second=0, microsecond=0)
        hour = self._hours.get(is_of_strangers)
        if hour is not None and hour.begin == begin:
            return hour, []
        drafts = [_count(hour, REPEATED, request_id)] if hour is not None and hour.suppressed else []
        self._hours[is_of_strangers] = hour = _Hour(begin, is_of_strangers)
        return hour, drafts

    def _journal(self, ports: Ports, hour: _Hour, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            if not self._run(lambda draft=draft: self._append(ports, hour, draft)):
                self._give_back(hour, draft.body)

    def _append(self, ports: Ports, hour: _Hour, draft: Draft) -> None:
        """Append, and never raise: the call was answered, and whatever storage says it stays refused."""
        try:
            append(ports, draft)
        except Exception as error:  # noqa: BLE001 - nobody is left who could be told but operations
            self._give_back(hour, draft.body)
            code = error.code if isinstance(error, VaultError) else type(error).__name__
            ports.telemetry.emit("RefusalNotJournalled", {"code": code, "refused": str(draft.body["code"])})

    def _give_back(self, hour: _Hour, body: Mapping[str, Any]) -> None:
        """Let the next entry tell what this one would have told, and the refusal itself."""
        is_count = body["code"] in {TOO_MANY, REPEATED}
        with self._lock:
            self._hours.get(hour.is_of_strangers, hour).suppressed += int(body["suppressed"]) + (not is_count)


def _count_of(refusal: Refusal, hour: _Hour) -> int:
    return sum(caller == refusal.kind[0] for caller, _, _ in hour.seen)


def _draft(refusal: Refusal, hour: _Hour) -> Draft:
    """No two requests have the same id, so it names the event; a failed append is not tried again, but counted."""
    body = {**refusal.to_json(), **_take_suppressed(hour)}
    return Draft(
        stream=blob_names.VAULT_STREAM, type="AccessRefused", key=refusal.request_id, body=body, actor=refusal.actor()
    )


def _count(hour: _Hour, code: str, request_id: str) -> Draft:
    """Tell how many were refused, whoever it was: the request that the entry is named after may be anybody's."""
    body = {"code": code, "strangers": hour.is_of_strangers, "hour": hour.begin.isoformat(), **_take_suppressed(hour)}
    key = f"{code}|{hour.is_of_strangers}|{request_id}"
    return Draft(stream=blob_names.VAULT_STREAM, type="AccessRefused", key=key, body=body)


def _take_suppressed(hour: _Hour) -> dict[str, int]:
    suppressed, hour.suppressed = hour.suppressed, 0
    return {"suppressed": suppressed}
