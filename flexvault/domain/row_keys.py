r"""The one module that names every table, partition and row key.

No key ever holds `/ \\ # ?`, which Table Storage refuses: ids are hashed, names are escaped.
"""

import re
from datetime import UTC, datetime

from flexvault.domain import names

CONFIG, JOBS, POINTS, OPERATIONS, APPROVALS, BLOCKS = "config", "jobs", "points", "operations", "approvals", "blocks"
TABLES = (CONFIG, JOBS, POINTS, OPERATIONS, APPROVALS, BLOCKS)

VAULT_PARTITION = "vault"
HEADS_PARTITION = "heads"
JOBS_PARTITION = "jobs"
APPROVALS_PARTITION = "vault"

POLICY, INSTANCE, SERVER = "policy-", "instance-", "server-"
OPEN, SCHEDULE, REQUEST, MISSED = "open-", "schedule-", "req-", "missed-"
_LONGEST_LABEL = 400
_NEWEST_FIRST = 10**15


def prefix_end(prefix: str) -> str:
    """Answer the first key after all keys that begin with a prefix of ASCII characters."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def policy_row(name: str) -> str:
    """Key a policy; names compare without regard to case."""
    return POLICY + escape(name.lower())


def instance_row(instance: str) -> str:
    """Key a backup instance by its 32 hex digits."""
    return INSTANCE + instance


def server_row(server_id: str) -> str:
    """Key the claim that one instance holds on a server."""
    return SERVER + names.server_key(server_id)


def job_row(job_id: str) -> str:
    """Key a job, newest first, so that one query lists them in order; the id carries its time."""
    return f"{_NEWEST_FIRST - names.job_milliseconds(job_id):015d}-{job_id}"


def open_row(operation: str, subject: str) -> str:
    """Key an open row: at most one per operation and subject (an instance, or the job itself)."""
    return f"{OPEN}{operation}-{subject}"


def removal_row(server_id: str) -> str:
    """Key the record of a server's roles being removed, which whoever protects the server anew looks at."""
    return f"removal-{names.server_key(server_id)}"


def revocation_row(request_key: str) -> str:
    """Key the record of one request to have an account's keys revoked."""
    return f"revocation-{request_key}"


def schedule_row(instance: str) -> str:
    """Key an instance's schedule."""
    return SCHEDULE + instance


def request_row(request_key: str) -> str:
    """Key a client's request."""
    return REQUEST + request_key


def missed_row(instance: str, first_slot: datetime) -> str:
    """Key a record of missed slots by the first of them."""
    return f"{MISSED}{instance}-{first_slot.astimezone(UTC):%Y%m%dT%H%M%S}"


def slept_row(instance: str, paused_from: datetime, seq: int) -> str:
    """Key a record of a pause, among those of missed slots; the number of an entry makes it the pause's own."""
    return f"{missed_row(instance, paused_from)}-s{seq}"


RETENTION = "retention"
"""Key of the row, beside an instance's points, that says what holds for all of them."""
POISONING = "poisoning"
"""Key of the row, beside an instance's points, that says which of them may be poisoned."""
BROKEN = "is-broken-"
"""Begin of the keys of the rows, beside an instance's points, that name those which failed their deep verification."""
HOLD = "hold-"
"""Begin of the keys of an instance's legal holds, beside its points."""
BREAKER = "breaker"
"""Key of the vault's row that says whether retention is stopped."""
GUARDS = "guards"
"""Key of the vault's row that says up to which day storage's policies and holds were compared."""
SETTINGS = "settings"
"""Key of the vault's row that holds its settings."""
REFUSALS = "refusals"
"""Key of the vault's row that names the newest journal entry of refused calls."""
RIGHTS = "rights"
"""Key of the vault's row that says how far the rights on servers were verified today."""

DOCTOR = "doctor"
"""Key of the vault's row that says how far the servers were examined today."""


def doctor_row(instance: str) -> str:
    """Key what the doctor last found of an instance's server."""
    return f"{DOCTOR}-{instance}"


def blocks_row(attempt: int, ordinal: int, file: str, chunk: int) -> str:
    """Key the checksums of 1,000 blocks of one file of one attempt; a key has room for 512 characters."""
    return f"a{attempt}-c{ordinal}-{_label(file)}-{chunk:05d}"


VERIFIED = "v"
"""Begin of the keys of a deep verification, among the blocks of its job."""


def verified_file_row(ordinal: int) -> str:
    """Key how far a deep verification has come with one file."""
    return f"{VERIFIED}{ordinal:05d}"


def verified_block_row(ordinal: int, number: int) -> str:
    """Key one block of a file that a deep verification has walked, by its number in the file's order."""
    return f"{verified_blocks_prefix(ordinal)}{number:09d}"


def verified_blocks_prefix(ordinal: int) -> str:
    """Answer what the rows of all blocks of a file begin with."""
    return f"{verified_file_row(ordinal)}-b"


def verified_finding_row(ordinal: int, code: str, place: int) -> str:
    """Key what a deep verification found in a file, by its place there: found twice it is one."""
    return f"{verified_findings_prefix(ordinal)}{code}-{place:015d}"


def verified_findings_prefix(ordinal: int) -> str:
    """Answer what the rows of all findings in a file begin with."""
    return f"{verified_file_row(ordinal)}-f"


def broken_row(point_id: str) -> str:
    """Key the row that says of a recovery point that it failed its deep verification."""
    return BROKEN + point_id


def hold_row(name: str) -> str:
    """Key a legal hold; names compare without regard to case."""
    return HOLD + _label(name.lower())


def _label(text: str) -> str:
    label = escape(text)
    return label if len(label) <= _LONGEST_LABEL else f"{label[:100]}~{names.sha256_hex(text.encode())}"


def blocks_prefix(attempt: int) -> str:
    """Answer what all block rows of an attempt begin with."""
    return f"a{attempt}-"


def escape(text: str) -> str:
    """Write what a key may not hold as `~XX` of its UTF-8 bytes; a percent sign would be decoded on the way."""
    return re.sub(r"[^A-Za-z0-9._ -]", lambda match: "".join(f"~{byte:02X}" for byte in match[0].encode()), text)
