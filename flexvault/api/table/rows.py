"""How a row of the operation table is written: roles, ways to learn the end, resource types."""

from collections.abc import Callable
from http import HTTPStatus

from flexvault.api.call import Answer, ApiOperation, Call, LongRunning
from flexvault.api.problems import RefusedError
from flexvault.api.resource_ids import PROVIDER
from flexvault.api.roles import Role
from flexvault.domain.policy import DATASOURCE_TYPE

BV, BI, BP = "backupVaults", "backupVaults/backupInstances", "backupVaults/backupPolicies"
READER, OPERATOR, CONTRIBUTOR, APPROVER = Role.READER, Role.OPERATOR, Role.CONTRIBUTOR, Role.APPROVER
# How the end is learnt, and how many seconds a client should wait before it looks (the real service's own numbers).
SYNC = (LongRunning.NO, 0)
POLL = (LongRunning.NO, 10)
CHECK = (LongRunning.POST, 10)
JOB = (LongRunning.POST, 30)
CREATE = (LongRunning.PUT, 15)


def row(
    method: str,
    template: str,
    action: str,
    role: Role | None,
    handler: Callable[[Call], Answer],
    *statuses: int,
    lro: tuple[LongRunning, int] = SYNC,
) -> ApiOperation:
    """Write a row; the action is what the role must allow, without the provider."""
    return ApiOperation(
        name=f"{PROVIDER}/{action}",
        method=method,
        template=template,
        role=role,
        statuses=frozenset(HTTPStatus(status) for status in statuses),
        handler=handler,
        long_running=lro[0],
        retry_after_seconds=lro[1],
    )


NOT_SUPPORTED = "UserErrorOperationNotSupported"
"""Azure Backup's prefix for what its caller can mend; no public source names the code of the real service."""


def unsupported(method: str, template: str, action: str, role: Role, because: tuple[str, str]) -> ApiOperation:
    """Write a row of an operation that has no meaning for flexible servers: 400 says why, and what to do instead.

    Token, role and path are checked as for every other; no status of success exists.
    """
    why, instead = because

    def refuse(call: Call) -> Answer:
        raise RefusedError(
            f"'{call.operation.name}' is not supported by this vault of '{DATASOURCE_TYPE}': {why}",
            status=HTTPStatus.BAD_REQUEST,
            code=NOT_SUPPORTED,
            target=call.path,
            hint=instead,
        )

    return row(method, template, action, role, refuse)
