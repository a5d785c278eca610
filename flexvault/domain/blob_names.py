"""The one module that names every container and blob of the vault account."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime

POINTS, MANIFESTS, PLANS, JOURNAL = "points", "manifests", "plans", "journal"
CONTAINERS = (POINTS, MANIFESTS, PLANS, JOURNAL)
VAULT_STREAM = "vault"
ROOTS = "roots"
ROOTS_PREFIX = f"{ROOTS}/"
_INSTANCE_KEY = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ENTRY_PATH = re.compile(r"[^/]+/(\d{12})\.json", re.ASCII)
_ROOT_PATH = re.compile(r"roots/(\d{4}-\d\d-\d\d)\.jsonl", re.ASCII)
_MANIFEST_PATH = re.compile(r"[0-9a-f]{32}/([0-9a-f]{32})(\.[^/]+)?\.json", re.ASCII)
_VERIFICATION_PATH = re.compile(
    r"([0-9a-f]{32})/([0-9a-f]{32})\.verification-([1-9]\d{0,8})(?:\.index-(\d{1,9}))?\.json", re.ASCII
)
_FILE_PATH = re.compile(r"[0-9a-f]{32}/[0-9a-f]{32}/a\d+/c\d+/.")


def file_path(instance: str, point: str, attempt: int, ordinal: int, file: str) -> str:
    """Place a promoted file in container `points`."""
    return f"{instance}/{point}/a{attempt}/c{ordinal}/{file}"


def is_file_path(path: str) -> bool:
    """Say whether a blob of container `points` is named as a promoted file."""
    return _FILE_PATH.match(path) is not None


def point_prefix(instance: str, point: str) -> str:
    """Answer what all files of a recovery point begin with."""
    return f"{instance}/{point}/"


def manifest_path(instance: str, point: str) -> str:
    """Place a manifest in container `manifests`."""
    return f"{instance}/{point}.json"


def manifest_point(path: str) -> str | None:
    """Read the point that a manifest's path names; "" for a later fact beside a manifest, nothing for anything else."""
    found = _MANIFEST_PATH.fullmatch(path)
    if found is None:
        return None
    return "" if found[2] else found[1]


def verification_path(instance: str, point: str, number: int) -> str:
    """Place the result of a deep verification beside the point's manifest."""
    return f"{instance}/{point}.verification-{number}.json"


def verification_index_path(instance: str, point: str, number: int, ordinal: int) -> str:
    """Place the index of one archive, as a deep verification walked it; the ordinal is the file's in the manifest."""
    return f"{instance}/{point}.verification-{number}.index-{ordinal}.json"


def verifications_prefix(instance: str, point: str) -> str:
    """Answer what the paths of all deep verifications of a point begin with."""
    return f"{instance}/{point}.verification-"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationName:
    """What the path of a deep verification's blob says."""

    instance: str
    point: str
    number: int
    ordinal: int | None
    """Of an index: its file's in the manifest; nothing of the result itself."""


def verification_of(path: str) -> VerificationName | None:
    """Read the path of a deep verification's result or index; nothing when it is none of these."""
    found = _VERIFICATION_PATH.fullmatch(path)
    if found is None:
        return None
    ordinal = None if found[4] is None else int(found[4])
    return VerificationName(instance=found[1], point=found[2], number=int(found[3]), ordinal=ordinal)


def plan_path(as_of: datetime, plan_hash: str) -> str:
    """Place a retention plan in container `plans`."""
    return f"{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}{plan_path_end(plan_hash)}"


def plan_path_end(plan_hash: str) -> str:
    """Answer what the path of the plan of a hash ends with."""
    return f"-{plan_hash[:12]}.json"


def plans_prefix(month: datetime) -> str:
    """Answer what the paths of all plans of a month begin with."""
    return f"{month.astimezone(UTC):%Y%m}"


def journal_path(stream: str, seq: int) -> str:
    """Place a journal entry in container `journal`; the first is 1."""
    return f"{stream}/{seq:012d}.json"


def root_path(day: date) -> str:
    """Place a day's root in container `journal`."""
    return f"{ROOTS_PREFIX}{day.isoformat()}.jsonl"


def root_day(path: str) -> date | None:
    """Read the day that a root's path names; nothing when it is none of a root."""
    found = _ROOT_PATH.fullmatch(path)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def is_stream(name: str) -> bool:
    """Say whether the vault derives such a name for a stream: its own, or an instance's key."""
    return name == VAULT_STREAM or _INSTANCE_KEY.fullmatch(name) is not None


def entry_seq(path: str) -> int | None:
    """Read the number that a journal entry's path names; nothing when it is none of an entry."""
    found = _ENTRY_PATH.fullmatch(path)
    return int(found[1]) if found else None
