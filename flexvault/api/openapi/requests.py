"""What clients send to the vault's own operations: the shapes that the handlers read by, with types."""

from typing import Any

from flexvault.api import shapes
from flexvault.api.openapi.schemas import (
    DATE,
    FLAG,
    REASON,
    TEXT,
    TIME,
    Schema,
    a_list,
    known_members,
    sent,
    words,
)
from flexvault.api.simulations import LARGEST_GROWTH, LARGEST_SERVER_BYTES, MOST_YEARS
from flexvault.domain.policy import DATASOURCE_TYPE
from flexvault.domain.texts import LONGEST_REASON
from flexvault.services.emergency import OwnAccount

_NAME: Schema = {"type": "string", "minLength": 1}
_RESOURCE: dict[str, Any] = {**known_members(shapes.POLICY), "type": "object", "required": ["properties"]}
_POLICY: Schema = {
    "description": "A backup policy in Azure Backup's own JSON: the resource, or its properties alone.",
    "anyOf": [_RESOURCE, {**_RESOURCE["properties"]["properties"], "type": "object", "required": ["policyRules"]}],
}
_SIZE: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_SERVER_BYTES}
_YEARS: Schema = {"type": "integer", "minimum": 1, "maximum": MOST_YEARS}
_GROWTH: Schema = {"type": "number", "exclusiveMinimum": -1, "maximum": LARGEST_GROWTH}

DECISION = sent(shapes.DECISION, reason={"type": "string", "maxLength": LONGEST_REASON})
SIMULATE_POLICY = sent(
    shapes.SIMULATE_POLICY,
    "policy",
    "from",
    policy=_POLICY,
    until=TIME,
    years=_YEARS,
    failures=a_list(DATE),
    serverSizeBytes=_SIZE,
    growthPerYear=_GROWTH,
    **{"from": TIME},
)
"""Of `until` and `years` one is given; `growthPerYear` needs `serverSizeBytes`."""
RETENTION_PREVIEW = sent(shapes.RETENTION_PREVIEW, "backupInstance", backupInstance=_NAME, policy=_POLICY, until=TIME)
VERIFY = sent(shapes.VERIFY, deep=FLAG, instance=TEXT, continueFrom=TEXT)
NOTHING = sent(shapes.NOTHING)
KEY_REVOCATION = sent(shapes.KEY_REVOCATION, "account", "reason", account=words(OwnAccount), reason=REASON)
HOLD = sent(
    shapes.HOLD,
    "reason",
    reason=REASON,
    recoveryPointId={
        "type": "string",
        # Empty, as left out; else a point's id, with or without dashes.
        "pattern": "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})?$",
    },
)
ACKNOWLEDGE = sent(shapes.ACKNOWLEDGE, "reason", reason=REASON)
REEVALUATE = sent(shapes.REEVALUATE, "previewHash", previewHash=_NAME)
POISONING_GUARD = sent(shapes.POISONING_GUARD, "state", state=words(["On", "Off"]))

_STORE = {"objectType": "DataStoreInfoBase", "dataStoreType": "VaultStore"}
DAILY: dict[str, Any] = {
    "objectType": "BackupPolicy",
    "datasourceTypes": [DATASOURCE_TYPE],
    "policyRules": [
        {
            "objectType": "AzureBackupRule",
            "name": "BackupDaily",
            "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Full"},
            "dataStore": _STORE,
            "trigger": {
                "objectType": "ScheduleBasedTriggerContext",
                "schedule": {"timeZone": "UTC", "repeatingTimeIntervals": ["R/2026-01-01T02:00:00+00:00/P1D"]},
                "taggingCriteria": [{"isDefault": True, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}}],
            },
        },
        {
            "objectType": "AzureRetentionRule",
            "name": "Default",
            "isDefault": True,
            "lifecycles": [
                {
                    "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": "P3M"},
                    "sourceDataStore": _STORE,
                }
            ],
        },
    ],
}
"""A policy for the examples: daily, kept for three months."""
