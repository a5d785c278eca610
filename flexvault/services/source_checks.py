"""What is true of a source server before it is backed up."""

from flexvault.domain.azure_codes import NOT_READY, OPERATION_FAILED
from flexvault.domain.errors import NotFoundError, PermanentError, TransientError
from flexvault.ports import Server, Servers
from flexvault.services.progress import warning

LARGEST_SERVER_GIB = 1024
PASSING_STATES = frozenset({"Starting", "Stopping", "Updating", "Restarting", "Provisioning"})
REPLICA_ROLES = frozenset({"AsyncReplica", "GeoAsyncReplica"})


class ServerNotReadyError(PermanentError):
    """The server is in a state that does not pass by itself."""

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
            hint="check the id; if the server was deleted, its recovery points stay and can be restored as files",
        ) from None


def require_ready(server: Server) -> None:
    """Refuse a server that LTR refuses.

    Raises:
        ServerIsChangingError: Look again later.
        ServerNotReadyError: A person must act first.
    """
    if server.replication_role in REPLICA_ROLES:
        raise ServerNotReadyError(
            f"the server '{server.name}' is a replica ({server.replication_role}); only primaries can be backed up",
            code="UserErrorReplicaServerNotSupported",
            target=server.id,
            hint="protect the primary server instead",
        )
    if server.state in PASSING_STATES:
        raise ServerIsChangingError(f"the server '{server.name}' is {server.state}")
    if server.state != "Ready":
        raise ServerNotReadyError(
            f"the server '{server.name}' is {server.state}, not Ready",
            inner_code=NOT_READY,
            target=server.id,
            hint=f"start the server: az postgres flexible-server start --ids {server.id}",
        )


def size_warnings(server: Server) -> list[dict[str, str]]:
    """Warn of a server larger than LTR is documented to support."""
    if server.storage_size_gib is None or server.storage_size_gib <= LARGEST_SERVER_GIB:
        return []
    text = (
        f"the server '{server.name}' has {server.storage_size_gib} GiB provisioned; "
        f"backups are supported up to {LARGEST_SERVER_GIB} GiB (1 TiB) and may fail above"
    )
    return [warning("ServerLargerThanSupported", text, server.id)]
