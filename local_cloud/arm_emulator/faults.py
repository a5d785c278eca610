"""Faults on order: what shall go wrong, for which requests, how many times.

`POST /_emulator/faults` takes `{"fault", "match": {"method", "path"}, "times", ...parameters}`. A fault of stage
*request* acts on any matching ARM request; one of stage *backup* acts on the backup that a matching `startLtrBackup`
request starts. `times` counts applications; null = until cleared. Faults live in memory only.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from local_cloud.arm_emulator.dump import FileKind


class Stage(StrEnum):
    """What a fault acts on."""

    REQUEST = "request"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """A fault that can be ordered, with its parameters and their defaults."""

    stage: Stage
    meaning: str
    parameters: Mapping[str, Any]


FAULT_KINDS: Mapping[str, FaultKind] = {
    "throttle": FaultKind(
        stage=Stage.REQUEST,
        meaning="429 before acting; retryAfterForm is seconds, date or absent",
        parameters={"retryAfterSeconds": 1, "retryAfterForm": "seconds"},
    ),
    "error-before": FaultKind(
        stage=Stage.REQUEST,
        meaning="an error without acting",
        parameters={"status": 500, "code": "InternalServerError", "message": "An error occurred.", "headers": {}},
    ),
    "error-after": FaultKind(
        stage=Stage.REQUEST,
        meaning="acts, then answers an error",
        parameters={"status": 500, "code": "InternalServerError", "message": "An error occurred.", "headers": {}},
    ),
    "lost-response": FaultKind(
        stage=Stage.REQUEST, meaning="acts, then closes the connection without an answer", parameters={}
    ),
    "hold": FaultKind(
        stage=Stage.REQUEST,
        meaning="keeps a request waiting before it acts, until the fault is deleted or the seconds are over",
        parameters={"seconds": 60},
    ),
    "hold-backup": FaultKind(
        stage=Stage.BACKUP,
        meaning="keeps an accepted backup Running before its first byte, until the fault is deleted or the seconds "
        "are over",
        parameters={"seconds": 600},
    ),
    "backup-failed": FaultKind(
        stage=Stage.BACKUP,
        meaning="the backup ends so; with filesPresent only after all its files were written",
        parameters={
            "errorCode": "InternalServerError",
            "errorMessage": "The backup failed.",
            "status": "Failed",
            "filesPresent": False,
        },
    ),
    "missing-file": FaultKind(
        stage=Stage.BACKUP,
        meaning="Succeeded, but the files of a kind (or one database's) are not there",
        parameters={"kind": "database", "database": None},
    ),
    "truncated-file": FaultKind(
        stage=Stage.BACKUP,
        meaning="Succeeded, but the files of a kind end at a byte, or at a fraction of their length",
        parameters={"kind": "database", "database": None, "atByte": None, "fraction": None},
    ),
    "unknown-layout": FaultKind(stage=Stage.BACKUP, meaning="Succeeded, but no file has a known name", parameters={}),
    "not-visible": FaultKind(
        stage=Stage.BACKUP,
        meaning="ltrBackupOperations does not know the backup for some seconds",
        parameters={"seconds": 5},
    ),
    "slow-backup": FaultKind(
        stage=Stage.BACKUP, meaning="the backup says Running for so long at least", parameters={"seconds": 10}
    ),
    "odd-report": FaultKind(
        stage=Stage.BACKUP,
        meaning="ltrBackupOperations shows these members instead of the true ones; null takes a member away",
        parameters={"properties": {}},
    ),
}

_ALLOWED_VALUES: Mapping[str, frozenset[str]] = {
    "kind": frozenset(map(str, FileKind)),
    "retryAfterForm": frozenset({"seconds", "date", "absent"}),
}
# Where the default's own kind does not say it.
_KINDS: Mapping[str, tuple[type, ...]] = {
    "seconds": (int, float),
    "retryAfterSeconds": (int, float),
    "fraction": (int, float),
    "atByte": (int,),
    "database": (str,),
}
_COMMON_KEYS = frozenset({"fault", "match", "times"})
_MATCH_KEYS = frozenset({"method", "path"})


@dataclass(slots=True, kw_only=True, eq=False)
class Fault:
    """An ordered fault."""

    fault_id: int
    name: str
    method: str | None
    path: str | None
    remaining: int | None
    parameters: Mapping[str, Any]
    applied: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Set when the fault is deleted: whoever it holds goes on."""

    def matches(self, method: str, target: str) -> bool:
        """Tell whether the fault is for a request; `target` is path and query."""
        if self.method is not None and self.method.upper() != method.upper():
            return False
        return self.path is None or _occurs(self.path, target)

    def hold(self) -> None:
        """Wait until the fault is deleted or its seconds are over."""
        self.released.wait(self.parameters["seconds"])

    def as_json(self) -> dict[str, Any]:
        """Return the fault as `GET /_emulator/faults` lists it."""
        match = {"method": self.method, "path": self.path}
        return {
            "id": self.fault_id,
            "fault": self.name,
            "match": {key: value for key, value in match.items() if value is not None},
            "times": self.remaining,
            "applied": self.applied,
            **self.parameters,
        }


def _occurs(pattern: str, target: str) -> bool:
    if pattern.lower() in target.lower():
        return True
    try:
        return re.search(pattern, target, re.IGNORECASE) is not None
    except re.PatternError:
        return False


class Faults:
    """The faults that are ordered now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._held: list[Fault] = []
        self._last_id = 0

    def order(self, body: Mapping[str, Any]) -> Fault:
        """Order a fault.

        Raises:
            ValueError: A name, key or value is wrong; the message names what is allowed.
        """
        name = body.get("fault")
        if not isinstance(name, str) or name not in FAULT_KINDS:
            raise ValueError(f"unknown fault {name!r}; hint: use one of {sorted(FAULT_KINDS)}")
        kind = FAULT_KINDS[name]
        match: Any = body.get("match") or {}
        _refuse_unknown("match keys", match, _MATCH_KEYS)
        given = {key: value for key, value in body.items() if key not in _COMMON_KEYS}
        _refuse_unknown(f"parameters of {name}", given, frozenset(kind.parameters))
        for key, value in given.items():
            _check(key, value, kind.parameters[key])
        times = body.get("times", 1)
        if times is not None and (not isinstance(times, int) or times < 1):
            raise ValueError("times must be a number from 1, or null for always")
        with self._lock:
            self._last_id += 1
            fault = Fault(
                fault_id=self._last_id,
                name=name,
                method=match.get("method"),
                path=match.get("path"),
                remaining=times,
                parameters={**kind.parameters, **given},
            )
            self._faults.append(fault)
        return fault

    def take(self, stage: Stage, method: str, target: str) -> list[Fault]:
        """Return the faults that act on a request, the oldest of each name, and count them as applied."""
        with self._lock:
            taken: dict[str, Fault] = {}
            for fault in self._faults:
                if FAULT_KINDS[fault.name].stage is stage and fault.matches(method, target):
                    taken.setdefault(fault.name, fault)
            for fault in taken.values():
                fault.applied += 1
                if fault.remaining is not None:
                    fault.remaining -= 1
                if fault.name.startswith("hold"):
                    self._held.append(fault)
            self._faults = [fault for fault in self._faults if fault.remaining != 0]
            return list(taken.values())

    def clear(self, fault_id: int | None = None) -> None:
        """Delete a fault, or all, and let go whoever it holds, also when its times were used up."""
        with self._lock:
            known = [*self._faults, *self._held]
            gone = [fault for fault in known if fault_id is None or fault.fault_id == fault_id]
            for fault in gone:
                fault.released.set()
            self._faults = [fault for fault in self._faults if fault not in gone]
            self._held = [fault for fault in self._held if fault not in gone]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the faults that are still ordered, oldest first."""
        with self._lock:
            return [fault.as_json() for fault in self._faults]


def _refuse_unknown(what: str, given: object, allowed: frozenset[str]) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} must be an object")  # noqa: TRY004 - one error class for all that a caller may do wrong
    unknown = sorted(set(cast("Mapping[str, Any]", given)) - allowed)
    if unknown:
        raise ValueError(f"unknown {what} {unknown}; hint: allowed are {sorted(allowed)}")


def _check(key: str, value: object, default: object) -> None:
    allowed = _ALLOWED_VALUES.get(key)
    if allowed is not None and value not in allowed:
        raise ValueError(f"{key} cannot be {value!r}; hint: use one of {sorted(allowed)}")
    kinds = _KINDS.get(key, (type(default),))
    if value is not None and not isinstance(value, kinds):
        raise ValueError(f"{key} must be of kind {' or '.join(kind.__name__ for kind in kinds)}, not {value!r}")
