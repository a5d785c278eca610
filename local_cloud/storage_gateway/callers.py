"""Who did what in each account, as an account's resource logs tell it in Azure (`StorageBlobLogs`): in memory only."""

from collections import defaultdict
from http import HTTPStatus

from local_cloud.storage_gateway.access import Caller
from local_cloud.storage_gateway.answer import Answer
from local_cloud.storage_gateway.operations import Operation


class Callers:
    """Names of the principals that were let do an operation, by account and the operation's documented name."""

    def __init__(self) -> None:
        self._names: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))

    def note(self, account: str, operation: Operation, caller: Caller, answer: Answer) -> None:
        """Remember an operation that was done; of an account's key, or a signature by one, nobody is known."""
        if caller.name and answer.status < HTTPStatus.BAD_REQUEST:
            self._names[account][operation.name].add(caller.name)

    def to_json(self) -> dict[str, dict[str, list[str]]]:
        """Write all of it."""
        return {
            account: {operation: sorted(names) for operation, names in sorted(done.items())}
            for account, done in sorted(self._names.items())
        }
