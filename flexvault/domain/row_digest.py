"""Digest rows as a set: the same rows in another order have the same digest, one row more or twice has not.

Digest of a set = sum of BLAKE2b-128 of its members, modulo 2**128, so that parts can be added. A sum, not XOR, under
which a row that is there twice would vanish. It finds accidents; against somebody who may choose rows SHA-256 helps.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 16
MODULUS: Final = 1 << 8 * DIGEST_BYTES

_EMPTY: Final = blake2b(digest_size=DIGEST_BYTES)
"""Copying a hash is faster than making one (by 40 %, Python 3.13)."""


def digest_text(total: int) -> str:
    """Write the sum of digests as 32 hexadecimal digits."""
    return f"{total % MODULUS:032x}"


def add_digests(digests: Iterable[str]) -> str:
    """Add digests that `digest_text` wrote: that of all their rows together."""
    return digest_text(sum(int(digest, 16) for digest in digests))


class RowDigest:
    r"""Count and digest rows of COPY's text format, whatever their length, in pieces that may be cut anywhere.

    A row is what precedes a newline; COPY writes newlines of data as `\n`. What is digested is the row without it.

    Attributes:
        rows: Whole rows so far.
        bytes: Of them, newlines included.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0
        self._total = 0
        self._open = _EMPTY.copy()
        self._open_bytes = 0

    @property
    def digest(self) -> str:
        """The digest of the whole rows so far."""
        return digest_text(self._total)

    @property
    def is_in_row(self) -> bool:
        """The last newline is not the last byte."""
        return self._open_bytes > 0

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        first, *others = piece.split(b"\n")
        self._open.update(first)
        self._open_bytes += len(first)
        if not others:
            return
        last = others.pop()
        copy, total = _EMPTY.copy, int.from_bytes(self._open.digest())
        digests: list[bytes] = [b""] * len(others)
        for index, row in enumerate(others):
            hashed = copy()
            hashed.update(row)
            digests[index] = hashed.digest()
        self._total = (self._total + total + sum(map(int.from_bytes, digests))) % MODULUS
        self.rows += 1 + len(others)
        self.bytes += self._open_bytes + 1 + len(piece) - len(first) - 1 - len(last)
        self._open = copy()
        self._open.update(last)
        self._open_bytes = len(last)


class CopyText:
    r"""Take the COPY text of a table as pg_dump writes it: rows, then the mark `\.` and two empty lines.

    Attributes:
        rows: The rows before the mark.
    """

    MARK: Final = b"\\.\n\n\n"
    _MARK_LINE: Final = b"\n\\.\n"

    def __init__(self) -> None:
        self.rows = RowDigest()
        self._held = b"\n"
        """The last bytes: perhaps the mark. A newline before the first row makes it a line like the others."""
        self._taken = 0
        self._mark: int | None = None

    def add(self, piece: bytes) -> None:
        """Take the next bytes."""
        both = self._held + piece
        if self._mark is None:
            found = both.find(self._MARK_LINE, max(len(self._held) - len(self._MARK_LINE) + 1, 0))
            self._mark = None if found < 0 else self._taken + found
        keep = max(len(both) - len(self.MARK), 0)
        self._give(both[:keep])
        self._held = both[keep:]

    def close(self) -> bool:
        """Say whether the text ended as it must: whole rows, the first mark, and nothing behind it."""
        return self._held == self.MARK and self._mark == self._taken - 1 and not self.rows.is_in_row

    def _give(self, text: bytes) -> None:
        self.rows.add(text if self._taken else text[1:])
        self._taken += len(text)
