"""Answer a request whose work is done, or goes on by itself, as an operation that the client may follow."""

from http import HTTPStatus

from flexvault.api.call import Answer, Call
from flexvault.domain import names
from flexvault.services.operations import record_operation


def accept(call: Call, subject: str, resource_id: str, *, job_id: str = "", follows_deletion: int = 0) -> Answer:
    """Record the operation of a call and answer 202.

    Args:
        call: The call.
        subject: What names the operation beside its kind: a repetition has the same.
        resource_id: What it is about.
        job_id: The job that it begins, if it begins one; the operation itself has ended.
        follows_deletion: The entry of the deletion with whose end the operation ends; 0: it has ended.
    """
    operation_id = names.operation_id(call.operation.name, subject)
    record_operation(
        call.vault.ports,
        operation_id=operation_id,
        kind=call.operation.name,
        job_id=job_id,
        follows_deletion=follows_deletion,
        resource_id=resource_id,
    )
    return Answer(status=HTTPStatus.ACCEPTED, operation_id=operation_id, waits=True)
