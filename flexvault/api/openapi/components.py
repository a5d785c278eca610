"""Schemas that several answers share: the error of ARM, a person, an approval, a hold."""

from collections.abc import Mapping

from flexvault.api.openapi.schemas import (
    ANYTHING,
    FLAG,
    POINT_ID,
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
from flexvault.domain.approval import ApprovalState

_DETAIL = answered(code=TEXT, message=TEXT, target=or_null(TEXT))
_INFO = with_optional(
    answered(
        code=TEXT,
        message=TEXT,
        target=or_null(TEXT),
        recommendedAction=a_list(TEXT),
        isRetryable=FLAG,
        isUserError=FLAG,
        details=a_list(_DETAIL),
        properties=answered(ActivityId=TEXT),
    ),
    innerError=answered(code=TEXT),
)
_ERROR = answered(
    code=TEXT,
    message=TEXT,
    target=or_null(TEXT),
    details=a_list(_DETAIL),
    additionalInfo=a_list(answered(type=words(["UserFacingError"]), info=_INFO)),
)
_PERSON = answered(
    oid=or_null(TEXT),
    name=or_null(TEXT),
    correlationId=or_null(TEXT),
    **{"from": or_null(TEXT)},
)
_APPROVAL = answered(
    id=TEXT,
    state=words(ApprovalState),
    operation=TEXT,
    path=TEXT,
    requestedBy=refer_to("Person"),
    requestedAt=TIME,
    expiresAt=TIME,
    reasons=a_list(TEXT),
    before=ANYTHING,
    after=ANYTHING,
    decidedBy=or_null(refer_to("Person")),
    decidedAt=or_null(TIME),
    decisionReason=or_null(TEXT),
    usedAt=or_null(TIME),
)
_HOLD = answered(
    name=TEXT,
    reason=TEXT,
    recoveryPointId=or_null(POINT_ID),
    placedBy=refer_to("Person"),
    placedAt=TIME,
    changedBy=or_null(refer_to("Person")),
    changedAt=or_null(TIME),
)

SCHEMAS: Mapping[str, Schema] = {
    "Error": answered(error=_ERROR),
    "Person": _PERSON,
    "Approval": _APPROVAL,
    "Hold": _HOLD,
    "PolicyWarning": answered(code=TEXT, message=TEXT, target=TEXT),
}
"""By name, as the document's components hold them."""
