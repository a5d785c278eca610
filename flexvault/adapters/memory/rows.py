"""Table Storage in a dictionary."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from flexvault.adapters.memory.faults import Faults
from flexvault.domain import row_keys, row_values
from flexvault.domain.errors import AlreadyExistsError, PermanentError, RowChangedError
from flexvault.ports import Change, Delete, Insert, Merge, Replace, Row, Scalar

type _Partition = dict[str, Row]


class MemoryRows:
    """Rows of the vault's tables; a table of another name does not exist."""

    def __init__(self, faults: Faults | None = None, tables: Sequence[str] = row_keys.TABLES) -> None:
        self._faults = faults or Faults()
        self._lock = threading.Lock()
        self._tables: dict[str, dict[str, _Partition]] = {table: {} for table in tables}
        self._changes = 0

    def find(self, table: str, partition: str, key: str) -> Row | None:
        """Read one row."""
        with self._faults.around("rows.find"), self._lock:
            return self._partition(table, partition).get(key)

    def query(self, table: str, partition: str, *, start: str, end: str, limit: int | None = None) -> Iterator[Row]:
        """Answer the rows of a range of keys, in key order."""
        with self._faults.around("rows.query"), self._lock:
            rows = self._partition(table, partition)
            found = [rows[key] for key in sorted(rows) if start <= key < end]
        yield from found[:limit]

    def apply(self, table: str, partition: str, changes: Sequence[Change]) -> None:
        """Carry out all changes or none."""
        row_values.check_changes(table, [change.key for change in changes])
        for change in changes:
            if not isinstance(change, Delete):
                row_values.check_row(table, change.key, change.values)
        with self._faults.around("rows.apply"), self._lock:
            rows = dict(self._partition(table, partition))
            for change in changes:
                self._carry_out(table, rows, change)
            self._tables[table][partition] = rows

    def _partition(self, table: str, partition: str) -> _Partition:
        if table not in self._tables:
            raise PermanentError(f"table '{table}' does not exist", code="TableNotFound", target=table)
        return self._tables[table].get(partition, {})

    def _carry_out(self, table: str, rows: _Partition, change: Change) -> None:
        now = rows.get(change.key)
        where = f"row '{change.key}' of table '{table}'"
        if isinstance(change, Insert):
            if now is not None:
                raise AlreadyExistsError(f"{where} exists")
            rows[change.key] = self._row(change.key, change.values)
            return
        if now is None:
            raise RowChangedError(f"{where} is gone")
        if change.etag not in (None, now.etag):
            raise RowChangedError(f"{where} is not the one that was read")
        match change:
            case Replace():
                rows[change.key] = self._row(change.key, change.values)
            case Merge():
                rows[change.key] = self._row(change.key, {**now.values, **change.values})
            case Delete():
                del rows[change.key]

    def _row(self, key: str, values: Mapping[str, Scalar]) -> Row:
        self._changes += 1
        # Table Storage keeps no zone: every time comes back in UTC.
        kept = {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in values.items()}
        return Row(key=key, values=kept, etag=f'W/"memory-{self._changes}"')
