"""What every keeper of rows promises."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from flexvault.domain.errors import AlreadyExistsError, PermanentError, RowChangedError
from flexvault.ports import Change, Delete, Insert, Merge, Replace, Row, Rows, Scalar

TABLE = "jobs"


@pytest.fixture
def partition(number: int) -> str:
    return f"partition-{number}"


def insert(rows: Rows, partition: str, key: str, **values: Scalar) -> Row:
    rows.apply(TABLE, partition, [Insert(key=key, values=values)])
    return get(rows, partition, key)


def get(rows: Rows, partition: str, key: str) -> Row:
    row = rows.find(TABLE, partition, key)
    assert row is not None
    return row


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty text"),
        pytest.param("Grüße 🐘 'quoted' \"twice\"", id="text of the world"),
        pytest.param("x" * 32 * 1024, id="longest text"),
        pytest.param(0, id="zero"),
        pytest.param(-(2**31), id="smallest 32-bit number"),
        pytest.param(2**31, id="first number past 32 bits"),
        pytest.param(2**63 - 1, id="largest number"),
        pytest.param(1.5, id="fraction"),
        pytest.param(3.0, id="whole fraction"),
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(datetime(2026, 1, 5, 10, 30, 1, 123456, tzinfo=UTC), id="time to the microsecond"),
    ],
)
def test_a_value_comes_back_as_it_went_in(rows: Rows, partition: str, value: Scalar) -> None:
    row = insert(rows, partition, "row", value=value)

    assert row.values == {"value": value}
    assert type(row.values["value"]) is type(value)


def test_a_time_of_another_zone_comes_back_in_utc(rows: Rows, partition: str) -> None:
    row = insert(rows, partition, "row", at=datetime(2026, 1, 5, 12, tzinfo=timezone(timedelta(hours=2))))

    at = row.values["at"]
    assert isinstance(at, datetime)
    assert at.tzinfo == UTC
    assert at == datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"text": "x" * (32 * 1024 + 1)}, id="text too long"),
        pytest.param({"text": "🐘" * (16 * 1024 + 1)}, id="text too long in UTF-16"),
        pytest.param({"number": 2**63}, id="number over 64 bits"),
        pytest.param({"at": datetime(2026, 1, 5)}, id="time without zone"),  # noqa: DTZ001 - the mistake
        pytest.param({"RowKey": "other"}, id="reserved name"),
        pytest.param({f"m{number}": 1 for number in range(253)}, id="too many members"),
        pytest.param({"nothing": None}, id="nothing"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(rows: Rows, partition: str, values: Mapping[str, Scalar]) -> None:
    with pytest.raises(PermanentError, match="row 'row' of table 'jobs'"):
        rows.apply(TABLE, partition, [Insert(key="row", values=values)])

    assert rows.find(TABLE, partition, "row") is None


def test_a_row_that_was_never_written_is_nothing(rows: Rows, partition: str) -> None:
    assert rows.find(TABLE, partition, "row") is None


def test_a_key_may_hold_a_quote(rows: Rows, partition: str) -> None:
    insert(rows, partition, "o'brien", value=1)

    assert get(rows, partition, "o'brien").values == {"value": 1}
    assert [row.key for row in rows.query(TABLE, partition, start="o'", end="o(")] == ["o'brien"]


def test_a_missing_table_is_an_error_and_never_no_rows(rows: Rows, partition: str) -> None:
    with pytest.raises(PermanentError, match="nowhere") as found:
        rows.find("nowhere", partition, "row")
    with pytest.raises(PermanentError, match="nowhere") as queried:
        list(rows.query("nowhere", partition, start="a", end="b"))
    with pytest.raises(PermanentError, match="nowhere") as written:
        rows.apply("nowhere", partition, [Insert(key="row", values={})])
    with pytest.raises(PermanentError, match="nowhere") as deleted:
        rows.apply("nowhere", partition, [Delete(key="row", etag='W/"1"')])

    assert {raised.value.code for raised in (found, queried, written, deleted)} == {"TableNotFound"}


def test_a_range_is_answered_in_key_order_without_its_end(rows: Rows, partition: str) -> None:
    for key in ("b", "a", "d", "c"):
        insert(rows, partition, key)

    assert [row.key for row in rows.query(TABLE, partition, start="a", end="d")] == ["a", "b", "c"]


def test_a_limit_takes_the_first_keys(rows: Rows, partition: str) -> None:
    rows.apply(TABLE, partition, [Insert(key=f"{index:03d}", values={}) for index in range(10)])

    assert [row.key for row in rows.query(TABLE, partition, start="0", end="9", limit=3)] == ["000", "001", "002"]
    assert list(rows.query(TABLE, partition, start="0", end="9", limit=0)) == []


def test_a_long_range_is_answered_whole(rows: Rows, partition: str) -> None:
    for first in range(0, 1100, 100):
        rows.apply(TABLE, partition, [Insert(key=f"{first + index:05d}", values={}) for index in range(100)])

    keys = [row.key for row in rows.query(TABLE, partition, start="0", end="9")]
    assert keys == [f"{index:05d}" for index in range(1100)]


def test_partitions_do_not_meet(rows: Rows, partition: str) -> None:
    insert(rows, partition, "row", value=1)

    assert rows.find(TABLE, f"{partition}-other", "row") is None
    assert list(rows.query(TABLE, f"{partition}-other", start="a", end="z")) == []


def test_an_insert_of_what_exists_is_refused(rows: Rows, partition: str) -> None:
    insert(rows, partition, "row", value=1)

    with pytest.raises(AlreadyExistsError):
        rows.apply(TABLE, partition, [Insert(key="row", values={"value": 2})])
    assert get(rows, partition, "row").values == {"value": 1}


def test_a_replace_leaves_nothing_of_the_old_row(rows: Rows, partition: str) -> None:
    row = insert(rows, partition, "row", old=1, kept=1)

    rows.apply(TABLE, partition, [Replace(key="row", values={"kept": 2}, etag=row.etag)])

    assert get(rows, partition, "row").values == {"kept": 2}


def test_a_merge_changes_only_what_it_names(rows: Rows, partition: str) -> None:
    row = insert(rows, partition, "row", old=1, changed=1)

    rows.apply(TABLE, partition, [Merge(key="row", values={"changed": 2}, etag=row.etag)])
    rows.apply(TABLE, partition, [Merge(key="row", values={"new": 3})])

    assert get(rows, partition, "row").values == {"old": 1, "changed": 2, "new": 3}


def test_every_write_changes_the_etag(rows: Rows, partition: str) -> None:
    first = insert(rows, partition, "row", value=1)

    rows.apply(TABLE, partition, [Merge(key="row", values={"value": 1})])

    assert get(rows, partition, "row").etag != first.etag


def stale_changes(etag: str) -> Sequence[Change]:
    return (
        Replace(key="row", values={"value": 9}, etag=etag),
        Merge(key="row", values={"value": 9}, etag=etag),
        Delete(key="row", etag=etag),
    )


@pytest.mark.parametrize("kind", range(3), ids=["replace", "merge", "delete"])
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in a transaction"])
def test_a_change_by_an_old_etag_is_refused(rows: Rows, partition: str, kind: int, in_transaction: bool) -> None:
    old = insert(rows, partition, "row", value=1)
    rows.apply(TABLE, partition, [Merge(key="row", values={"value": 2})])
    companions = [Insert(key="companion", values={})] if in_transaction else []

    with pytest.raises(RowChangedError, match="'row'"):
        rows.apply(TABLE, partition, [*companions, stale_changes(old.etag)[kind]])

    assert get(rows, partition, "row").values == {"value": 2}
    assert rows.find(TABLE, partition, "companion") is None


@pytest.mark.parametrize("kind", range(4), ids=["replace", "merge", "delete", "merge of any version"])
@pytest.mark.parametrize("in_transaction", [False, True], ids=["alone", "in a transaction"])
def test_a_change_of_a_row_that_is_gone_is_refused(rows: Rows, partition: str, kind: int, in_transaction: bool) -> None:
    row = insert(rows, partition, "row", value=1)
    rows.apply(TABLE, partition, [Delete(key="row", etag=row.etag)])
    companions = [Insert(key="companion", values={})] if in_transaction else []
    changes = [*stale_changes(row.etag), Merge(key="row", values={"value": 9})]

    with pytest.raises(RowChangedError):
        rows.apply(TABLE, partition, [*companions, changes[kind]])

    assert rows.find(TABLE, partition, "row") is None
    assert rows.find(TABLE, partition, "companion") is None


def test_a_transaction_carries_out_all_kinds_of_changes(rows: Rows, partition: str) -> None:
    etags = {key: insert(rows, partition, key, value=1).etag for key in ("replaced", "merged", "deleted")}

    rows.apply(
        TABLE,
        partition,
        [
            Insert(key="inserted", values={"value": 2}),
            Replace(key="replaced", values={"value": 3}, etag=etags["replaced"]),
            Merge(key="merged", values={"more": 4}, etag=etags["merged"]),
            Delete(key="deleted", etag=etags["deleted"]),
        ],
    )

    found = {row.key: row.values for row in rows.query(TABLE, partition, start="a", end="z")}
    assert found == {"inserted": {"value": 2}, "merged": {"value": 1, "more": 4}, "replaced": {"value": 3}}


def test_a_transaction_that_meets_an_existing_row_does_nothing(rows: Rows, partition: str) -> None:
    insert(rows, partition, "there", value=1)

    with pytest.raises(AlreadyExistsError, match="'there'"):
        rows.apply(TABLE, partition, [Insert(key="new", values={}), Insert(key="there", values={})])

    assert rows.find(TABLE, partition, "new") is None


def test_a_hundred_changes_fit_and_one_more_does_not(rows: Rows, partition: str) -> None:
    changes = [Insert(key=f"{index:03d}", values={}) for index in range(101)]

    with pytest.raises(PermanentError, match="101"):
        rows.apply(TABLE, partition, changes)
    rows.apply(TABLE, partition, changes[:100])

    assert len(list(rows.query(TABLE, partition, start="0", end="9"))) == 100


def test_a_transaction_that_names_a_row_twice_is_refused(rows: Rows, partition: str) -> None:
    with pytest.raises(PermanentError, match="twice"):
        rows.apply(TABLE, partition, [Insert(key="row", values={}), Merge(key="row", values={"value": 1})])


def test_no_changes_are_no_work(rows: Rows, partition: str) -> None:
    rows.apply(TABLE, partition, [])


def test_of_many_threads_that_insert_one_row_one_wins(rows: Rows, partition: str) -> None:
    def claim(claimant: int) -> bool:
        try:
            rows.apply(
                TABLE,
                partition,
                [Insert(key="claim", values={"by": claimant}), Insert(key=f"job-{claimant}", values={})],
            )
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(claim, range(16)))

    assert sum(outcomes) == 1
    assert get(rows, partition, "claim").values == {"by": outcomes.index(True)}
    assert len(list(rows.query(TABLE, partition, start="job-", end="job."))) == 1
