"""What the vault's own operations answer, member by member."""

from flexvault.api.openapi.schemas import (
    ANYTHING,
    COUNT,
    DATE,
    FLAG,
    POINT_ID,
    SHA256,
    TEXT,
    TIME,
    Schema,
    a_list,
    answered,
    or_null,
    refer_to,
    with_optional,
    words,
)
from flexvault.domain.app_role import AppRole
from flexvault.domain.findings import FindingCheck, FindingSeverity
from flexvault.domain.job import Operation, Step
from flexvault.domain.missed_slots import WhyMissed
from flexvault.domain.point_contents import OBJECT_KINDS, ContentsSource
from flexvault.domain.retention import Decision, Reason
from flexvault.domain.verification import Severity, Verdict
from flexvault.services.emergency import OwnAccount
from flexvault.services.verification_result import MOST_FINDINGS

_BY_MONTH: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[0-9]{4}-[0-9]{2}$"},
    "additionalProperties": COUNT,
}

ALIVE = answered(status=words(["alive"]))
APPROVAL, HOLD = refer_to("Approval"), refer_to("Hold")


def a_page(element: Schema) -> Schema:
    """Answer a page of a list; the last one has no `nextLink`."""
    return with_optional(answered(value=a_list(element)), nextLink={"type": "string", "format": "uri"})


APPROVALS, HOLDS = a_page(APPROVAL), a_page(HOLD)
_FINDING = answered(
    code=TEXT,
    severity=words(FindingSeverity),
    subject=TEXT,
    message=TEXT,
    remedy=or_null(TEXT),
    check=words(FindingCheck),
    sql=or_null(TEXT),
)
EXAMINATION = answered(server=TEXT, backupInstance=or_null(TEXT), checkedAt=or_null(TIME), findings=a_list(_FINDING))
EXAMINATIONS = a_page(EXAMINATION)
_ENTRY = answered(
    seq=COUNT,
    stream=TEXT,
    backupInstance=or_null(TEXT),
    type=or_null(TEXT),
    at=or_null(TIME),
    actor=or_null(refer_to("Person")),
    body=or_null({"type": "object"}),
    sha256=or_null(SHA256),
    previousSha256=or_null(SHA256),
    problem=or_null(TEXT),
)
JOURNAL = a_page(_ENTRY)
_OBJECT = answered(
    database=TEXT,
    kind=words(OBJECT_KINDS),
    schema=or_null(TEXT),
    name=or_null(TEXT),
    owner=or_null(TEXT),
    count=or_null(COUNT),
    rows=or_null(COUNT),
    sizeInBytes=or_null(COUNT),
    digest=or_null(TEXT),
    fileSizeInBytes=or_null(COUNT),
    notCounted=or_null(TEXT),
    source=words(ContentsSource),
    verifiedAt=or_null(TIME),
)
CONTENTS = a_page(_OBJECT)
GUARD = answered(state=words(["On", "Off"]))
REEVALUATED = answered(changed=COUNT, earlier=COUNT, later=COUNT)
OPENAPI: Schema = {
    "type": "object",
    "properties": {"openapi": {"type": "string", "pattern": r"^3\.1\."}, "info": ANYTHING, "paths": ANYTHING},
    "required": ["openapi", "info", "paths"],
}

SCHEDULE = answered(
    nextSlot=or_null(TIME),
    lastSlot=or_null(TIME),
    slotsFrom=or_null(TIME),
    missed=a_list(answered(first=TIME, last=TIME, count=or_null(COUNT), reason=words(WhyMissed))),
)

SIMULATION = answered(
    recoveryPoints=a_list(answered(time=TIME, tags=a_list(TEXT), retentionTag=TEXT, expiry=TIME, reason=TEXT)),
    deletions=a_list(answered(time=TIME, recoveryPoint=TIME, reason=TEXT)),
    countByMonth=_BY_MONTH,
    storageBytesByMonth=_BY_MONTH,
    warnings=a_list(refer_to("PolicyWarning")),
)

_REASON = with_optional(
    answered(code=words(Reason)),
    expiryTime=TIME,
    rule=TEXT,
    because=TEXT,
    day=TEXT,
    holds=a_list(TEXT),
    until=or_null(TIME),
    readers=COUNT,
    problem=TEXT,
    suspects=a_list(TEXT),
)
_PREVIEWED = {
    "recoveryPoints": a_list(
        answered(
            recoveryPoint=POINT_ID,
            time=TIME,
            retentionTag=TEXT,
            expiry=TIME,
            decision=words(Decision),
            deletedAt=or_null(TIME),
            reasons=a_list(_REASON),
            text=TEXT,
        )
    ),
    "deletions": a_list(answered(time=TIME, recoveryPoint=POINT_ID, recoveryPointTime=TIME, reason=TEXT)),
    "deletedBytes": COUNT,
}
_SIDE = answered(retentionTag=TEXT, expiry=TIME, deletedAt=or_null(TIME), text=TEXT)
PREVIEW = answered(
    backupInstance=TEXT,
    asOf=TIME,
    **_PREVIEWED,
    heldBack=a_list(TEXT),
    underPolicy=answered(
        policy=or_null(TEXT),
        **_PREVIEWED,
        changes=a_list(answered(recoveryPoint=POINT_ID, time=TIME, before=_SIDE, after=_SIDE)),
        previewHash=or_null(SHA256),
    ),
)

_WRONG = answered(code=TEXT, severity=words(Severity), subject=TEXT, message=TEXT, recommendedAction=TEXT)
DEEP_VERIFICATION = answered(
    recoveryPoint=POINT_ID,
    number=COUNT,
    verdict=words(Verdict),
    jobId=TEXT,
    startedAt=TIME,
    completedAt=TIME,
    manifestSha256=SHA256,
    resultSha256=SHA256,
    findings=a_list(_WRONG, at_most=MOST_FINDINGS),
    files=a_list(
        answered(
            path=TEXT,
            suffix=TEXT,
            sizeInBytes=COUNT,
            sha256=or_null(SHA256),
            database=or_null(TEXT),
            tables=COUNT,
            tablesNotCounted=COUNT,
            rows=COUNT,
            rowBytes=COUNT,
            largeObjects=or_null(COUNT),
            largeObjectBytes=or_null(COUNT),
            indexPath=or_null(TEXT),
            indexSha256=or_null(SHA256),
        )
    ),
)
VERIFICATION = answered(
    verdict=words(Verdict),
    asOf=TIME,
    deep=FLAG,
    findings=a_list(_WRONG),
    notChecked=a_list(answered(subject=TEXT, reason=TEXT)),
    checked=answered(
        streams=COUNT,
        journalEntries=COUNT,
        roots=COUNT,
        recoveryPoints=COUNT,
        recoveryPointsBeingDeletedOrGone=COUNT,
        files=COUNT,
        blocks=COUNT,
        bytesRead=COUNT,
    ),
    evidence=answered(
        newestRoot=or_null(answered(date=DATE, sha256=SHA256)),
        reach=TEXT,
        streams=a_list(
            answered(
                stream=TEXT,
                lastEntry=COUNT,
                lastEntrySha256=or_null(SHA256),
                coveredByRoot=COUNT,
                firstBrokenLink=or_null(TEXT),
            )
        ),
    ),
    continueFrom=or_null(TEXT),
)

BREAKER = answered(
    state=words(["Tripped", "Closed"]),
    plan=or_null(TEXT),
    planSha256=or_null(SHA256),
    trippedAt=or_null(TIME),
    releasedAt=or_null(TIME),
    reasons=a_list(answered(code=TEXT, message=TEXT, backupInstance=or_null(TEXT))),
)

REVOCATION = answered(
    account=words(OwnAccount),
    accountName=TEXT,
    reason=TEXT,
    command=TEXT,
    requestedAt=TIME,
    jobs=a_list(
        answered(jobId=TEXT, operation=words(Operation), backupInstance=TEXT, step=words(Step), consequence=TEXT)
    ),
)

ISOLATION = answered(
    isIsolated=FLAG,
    role=words(AppRole),
    identities=a_list(answered(name=TEXT, clientId=TEXT, objectId=or_null(TEXT), tenantId=or_null(TEXT))),
    findings=a_list(answered(code=TEXT, isOk=FLAG, message=TEXT, remedy=or_null(TEXT))),
)

POISONING = answered(
    state=words(["Suspected", "Clear"]),
    expiry=words(["Paused", "Running"]),
    guard=words(["On", "Off"]),
    count=COUNT,
    suspected=a_list(
        answered(
            recoveryPoint=POINT_ID,
            suspectedAt=TIME,
            previousRecoveryPoint=TEXT,
            previousSizeInBytes=COUNT,
            sizeInBytes=COUNT,
            missingDatabases=a_list(TEXT),
            missingCount=COUNT,
            text=TEXT,
        )
    ),
    acknowledgedAt=or_null(TIME),
    acknowledgedBy=or_null(refer_to("Person")),
    acknowledgedReason=or_null(TEXT),
)
