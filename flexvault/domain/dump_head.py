"""Write small archives out of a large one's own bytes: chosen entries, a few of them changed, without their data.

`pg_restore` needs no data to make tables, indexes and keys, so header and table of contents are enough for that; with
the blocks behind it the head is an archive from a pipe. Entries keep their bytes but for what is changed on purpose.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from flexvault.domain.dump_contents import (
    NO_DATA,
    OFFSET_NOT_SET,
    Contents,
    Entry,
    encode_text,
    entries_by_id,
)
from flexvault.domain.dump_cursor import RangeRead, incomplete

SESSION: Final = frozenset({"ENCODING", "STDSTRINGS", "SEARCHPATH"})
"""Entries that say how the others are to be read; every head has them."""

_DATA_SECTION: Final = 3
_DEFINITION: Final = 7
_FIRST_WITH_ACCESS_METHOD: Final = (1, 14)
_FIRST_WITH_RELATION_KIND: Final = (1, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of an entry; nothing stays as it is, an empty owner leaves the object to who restores it."""

    definition: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Header and table of contents of an archive, as bytes and as what they mean."""

    contents: Contents
    raw: bytes
    by_id: Mapping[int, Entry]
    session: frozenset[int]

    @classmethod
    def read(cls, contents: Contents, read: RangeRead) -> "Head":
        """Read the bytes of header and table of contents.

        Raises:
            IntegrityError: code `IncompleteArchive`: the file ends before them.
        """
        parts: list[bytes] = []
        position = 0
        while position < contents.data_start:
            part = read(position, contents.data_start - position)
            if not part:
                raise incomplete(contents.name, contents.size_bytes, f"reading stopped at byte {position}")
            parts.append(part)
            position += len(part)
        session = frozenset(entry.dump_id for entry in contents.entries if entry.desc in SESSION)
        return cls(contents, b"".join(parts), entries_by_id(contents), session)

    def archive(
        self,
        chosen: Collection[int],
        *,
        changes: Mapping[int, Change] | None = None,
        statements: Sequence[str] = (),
    ) -> bytes:
        """Write an archive of the chosen entries in their order, without data.

        The data of entries that have some may follow in the same order, as in an archive that was written to a pipe.

        Args:
            chosen: Dump ids; the entries of the session come along.
            changes: By dump id.
            statements: SQL that is run at the end of the data, such as a note that it is in.
        """
        contents, changed = self.contents, changes or {}
        kept = sorted((self.by_id[number] for number in self.session.union(chosen)), key=lambda entry: entry.start)
        last = max(self.by_id, default=0)
        added = [self._statement(last + number, sql) for number, sql in enumerate(statements, start=1)]
        width = 1 + contents.int_size
        parts = [self.raw[: contents.entries_start - width], _integer(contents, len(kept) + len(added))]
        parts += [self._entry(entry, changed.get(entry.dump_id)) for entry in kept]
        return b"".join(parts + added)

    def _entry(self, entry: Entry, change: Change | None) -> bytes:
        contents = self.contents
        raw = self.raw[entry.start : entry.end]
        if entry.has_data:
            raw = raw[: -contents.offset_size - 1] + bytes([OFFSET_NOT_SET]) + bytes(contents.offset_size)
        if change is None:
            return raw
        fields = list(_fields(contents, raw))
        if change.definition is not None:
            fields[_DEFINITION] = _text(contents, change.definition)
        if change.owner is not None:
            fields[_owner_place(contents)] = _text(contents, change.owner)
        return b"".join(fields)

    def _statement(self, dump_id: int, sql: str) -> bytes:
        """Write an entry that only runs a statement, of a kind that pg_restore runs in the section of the data."""
        contents = self.contents
        words = ["0", "0", "flexvault", "SEQUENCE SET"]
        fields = [_integer(contents, dump_id), _integer(contents, 0), *(_text(contents, word) for word in words)]
        fields += [_integer(contents, _DATA_SECTION), _text(contents, sql)]
        fields += [_text(contents, None), _text(contents, None), _text(contents, ""), _text(contents, "")]
        if contents.version >= _FIRST_WITH_ACCESS_METHOD:
            fields.append(_text(contents, None))
        if contents.version >= _FIRST_WITH_RELATION_KIND:
            fields.append(_integer(contents, 0))
        fields += [_text(contents, ""), _text(contents, "false"), _text(contents, None)]
        return b"".join([*fields, bytes([NO_DATA]), bytes(contents.offset_size)])


def _fields(contents: Contents, raw: bytes) -> Iterator[bytes]:
    """Cut an entry's bytes into its fields; see `dump_contents` for their order. The last one is all that is left."""
    width, position = 1 + contents.int_size, 0
    numbers = {0, 1, 6}
    if contents.version >= _FIRST_WITH_RELATION_KIND:
        numbers.add(_owner_place(contents) - 1)
    for field in range(_owner_place(contents) + 1):
        length = width
        if field not in numbers and not raw[position]:
            length += int.from_bytes(raw[position + 1 : position + width], "little")
        yield raw[position : position + length]
        position += length
    yield raw[position:]


def _owner_place(contents: Contents) -> int:
    version = contents.version
    return 12 + (version >= _FIRST_WITH_ACCESS_METHOD) + (version >= _FIRST_WITH_RELATION_KIND)


def _integer(contents: Contents, value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(contents.int_size, "little")


def _text(contents: Contents, text: str | None) -> bytes:
    if text is None:
        return _integer(contents, -1)
    raw = encode_text(contents, text)
    return _integer(contents, len(raw)) + raw
