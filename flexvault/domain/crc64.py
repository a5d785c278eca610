"""CRC-64/NVME, the checksum that Azure Storage answers for every block (`x-ms-content-crc64`).

Polynomial 0xAD93D23594C93659, reflected, all ones in and out; on the wire its eight bytes, lowest first, in base64.
Source: NVM Express NVM Command Set Specification 1.1, 5.2.1.3.4, and the storage SDK, which writes
`checksums.crc64.compute(data, 0).to_bytes(8, "little")`; the contract suite compares it with Azurite's answer.

A loop over bytes would take minutes for a block. A CRC is linear, so words far apart can be folded together: half of
a piece, times a constant, is added to the other half, until a few words are left. With the bytes of all words kept
apart by their place in the word, that product is a table look-up for whole rows of bytes at once (`bytes.translate`).
"""

import base64
from collections.abc import Iterable, Sequence
from functools import cache

_REFLECTED = 0x9A6C9329AC4BC9B5
_ONES = 0xFFFFFFFFFFFFFFFF
BEGIN = _ONES
"""The state before the first byte."""
_WORD = 8
"""Bytes."""
_BYTE = 8
"""Bits."""
_PIECE_BITS = 17
"""A piece has 2**17 words (1 MiB)."""
_LEAST_BITS = 7
"""Below 2**7 words a loop is as fast."""
_PIECE_BYTES = _WORD << _PIECE_BITS


def checksum(data: bytes) -> str:
    """Answer a block's CRC64 as Azure Storage writes it."""
    return end(go_on(BEGIN, data))


def compute(data: bytes) -> int:
    """Answer the CRC of bytes."""
    return go_on(BEGIN, data) ^ _ONES


def go_on(state: int, data: bytes) -> int:
    """Take up the next bytes of a block that comes in parts: from `BEGIN` to `end`; a state may be kept anywhere."""
    for begin in range(0, len(data), _PIECE_BYTES):
        state = _take_up(state, data[begin : begin + _PIECE_BYTES])
    return state


def end(state: int) -> str:
    """Answer a block's CRC64 as Azure Storage writes it, from the state after its last byte."""
    return base64.b64encode((state ^ _ONES).to_bytes(_WORD, "little")).decode()


def _take_up(state: int, piece: bytes) -> int:
    words = len(piece) // _WORD
    if words < 1 << _LEAST_BITS:
        return _take_up_bytes(state, piece)
    end = words * _WORD
    # What was read so far is added to the first word; leading zeros change nothing once it is there.
    first = (int.from_bytes(piece[:_WORD], "little") ^ state).to_bytes(_WORD, "little")
    bits = (words - 1).bit_length()
    padded = bytes(((1 << bits) - words) * _WORD) + first + piece[_WORD:end]
    planes = [padded[place::_WORD] for place in range(_WORD)]
    while bits > _LEAST_BITS:
        bits -= 1
        planes = _fold(planes, 1 << bits)
    rest = bytes(byte for word in zip(*planes, strict=True) for byte in word)
    return _take_up_bytes(_take_up_bytes(0, rest), piece[end:])


def _fold(planes: Sequence[bytes], half: int) -> list[bytes]:
    """Add the first half of the words, moved by half the words, to the second half."""
    tables = _moving_tables(half)
    folded: list[bytes] = []
    for place in range(_WORD):
        total = int.from_bytes(planes[place][half:], "little")
        for source in range(_WORD):
            total ^= int.from_bytes(planes[source][:half].translate(tables[source][place]), "little")
        folded.append(total.to_bytes(half, "little"))
    return folded


@cache
def _moving_tables(words: int) -> Sequence[Sequence[bytes]]:
    """Answer by place of a byte and place in the result what the byte becomes that many words later."""
    tables: list[Sequence[bytes]] = []
    for source in range(_WORD):
        bits = [_move(1 << (_BYTE * source + bit), words) for bit in range(_BYTE)]
        moved = [_add(bits[bit] for bit in range(_BYTE) if value >> bit & 1) for value in range(256)]
        tables.append([bytes(word >> _BYTE * place & 0xFF for word in moved) for place in range(_WORD)])
    return tables


def _move(word: int, words: int) -> int:
    """Multiply a word by x to the power of 64 times the words (a power of two)."""
    factor = _ONE_WORD
    for _ in range(words.bit_length() - 1):
        factor = _multiply(factor, factor)
    return _multiply(word, factor)


def _multiply(left: int, right: int) -> int:
    """Multiply modulo the polynomial; the highest bit is x to the power of 0."""
    product = 0
    for bit in range(63, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ (_REFLECTED if right & 1 else 0)
    return product


def _add(words: Iterable[int]) -> int:
    total = 0
    for word in words:
        total ^= word
    return total


def _take_up_bytes(state: int, data: bytes) -> int:
    table = _BYTES
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ state >> 8
    return state


def _byte_entry(value: int) -> int:
    for _ in range(_BYTE):
        value = value >> 1 ^ (_REFLECTED if value & 1 else 0)
    return value


_BYTES = tuple(_byte_entry(value) for value in range(256))
_ONE_WORD = _take_up_bytes(1 << 63, bytes(_WORD))
"""x to the power of 64: 1, moved by one word of zeros."""
