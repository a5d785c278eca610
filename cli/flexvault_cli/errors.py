"""What can go wrong, and how it is told: a code, a message, and what to do next."""

from collections.abc import Sequence
from http import HTTPStatus

import httpx

from flexvault_cli.wire import Json, dig, dig_list

REFUSED = 1
MISUSED = 2
DIFFERENT = 3
INTERRUPTED = 130


class CliError(Exception):
    """Something that ends the command.

    Attributes:
        code: The vault's error code, or empty.
        message: What happened.
        target: The object or the member of the request, or empty.
        actions: What to do next, one sentence each.
        status: The HTTP status of the vault's answer, or 0.
        exit_code: 1 when the vault refused or a job failed, 2 when the command was called wrongly, 130 after Ctrl-C.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        target: str = "",
        actions: Sequence[str] = (),
        status: int = 0,
        exit_code: int = REFUSED,
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.target = code, message, target
        self.actions, self.status, self.exit_code = list(actions), status, exit_code


def read_failure(error: Json, status: int = 0) -> CliError:
    """Make an error from the vault's JSON: an ARM error, or the `UserFacingError` of a job."""
    actions = read_actions(error)
    message = str(error.get("message") or "the vault gives no reason")
    for action in actions:
        message = message.removesuffix(f"; hint: {action}")
    told = [_read_detail(detail) for detail in dig_list(error, "details")]
    lines = [message, *(detail for detail in dict.fromkeys(told) if detail not in message)]
    code, target = str(error.get("code") or ""), str(error.get("target") or "")
    return CliError("\n".join(lines), code=code, target=target, actions=actions, status=status)


def read_actions(error: Json) -> list[str]:
    """Answer what the vault recommends, each sentence once."""
    infos: list[Json] = [info.get("info") or {} for info in dig_list(error, "additionalInfo")]
    told = [str(action) for source in (error, *infos) for action in dig_list(source, "recommendedAction")]
    return list(dict.fromkeys(told))


def read_refusal(response: httpx.Response) -> CliError:
    """Make an error from an answer with a status of 400 or above."""
    try:
        error = dig(response.json(), "error")
    except ValueError:
        error = None
    if error:
        return read_failure(error, response.status_code)
    said = f"{response.request.method} {response.request.url} answered {response.status_code}"
    hints = ["check the vault's address: it ends in /api"] if response.status_code == HTTPStatus.NOT_FOUND else []
    return CliError(said, actions=hints, status=response.status_code)


def _read_detail(detail: Json) -> str:
    return f"{detail.get('target') or detail.get('code')}: {detail.get('message')}"
