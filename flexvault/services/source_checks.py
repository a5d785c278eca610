"""What is true of a source server before it is backed up; the rules themselves are the domain's."""

from collections.abc import Iterable, Sequence
from typing import Any

from flexvault.domain.azure_codes import NOT_READY, OPERATION_FAILED
from flexvault.domain.errors import NotFoundError, PermanentError, TransientError, VaultError
from flexvault.domain.findings import Finding
from flexvault.domain.server_checks import azure_backup_not_asked, check_readiness
from flexvault.ports import AzureBackupInstance, Server, Servers
from flexvault.services.progress import warning

SERVER_GONE = "check the id; if the server was deleted, its recovery points stay and can be restored as files"


class ServerNotReadyError(PermanentError):
    """The server is in a state that does not pass by itself, or of a kind that cannot be backed up."""

    default_code = OPERATION_FAILED


class ServerIsChangingError(TransientError):
    """The server is in a state that passes by itself."""

    default_code = NOT_READY


def get_server(servers: Servers, server_id: str) -> Server:
    """Read a source server.

    Raises:
        NotFoundError: Azure Backup's code with ARM's own behind it.
    """
    try:
        return servers.get(server_id)
    except NotFoundError as error:
        raise NotFoundError(
            f"the server '{server_id}' does not exist",
            code=OPERATION_FAILED,
            inner_code=error.code,
            target=server_id,
            hint=SERVER_GONE,
        ) from None


def require_ready(server: Server) -> None:
    """Refuse a server that LTR refuses.

    Raises:
        ServerIsChangingError: Look again later.
        ServerNotReadyError: A person must act first.
    """
    refuse_errors(check_readiness(server))


def refuse_errors(findings: Iterable[Finding]) -> None:
    """Refuse for the first error, with the others as its details; a state that passes by itself comes last.

    Raises:
        ServerIsChangingError: Look again later.
        ServerNotReadyError: A person must act first.
    """
    held = list(findings)
    errors = [finding for finding in held if finding.is_error]
    if errors:
        raise _refusal(errors[0], tuple(_refusal(finding) for finding in errors[1:]))
    for finding in held:
        if finding.passes:
            raise ServerIsChangingError(finding.message, hint=finding.remedy, target=finding.subject)


def _refusal(finding: Finding, details: tuple[VaultError, ...] = ()) -> ServerNotReadyError:
    is_arms = finding.code == NOT_READY
    return ServerNotReadyError(
        finding.message,
        code=OPERATION_FAILED if is_arms else finding.code,
        inner_code=NOT_READY if is_arms else "",
        target=finding.subject,
        hint=finding.remedy,
        details=details,
    )


def warnings_of(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Write findings that are warnings as those of a job or an operation."""
    return [warning(found.code, found.message, found.subject, found.remedy) for found in findings if found.is_warning]


def ask_azure_backup(servers: Servers, server_id: str) -> Sequence[AzureBackupInstance] | Finding:
    """Ask whether Azure Backup protects a server, too; who cannot ask is told so, and nothing else is stopped by it."""
    try:
        return servers.list_azure_backup_instances(server_id)
    except VaultError as error:
        return azure_backup_not_asked(server_id, error.message, error.hint)
