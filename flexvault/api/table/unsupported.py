"""Azure Backup's operations that have no meaning for PostgreSQL flexible servers, or none for a vault that is one app.

Each answers 400 with the reason and with what does the same here. The lists by which clients look whether there is a
Resource Guard at all are answered: they are empty.
"""

import re

from flexvault.api.call import Answer, ApiOperation, Call
from flexvault.api.pages import answer_page, read_page
from flexvault.api.table.azure import AT, ONE, RG, SUB, V
from flexvault.api.table.rows import BI, BV, CONTRIBUTOR, OPERATOR, READER, row, unsupported

_GUARD_ACTION, _PROXY_ACTION = "resourceGuards", f"{BV}/backupResourceGuardProxies"
_GUARDS = RG + "/resourceGuards"
_GUARD = _GUARDS + "/{guard}"
_PROXIES = V + "/backupResourceGuardProxies"
_PROXY = _PROXIES + "/{proxy}"
_COLLECTIONS = (
    "deleteResourceGuardProxyRequests",
    "disableSoftDeleteRequests",
    "updateProtectedItemRequests",
    "updateProtectionPolicyRequests",
    "deleteProtectedItemRequests",
    "getBackupSecurityPINRequests",
)

_NO_GUARD = "the vault has no Resource Guard: a second person approves critical changes in the vault itself"
_APPROVE = (
    "send the change itself: where it is critical it answers 403 ApprovalRequired, and somebody with the role "
    "Backup.Approver approves it with POST /api/vault/approvals/{id}/approve"
)
_NO_REGION = "recovery points lie in the vault's own region and are copied to no other"
_RESTORE_HERE = (
    "restore from this vault with POST .../backupInstances/{name}/restore; the target account may be in another region"
)


def list_nothing(call: Call) -> Answer:
    """List none: clients ask whether there are any before they do anything else."""
    return answer_page(call, read_page(call, re.compile(r"(?!)")), (), str, dict)


def _guard(method: str, template: str, action: str) -> ApiOperation:
    role = READER if method == "GET" else CONTRIBUTOR
    return unsupported(method, template, action, role, (_NO_GUARD, _APPROVE))


def _cross_region(name: str) -> ApiOperation:
    role = OPERATOR if name.lower().endswith("restore") else READER
    template, action = f"{RG}{AT}/{name}", f"locations/{name}/action"
    return unsupported("POST", template, action, role, (_NO_REGION, _RESTORE_HERE))


_REQUESTS: tuple[ApiOperation, ...] = tuple(
    _guard("GET", f"{_GUARD}/{collection}{item}", f"{_GUARD_ACTION}/{collection}/read")
    for collection in _COLLECTIONS
    for item in ("", "/{request}")
)
_EXPORT = (
    "an export of jobs into a file of the service is not made",
    "list the jobs with GET .../backupJobs and follow nextLink: every page is JSON",
)

UNSUPPORTED: tuple[ApiOperation, ...] = (
    row("GET", SUB + "/resourceGuards", f"{_GUARD_ACTION}/read", READER, list_nothing, 200),
    row("GET", _GUARDS, f"{_GUARD_ACTION}/read", READER, list_nothing, 200),
    _guard("GET", _GUARD, f"{_GUARD_ACTION}/read"),
    _guard("PUT", _GUARD, f"{_GUARD_ACTION}/write"),
    _guard("PATCH", _GUARD, f"{_GUARD_ACTION}/write"),
    _guard("DELETE", _GUARD, f"{_GUARD_ACTION}/delete"),
    *_REQUESTS,
    row("GET", _PROXIES, f"{_PROXY_ACTION}/read", READER, list_nothing, 200),
    _guard("GET", _PROXY, f"{_PROXY_ACTION}/read"),
    _guard("PUT", _PROXY, f"{_PROXY_ACTION}/write"),
    _guard("DELETE", _PROXY, f"{_PROXY_ACTION}/delete"),
    _guard("POST", _PROXY + "/unlockDelete", f"{_PROXY_ACTION}/unlockDelete/action"),
    unsupported("POST", V + "/exportBackupJobs", f"{BV}/exportBackupJobs/action", OPERATOR, _EXPORT),
    unsupported("GET", V + "/backupJobs/operations/{operation}", f"{BV}/backupJobs/operations/read", READER, _EXPORT),
    unsupported(
        "POST",
        ONE + "/rehydrate",
        f"{BI}/rehydrate/action",
        OPERATOR,
        (
            "recovery points are never moved to an archive tier",
            "restore the recovery point with POST .../restore: it needs no rehydration",
        ),
    ),
    *(
        _cross_region(name)
        for name in (
            "crossRegionRestore",
            "validateCrossRegionRestore",
            "fetchSecondaryRecoveryPoints",
            "fetchCrossRegionRestoreJob",
            "fetchCrossRegionRestoreJobs",
        )
    ),
    unsupported(
        "DELETE",
        V,
        f"{BV}/delete",
        CONTRIBUTOR,
        (
            "the vault is this app with its storage accounts, and no request deletes those",
            "delete the backup instances with their data first; then delete what infra/README.md says was deployed",
        ),
    ),
)
