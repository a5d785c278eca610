"""The members of Azure Backup's request bodies that the vault knows, in their canonical spelling.

`Microsoft.DataProtection` 2026-06-01; what a shape does not name is ignored, read-only members are not named.
"""

from flexvault.api.bodies import Shape, Strict

_STORE: Shape = {"dataStoreType": None, "objectType": None}
_TAG: Shape = {"tagName": None}
_CRITERION: Shape = Strict(
    objectType=None,
    absoluteCriteria=None,
    daysOfMonth=[{"date": None, "isLast": None}],
    daysOfTheWeek=None,
    monthsOfYear=None,
    scheduleTimes=None,
    weeksOfTheMonth=None,
)
_TAGGING: Shape = {"isDefault": None, "taggingPriority": None, "tagInfo": _TAG, "criteria": [_CRITERION]}
_TRIGGER: Shape = {
    "objectType": None,
    "schedule": {"repeatingTimeIntervals": None, "timeZone": None},
    "taggingCriteria": [_TAGGING],
}
_COPY: Shape = {"dataStore": _STORE, "copyAfter": {"objectType": None, "duration": None}}
_LIFECYCLE: Shape = {
    "deleteAfter": {"objectType": None, "duration": None},
    "sourceDataStore": _STORE,
    "targetDataStoreCopySettings": [_COPY],
}
_RULE: Shape = {
    "name": None,
    "objectType": None,
    "isDefault": None,
    "backupParameters": {"objectType": None, "backupType": None},
    "dataStore": _STORE,
    "trigger": _TRIGGER,
    "lifecycles": [_LIFECYCLE],
}
POLICY_PROPERTIES: Shape = {
    "objectType": None,
    "datasourceTypes": None,
    "policyRules": [_RULE],
    "deepVerification": Strict(newestEvery=None),
}
POLICY: Shape = {"properties": POLICY_PROPERTIES}

_SOURCE: Shape = {
    "objectType": None,
    "resourceID": None,
    "resourceUri": None,
    "datasourceType": None,
    "resourceName": None,
    "resourceType": None,
    "resourceLocation": None,
    "resourceProperties": None,
}
KEY_REVOCATION: Shape = Strict(account=None, reason=None)

_INSTANCE_PROPERTIES: Shape = {
    "objectType": None,
    "friendlyName": None,
    "dataSourceInfo": _SOURCE,
    "dataSourceSetInfo": _SOURCE,
    "policyInfo": {
        "policyId": None,
        "policyParameters": {"dataStoreParametersList": None, "backupDatasourceParametersList": None},
    },
    "resourceGuardOperationRequests": None,
    "datasourceAuthCredentials": None,
    "validationType": None,
    "identityDetails": {"useSystemAssignedIdentity": None, "userAssignedIdentityArmUrl": None},
}
INSTANCE: Shape = {"properties": _INSTANCE_PROPERTIES}
VALIDATE_FOR_BACKUP: Shape = {"backupInstance": _INSTANCE_PROPERTIES}

SYNC: Shape = {"syncType": None}
TIME_RANGES: Shape = {"sourceDataStoreType": None, "startTime": None, "endTime": None}
NAME: Shape = {"name": None, "type": None}
FEATURE: Shape = {"objectType": None, "featureType": None, "featureName": None}
PROTECTION_CHANGE: Shape = {"resourceGuardOperationRequests": None}

BACKUP: Shape = {"backupRuleOptions": {"ruleName": None, "triggerOption": {"retentionTagOverride": None}}}

RESTORE: Shape = {
    "objectType": None,
    "recoveryPointId": None,
    "sourceDataStoreType": None,
    "sourceResourceId": None,
    "restoreTargetInfo": {
        "objectType": None,
        "recoveryOption": None,
        "restoreLocation": None,
        "databases": None,
        "targetDetails": {
            "filePrefix": None,
            "restoreTargetLocationType": None,
            "url": None,
            "targetResourceArmId": None,
        },
    },
}
VALIDATE_RESTORE: Shape = {"restoreRequestObject": RESTORE}

SIMULATE_POLICY: Shape = Strict(
    {
        "policy": None,
        "from": None,
        "until": None,
        "years": None,
        "failures": None,
        "serverSizeBytes": None,
        "growthPerYear": None,
    }
)
RETENTION_PREVIEW: Shape = Strict(backupInstance=None, policy=None, until=None)
DECISION: Shape = Strict(reason=None)

HOLD: Shape = Strict(reason=None, recoveryPointId=None)
VERIFY: Shape = Strict(deep=None, instance=None, continueFrom=None)
NOTHING: Shape = Strict()
REEVALUATE: Shape = Strict(previewHash=None)

VAULT: Shape = {
    "tags": None,
    "properties": {
        "securitySettings": {
            "immutabilitySettings": {"state": None},
            "softDeleteSettings": {"state": None, "retentionDurationInDays": None},
        },
        "monitoringSettings": {"azureMonitorAlertSettings": {"alertsForAllJobFailures": None}},
    },
}
POISONING_GUARD: Shape = Strict(state=None)
ACKNOWLEDGE: Shape = Strict(reason=None)
