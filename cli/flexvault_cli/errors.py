"""What can go wrong, and how it is told: a code, a message, and what to do next."""

import httpx

from flexvault_cli.wire import Json, dig, dig_list

REFUSED = 1
MISUSED = 2


class CliError(Exception):
    """Something that ends the command.

    Attributes:
        code: The vault's error code, or empty.
        message: What happened.
        actions: What to do next, one sentence each.
        exit_code: 1 when the vault refused or a job failed, 2 when the command was called wrongly.
    """

    def __init__(
        self, message: str, *, code: str = "", actions: list[str] | None = None, exit_code: int = REFUSED
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.actions, self.exit_code = code, message, actions or [], exit_code


def read_failure(error: Json) -> CliError:
    """Make an error from the vault's JSON: an ARM error, or the `UserFacingError` of a job."""
    infos: list[Json] = [info.get("info") or {} for info in dig_list(error, "additionalInfo")]
    actions = [str(action) for source in (error, *infos) for action in dig_list(source, "recommendedAction")]
    details = [f"{detail.get('code')}: {detail.get('message')}" for detail in dig_list(error, "details")]
    message = "\n".join([error.get("message") or "the vault gives no reason", *details])
    return CliError(message, code=error.get("code") or "", actions=actions)


def read_refusal(response: httpx.Response) -> CliError:
    """Make an error from an answer with a status of 400 or above."""
    try:
        error = dig(response.json(), "error")
    except ValueError:
        error = None
    if error:
        return read_failure(error)
    return CliError(f"{response.request.method} {response.request.url} answered {response.status_code}")
