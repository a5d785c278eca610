"""What each of the vault's own operations takes and answers; the operation table says who may ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flexvault.api.openapi import answers, requests
from flexvault.api.openapi.schemas import Schema
from flexvault.api.pages import LARGEST_PAGE
from flexvault.domain.approval import ApprovalState
from flexvault.domain.events import EVENT_TYPES
from flexvault.domain.point_contents import OBJECT_KINDS
from flexvault.services.restore_target import FILE_PREFIX

_STATES: Schema = {"type": "string", "enum": ["", *(state.value for state in ApprovalState)]}
_TYPES: Schema = {"type": "string", "enum": ["", *sorted(EVENT_TYPES)]}
_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "string", "enum": ["", "true", "false"]}
JSON = "application/json"
_PREFIX: Schema = {"type": "string", "pattern": f"^{FILE_PREFIX.pattern}$"}
_KINDS: Schema = {"type": "string", "enum": ["", *OBJECT_KINDS]}
_TOKEN: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_=-]*$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryParameter:
    """A member of the query."""

    name: str
    schema: Schema
    description: str
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The types of one operation."""

    answer: Schema | None
    """Of 200; None: it has no body."""
    media_type: str = JSON
    """Of the answer; any other than JSON's is a file, of which a schema says nothing."""
    request: Schema | None = None
    """None: no body is read."""
    is_body_optional: bool = False
    example: Mapping[str, Any] | None = None
    """A body that is accepted of a vault with the instance `pg-orders`."""
    query: tuple[QueryParameter, ...] = ()


_PAGED = (
    QueryParameter(
        name="$top",
        schema={"type": "integer", "minimum": 1, "maximum": LARGEST_PAGE},
        description="How many elements a page has at most.",
    ),
    QueryParameter(name="$skipToken", schema=_TOKEN, description="As nextLink has it; the first page without it."),
)
_BY_STATE = QueryParameter(
    name="state", schema=_STATES, description="Only approvals of this state, in any case; all if empty."
)
_ASK_DOCTOR = (
    QueryParameter(name="server", schema=_TEXT, description="ARM id of the only server to examine, as it is now."),
    QueryParameter(name="now", schema=_FLAG, description="Whether to ask ARM now, not what the last night found."),
)
_ASK_JOURNAL = (
    QueryParameter(
        name="instance",
        schema=_TEXT,
        description="Name of the backup instance whose stream is read, also of a deleted one; else the vault's.",
    ),
    QueryParameter(name="type", schema=_TYPES, description="Only entries of this type, in any case; all if empty."),
)
_DECIDE = Contract(answer=answers.APPROVAL, request=requests.DECISION, is_body_optional=True)
_SIMULATE = {"policy": requests.DAILY, "from": "2026-01-01T00:00:00Z", "years": 1, "serverSizeBytes": 1024**3}
_INSTANCE = "/vault/backupInstances/{instance}"
_POINT = f"{_INSTANCE}/recoveryPoints/{{point}}"
_ASK_CONTENTS = (
    QueryParameter(name="database", schema=_TEXT, description="Only this database: its exact name; all if empty."),
    QueryParameter(name="schema", schema=_TEXT, description="Only what lies in this schema, and itself; all if empty."),
    QueryParameter(name="kind", schema=_KINDS, description="Only objects of this kind, in any case; all if empty."),
)
_ASK_KIT = (
    QueryParameter(
        name="filePrefix", schema=_PREFIX, description="What the restored files' names begin with.", is_required=True
    ),
    QueryParameter(
        name="databases",
        schema=_TEXT,
        description="A JSON list of the exact names of the databases that were restored; all if empty.",
    ),
)

CONTRACTS: Mapping[tuple[str, str], Contract] = {
    ("GET", "/vault/alive"): Contract(answer=answers.ALIVE),
    ("GET", "/vault/openapi.json"): Contract(answer=answers.OPENAPI),
    ("POST", "/vault/simulatePolicy"): Contract(
        answer=answers.SIMULATION, request=requests.SIMULATE_POLICY, example=_SIMULATE
    ),
    ("GET", f"{_INSTANCE}/schedule"): Contract(answer=answers.SCHEDULE),
    ("GET", "/vault/approvals"): Contract(answer=answers.APPROVALS, query=(_BY_STATE, *_PAGED)),
    ("GET", "/vault/approvals/{approval}"): Contract(answer=answers.APPROVAL),
    ("POST", "/vault/approvals/{approval}/approve"): _DECIDE,
    ("POST", "/vault/approvals/{approval}/reject"): _DECIDE,
    ("POST", "/vault/retentionPreview"): Contract(
        answer=answers.PREVIEW,
        request=requests.RETENTION_PREVIEW,
        example={"backupInstance": "pg-orders", "policy": requests.DAILY},
    ),
    ("POST", "/vault/verify"): Contract(
        answer=answers.VERIFICATION, request=requests.VERIFY, is_body_optional=True, example={"deep": True}
    ),
    ("GET", "/vault/journal"): Contract(answer=answers.JOURNAL, query=(*_ASK_JOURNAL, *_PAGED)),
    ("GET", "/vault/doctor"): Contract(answer=answers.EXAMINATIONS, query=(*_ASK_DOCTOR, *_PAGED)),
    ("GET", f"{_INSTANCE}/doctor"): Contract(answer=answers.EXAMINATION),
    ("GET", "/vault/breaker"): Contract(answer=answers.BREAKER),
    ("POST", "/vault/breaker/release"): Contract(
        answer=answers.BREAKER, request=requests.DECISION, is_body_optional=True
    ),
    ("POST", "/vault/emergency/revokeKeys"): Contract(
        answer=answers.REVOCATION,
        request=requests.KEY_REVOCATION,
        example={"account": "landing", "reason": "a SAS leaked"},
    ),
    ("GET", "/vault/isolation"): Contract(answer=answers.ISOLATION),
    ("GET", f"{_POINT}/contents"): Contract(answer=answers.CONTENTS, query=(*_ASK_CONTENTS, *_PAGED)),
    ("GET", f"{_POINT}/rebuildKit"): Contract(answer={}, media_type="application/zip", query=_ASK_KIT),
    ("GET", f"{_INSTANCE}/holds"): Contract(answer=answers.HOLDS, query=_PAGED),
    ("GET", f"{_INSTANCE}/holds/{{hold}}"): Contract(answer=answers.HOLD),
    ("PUT", f"{_INSTANCE}/holds/{{hold}}"): Contract(
        answer=answers.HOLD, request=requests.HOLD, example={"reason": "court order"}
    ),
    ("DELETE", f"{_INSTANCE}/holds/{{hold}}"): Contract(answer=None),
    ("GET", f"{_INSTANCE}/poisoning"): Contract(answer=answers.POISONING),
    ("POST", f"{_INSTANCE}/acknowledgePoisoning"): Contract(answer=answers.POISONING, request=requests.ACKNOWLEDGE),
    ("POST", f"{_INSTANCE}/reevaluate"): Contract(answer=answers.REEVALUATED, request=requests.REEVALUATE),
    ("POST", f"{_POINT}/verify"): Contract(answer=None, request=requests.NOTHING, is_body_optional=True),
    ("GET", f"{_POINT}/verification"): Contract(answer=answers.DEEP_VERIFICATION),
    ("GET", "/vault/poisoningGuard"): Contract(answer=answers.GUARD),
    ("PUT", "/vault/poisoningGuard"): Contract(answer=answers.GUARD, request=requests.POISONING_GUARD),
}
"""By method and template, as the rows of the operation table have them."""


def contract_of(method: str, template: str) -> Contract:
    """Answer the types of one of the vault's own operations.

    Raises:
        LookupError: Its row has no contract: write one here.
    """
    contract = CONTRACTS.get((method, template))
    if contract is None:
        message = f"{method} {template} has no contract in flexvault/api/openapi/contracts.py"
        raise LookupError(message)
    return contract
