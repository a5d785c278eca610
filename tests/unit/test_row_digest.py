"""Rows have a count and a digest as a set, wherever the pieces are cut in which they come."""

import hashlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flexvault.domain.row_digest import CopyText, RowDigest

rows = st.lists(st.binary(max_size=12).filter(lambda row: b"\n" not in row and row != b"\\."), max_size=8)


def digest(text: bytes, *, every: int = 0) -> RowDigest:
    taken = RowDigest()
    for at in range(0, len(text), every or len(text) or 1):
        taken.add(text[at : at + (every or len(text))])
    return taken


def lines(rows: list[bytes]) -> bytes:
    return b"".join(row + b"\n" for row in rows)


@given(rows, st.integers(1, 9))
@settings(deadline=None)
def test_the_digest_is_the_sum_of_the_hashes_of_the_rows(rows: list[bytes], every: int) -> None:
    total = sum(int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "big") for row in rows)
    taken = digest(lines(rows), every=every)
    assert (taken.rows, taken.bytes, taken.digest) == (len(rows), len(lines(rows)), f"{total % 2**128:032x}")


def test_order_does_not_matter_and_everything_else_does() -> None:
    text = digest(b"1\ta\n2\tb\n2\tb\n").digest
    assert digest(b"2\tb\n1\ta\n2\tb\n").digest == text
    others = (b"1\ta\n2\tb\n", b"1\ta\n", b"1\ta\n1\ta\n2\tb\n", b"1\ta\n2\tb\n2\tB\n", b"1\ta\n2\tb\n2\tb\n\n")
    assert text not in {digest(other).digest for other in others}


def test_a_row_of_any_length_takes_no_memory() -> None:
    taken = RowDigest()
    piece = bytes(256 * 1024)
    tracemalloc.start()
    for _ in range(400):
        taken.add(piece)
    taken.add(b"\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (taken.rows, taken.bytes) == (1, 400 * len(piece) + 1)
    assert peak < 2 * 1024 * 1024


@given(rows, st.integers(1, 9))
@settings(deadline=None)
def test_copy_text_ends_with_its_mark(rows: list[bytes], every: int) -> None:
    text, taken = lines(rows) + b"\\.\n\n\n", CopyText()
    for at in range(0, len(text), every):
        taken.add(text[at : at + every])
    assert taken.close()
    assert (taken.rows.rows, taken.rows.digest) == (len(rows), digest(lines(rows)).digest)


WRONG = {
    "nothing": b"",
    "no_mark": b"1\n2\n\n\n",
    "cut_mark": b"1\n\\.\n\n",
    "bytes_behind": b"1\n\\.\n\n\n\n",
    "other_bytes_behind": b"1\n\\.\n2\n",
    "rows_behind": b"1\n\\.\n\n\n2\n\\.\n\n\n",
    "mark_among_the_rows": b"1\n\\.\n2\n\\.\n\n\n",
    "mark_first": b"\\.\n2\n\\.\n\n\n",
    "mark_inside_a_row": b"1\n2\\.\n\n\n",
}


@pytest.mark.parametrize("every", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_copy_text_that_ends_otherwise_is_refused(text: bytes, every: int) -> None:
    taken = CopyText()
    for at in range(0, len(text), every):
        taken.add(text[at : at + every])
    assert not taken.close()
