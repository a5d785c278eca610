"""The texts that the Durable extension stores when a function fails."""

import json

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf.wrappers_pb2 import StringValue

from local_cloud.functions_host.errors import InvocationError

# https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-custom-orchestration-status
CUSTOM_STATUS_LIMIT_BYTES = 16 * 1024


def failure_details(error: InvocationError) -> pb.TaskFailureDetails:
    """Split `ValueError: text` into type and text, as the extension does: the text ends with its first line."""
    kind, separator, text = error.message.partition(": ")
    if not separator:
        kind, text = "(unknown)", error.message
    return pb.TaskFailureDetails(
        errorType=kind.rstrip(),
        errorMessage=text.split("\n", 1)[0].rstrip() if separator else text,
        stackTrace=StringValue(value=error.stack),
    )


def unknown_orchestrator(name: str, known: list[str]) -> str:
    """Return the output of an instance whose orchestrator the app does not have."""
    names = ", ".join(f"'{known_name}'" for known_name in known)
    return _output(
        f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. Additional info: "
        f"The following are the known orchestrator functions: {names}.",
        None,
    )


def unknown_activity(name: str, known: list[str]) -> pb.TaskFailureDetails:
    """Return the failure of a call to an activity that the app does not have."""
    names = ", ".join(f"'{known_name}'" for known_name in known)
    return pb.TaskFailureDetails(
        errorType="System.InvalidOperationException",
        errorMessage=f"The function '{name}' doesn't exist, is disabled, or is not an activity function. "
        f"Additional info: The following are the known activity functions: {names}.",
    )


def failed_orchestrator(name: str, details: str) -> str:
    """Return the output of an instance whose orchestrator function itself broke."""
    return _output(
        f"Function '{name}' failed with an unhandled exception.",
        "Microsoft.Azure.WebJobs.Host.FunctionInvocationException: Exception while executing function: "
        f"Functions.{name}\n ---> {details}",
    )


def oversized_custom_status(response: pb.OrchestratorResponse) -> str | None:
    """Return the extension's complaint about a custom status over its limit, or None."""
    size_bytes = len(response.customStatus.value.encode("utf-16-le"))
    if size_bytes <= CUSTOM_STATUS_LIMIT_BYTES:
        return None
    return (
        "System.ArgumentException: CustomStatus is too large: limit = 16 KB (UTF-16), "
        f"actual = {size_bytes / 1024:.1f} KB."
    )


def failed_turn(instance_id: str, output: str) -> pb.OrchestratorResponse:
    """Return the turn that ends an instance as failed with `output`."""
    action = helpers.new_complete_orchestration_action(-1, pb.ORCHESTRATION_STATUS_FAILED, output, None)
    return pb.OrchestratorResponse(instanceId=instance_id, actions=[action])


def _output(message: str, details: str | None) -> str:
    return json.dumps({"message": message, "details": details}, separators=(",", ":"), ensure_ascii=False)
