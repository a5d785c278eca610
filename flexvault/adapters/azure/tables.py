"""Rows in Table Storage, reached with the host's own identity."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NoReturn

from azure.core import MatchConditions
from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError
from azure.data.tables import (
    EdmType,
    EntityProperty,
    TableServiceClient,
    TableTransactionError,
    UpdateMode,
)

from flexvault.adapters.azure.pipeline import table_options
from flexvault.adapters.azure.table_errors import classify, is_missing_row
from flexvault.domain import row_values
from flexvault.ports import Change, Delete, Insert, Merge, Replace, Row, Scalar

_PAGE = 1000
_INT32 = 2**31


class AzureRows:
    """The tables of one account; one object serves all threads.

    Args:
        endpoint: `https://{account}.table.core.windows.net`.
        credential: An identity that may read and write table data.
    """

    def __init__(self, endpoint: str, credential: TokenCredential) -> None:
        self._endpoint = endpoint
        self._service = TableServiceClient(endpoint, credential=credential, **table_options())
        self._lock = threading.Lock()
        # Any: the SDK's methods are typed in part only.
        self._clients: dict[str, Any] = {}

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def find(self, table: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        try:
            return _row(self._table(table).get_entity(partition, key))
        except AzureError as error:
            if is_missing_row(error):
                return None
            self._refuse(error, table, key)

    def query(self, table: str, partition: str, *, start: str, end: str, limit: int | None = None) -> Iterator[Row]:
        """Answer the rows of a range of keys, in the order in which the service keeps them: by key."""
        entities: Iterator[Any] = self._table(table).query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": start, "end": end},
            results_per_page=min(limit, _PAGE) if limit else _PAGE,
        )
        try:
            # islice asks for no row past the limit, so no further page is read.
            yield from map(_row, islice(entities, limit))
        except AzureError as error:
            self._refuse(error, table, f"{start}..{end}")

    def apply(self, table: str, partition: str, changes: Sequence[Change]) -> None:
        """Carry out all changes or none; a single one takes the shorter call."""
        row_values.check_changes(table, [change.key for change in changes])
        for change in changes:
            if not isinstance(change, Delete):
                row_values.check_row(table, change.key, change.values)
        if not changes:
            return
        try:
            if len(changes) == 1:
                self._apply_one(self._table(table), partition, changes[0])
            else:
                self._table(table).submit_transaction([_operation(partition, change) for change in changes])
        except AzureError as error:
            self._refuse(error, table, _culprit(error, changes))

    def _table(self, table: str) -> Any:
        with self._lock:
            if table not in self._clients:
                self._clients[table] = self._service.get_table_client(table)
            return self._clients[table]

    def _apply_one(self, client: Any, partition: str, change: Change) -> None:
        name, entity, *options = _operation(partition, change)
        match name:
            case "create":
                client.create_entity(entity)
            case "delete":
                self._delete_one(client, entity, options[0])
            case _:
                client.update_entity(entity, **options[0])

    def _delete_one(self, client: Any, entity: dict[str, Any], options: dict[str, Any]) -> None:
        # delete_entity() takes a 404 for success; an update of nothing first would cost a second request, so the
        # same delete goes as a transaction of one, which reports the missing row.
        client.submit_transaction([("delete", entity, options)])

    def _refuse(self, error: AzureError, table: str, key: str) -> NoReturn:
        raise classify(error, self._endpoint, table, key) from None


def _row(entity: Mapping[str, Any]) -> Row:
    metadata: Any = getattr(entity, "metadata", {})
    values = {name: _from_service(value) for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}
    return Row(key=str(entity["RowKey"]), values=values, etag=str(metadata["etag"]))


def _from_service(value: Any) -> Scalar:
    if isinstance(value, EntityProperty):
        value = value.value
    if isinstance(value, datetime):
        # The SDK's subclass carries the service's text along; two equal times should be equal values.
        return datetime.fromtimestamp(0, UTC) + (value - datetime.fromtimestamp(0, UTC))
    return value


def _to_service(value: Scalar) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and not -_INT32 <= value < _INT32:
        return EntityProperty(value, EdmType.INT64)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _operation(partition: str, change: Change) -> tuple[Any, ...]:
    entity: dict[str, Any] = {"PartitionKey": partition, "RowKey": change.key}
    if not isinstance(change, Delete):
        entity |= {name: _to_service(value) for name, value in change.values.items()}
    match change:
        case Insert():
            return "create", entity
        case Replace():
            return "update", entity, {"mode": UpdateMode.REPLACE, **_if_match(change.etag)}
        case Merge():
            condition = {} if change.etag is None else _if_match(change.etag)
            return "update", entity, {"mode": UpdateMode.MERGE, **condition}
        case Delete():
            return "delete", entity, _if_match(change.etag)


def _if_match(etag: str) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _culprit(error: AzureError, changes: Sequence[Change]) -> str:
    index: Any = error.index if isinstance(error, TableTransactionError) else 0
    return changes[index].key if isinstance(index, int) and index < len(changes) else changes[0].key
