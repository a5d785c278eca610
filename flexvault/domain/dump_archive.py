"""Read the table of contents of a custom-format archive (`pg_dump -Fc`) and prove that the file is whole.

Only the header, the table of contents and the end are read, through range reads: a dump of 500 GB costs a few requests.
The format has no end mark and no checksum, so completeness is deduced, see `read_archive`. Layout (all versions that
PostgreSQL 9.0 to 18 write), from pg_backup_archiver.c and pg_backup_custom.c of PostgreSQL:

    "PGDMP" major minor revision intSize offSize format   [1.15+: compression algorithm]  [before: int level]
    int second, minute, hour, day, month, year, isdst;  str database, server version, pg_dump version
    int n, then n entries;  then data blocks until the end of the file:
    block = byte type, int dump id, and  type 1 (data):          (int length, bytes)* int 0
                                         type 3 (large objects): (int oid, (int length, bytes)* int 0)* int 0
    int = sign byte + intSize bytes, little endian;  str = int length (-1 is NULL) + bytes
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from flexvault.domain.errors import IntegrityError, PermanentError

MAGIC: Final = b"PGDMP"
OLDEST_VERSION: Final = (1, 12)
NEWEST_VERSION: Final = (1, 16)
FIRST_READ_BYTES: Final = 256 * 1024
LARGEST_READ_BYTES: Final = 4 * 1024 * 1024
WALK_LIMIT_BYTES: Final = 64 * 1024 * 1024

type RangeRead = Callable[[int, int], bytes]
"""`read(offset, length)`: the bytes from offset on, at most length of them, fewer only at the end of the file."""
type EndProof = Literal["walked", "terminator"]

_CUSTOM_FORMAT: Final = 1
_COMPRESSIONS: Final = ("none", "gzip", "lz4", "zstd")
_SECTIONS: Final = {1: "none", 2: "pre-data", 3: "data", 4: "post-data"}
_DATA_BLOCK: Final = 1
_LARGE_OBJECTS_BLOCK: Final = 3
_OFFSET_NOT_SET: Final = 1
_OFFSET_SET: Final = 2
_NO_DATA: Final = 3
_CODECS: Final = {
    "UTF8": "utf-8", "LATIN1": "latin-1", "LATIN2": "iso8859-2", "LATIN3": "iso8859-3", "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9", "LATIN6": "iso8859-10", "LATIN7": "iso8859-13", "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15", "LATIN10": "iso8859-16", "EUC_JP": "euc_jp", "EUC_KR": "euc_kr", "EUC_CN": "gb2312",
    "KOI8R": "koi8-r", "KOI8U": "koi8-u", "WIN866": "cp866", "WIN874": "cp874",
}  # fmt: skip


class UnknownArchiveError(PermanentError):
    """The file is no custom-format archive of a version that is known here."""

    default_code = "UnknownLayout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of the table of contents. Absent texts are empty.

    Attributes:
        dump_id: Number of the entry in this archive; `pg_restore --use-list` names it so.
        desc: Kind of object, such as `TABLE DATA` or `DATABASE`.
        tag: Name of the object, for a function with its argument types.
        definition: SQL that creates the object.
        copy_statement: `COPY ... FROM stdin;` of a table's rows.
        relation_kind: `pg_class.relkind`, known from format 1.16 on.
        dependencies: Dump ids that this entry needs.
        offset: Where its data block begins, if pg_dump could write that.
    """

    dump_id: int
    table_oid: str
    oid: str
    tag: str
    desc: str
    section: str
    definition: str
    drop_statement: str
    copy_statement: str
    namespace: str
    tablespace: str
    relation_kind: str
    owner: str
    dependencies: tuple[int, ...]
    has_data: bool
    offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Header and table of contents of a whole archive.

    Attributes:
        version: Of the format, such as (1, 16, 0).
        database: Exact name of the dumped database.
        encoding: Of the names and the data, as PostgreSQL calls it.
        data_start: Length of header and table of contents in bytes.
        end_proof: `walked` when every chunk of the last block (of all blocks, if the archive has no offsets) was
            followed to the end of the file; `terminator` when only the last bytes were looked at.
    """

    version: tuple[int, int, int]
    compression: str
    database: str
    encoding: str
    server_version: str
    dump_version: str
    entries: tuple[Entry, ...]
    size_bytes: int
    data_start: int
    end_proof: EndProof


@dataclass(frozen=True, slots=True, kw_only=True)
class _RawEntry:
    dump_id: int
    texts: tuple[bytes, ...]
    section: int
    relation_kind: int
    dependencies: tuple[int, ...]
    state: int
    offset: int


def is_custom_format(first_bytes: bytes) -> bool:
    """Tell from a file's first bytes whether it claims to be a custom-format archive."""
    return first_bytes.startswith(MAGIC)


def read_archive(
    read: RangeRead, size_bytes: int, *, name: str = "archive", walk_limit_bytes: int = WALK_LIMIT_BYTES
) -> Archive:
    """Read header and table of contents, and prove that the file ends where the archive ends.

    Where pg_dump wrote offsets the last block is known and is followed chunk by chunk to the end of the file; where it
    could not (its output was a pipe), all blocks are followed, and every entry that has data must have its block. More
    than the limit is not followed, then the terminator of the last block decides (an int 0: five zero bytes).

    Args:
        read: Reads a range of the file, which is `size_bytes` long.
        size_bytes: Of the whole file.
        name: How errors name the file.
        walk_limit_bytes: Most bytes to read after the table of contents; `size_bytes` proves any archive to the end.

    Raises:
        IntegrityError: code `IncompleteArchive`, with the place where the file stops being an archive.
        UnknownArchiveError: another format, or a version that is not known here.
    """
    cursor = _Cursor(read, size_bytes, name)
    version, compression = _read_header(cursor)
    cursor.skip(7 * (1 + cursor.int_size))  # the local time of the dump, without its zone: of no use
    database, server_version, dump_version = (cursor.text() for _ in range(3))
    count = cursor.integer()
    if count < 0:
        raise cursor.incomplete("its table of contents has a negative length")
    raw = [_read_entry(cursor, version) for _ in range(count)]
    data_start, encoding = cursor.position, _encoding_of(raw)
    entries = tuple(_decode_entry(entry, encoding) for entry in raw)
    return Archive(
        version=version,
        compression=compression,
        database=_database_name(entries, _decode_shared(database, encoding)),
        encoding=encoding,
        server_version=_decode(server_version, encoding),
        dump_version=_decode(dump_version, encoding),
        entries=entries,
        size_bytes=size_bytes,
        data_start=data_start,
        end_proof=_check_end(cursor, raw, walk_limit_bytes),
    )


class _Cursor:
    """Forward reader over range reads; every short read is an incomplete archive."""

    def __init__(self, read: RangeRead, size_bytes: int, name: str) -> None:
        self._read = read
        self._window = b""
        self._window_start = 0
        self._step = FIRST_READ_BYTES
        self.size_bytes = size_bytes
        self.name = name
        self.position = 0
        self.int_size = 4
        self.offset_size = 8

    def take(self, length: int) -> bytes:
        start = self.position - self._window_start
        if len(self._window) - start < length:
            self._fill(length)
            start = 0
        self.position += length
        return self._window[start : start + length]

    def skip(self, length: int) -> None:
        if self.position + length > self.size_bytes:
            raise self.incomplete(f"{length} bytes should follow byte {self.position}")
        self.position += length

    def seek(self, position: int) -> None:
        """Go on elsewhere; what is already read is kept when the place lies inside it."""
        if not self._window_start <= position <= self._window_start + len(self._window):
            self._window, self._window_start = b"", position
        self.position = position

    def integer(self) -> int:
        raw = self.take(1 + self.int_size)
        if raw[0] > 1:
            raise self.incomplete(f"byte {self.position - len(raw)} begins no number")
        value = int.from_bytes(raw[1:], "little")
        return -value if raw[0] else value

    def length(self) -> int:
        """Take an int that counts bytes of a chunk."""
        value = self.integer()
        if value < 0:
            raise self.incomplete(f"a chunk of negative length ends at byte {self.position}")
        return value

    def text(self) -> bytes:
        return self.optional_text() or b""

    def optional_text(self) -> bytes | None:
        length = self.integer()
        return None if length < 0 else self.take(length)

    def incomplete(self, reason: str) -> IntegrityError:
        return IntegrityError(
            f"{self.name} is not a whole archive of pg_dump: {reason}, and the file has {self.size_bytes} bytes",
            code="IncompleteArchive",
            hint="take the backup again",
            target=self.name,
        )

    def _fill(self, length: int) -> None:
        if self.position + length > self.size_bytes:
            raise self.incomplete(f"{length} bytes should follow byte {self.position}")
        have = self._window[max(self.position - self._window_start, 0) :]
        if self.position > self._window_start + len(self._window):
            have = b""
        parts, total, start = [have], len(have), self.position
        while total < length:
            part = self._read(start + total, max(self._step, length - total))
            self._step = min(2 * self._step, LARGEST_READ_BYTES)
            if not part:
                raise self.incomplete(f"reading stopped at byte {start + total}")
            parts.append(part)
            total += len(part)
        self._window, self._window_start = b"".join(parts), start


def _read_header(cursor: _Cursor) -> tuple[tuple[int, int, int], str]:
    magic = cursor.take(min(len(MAGIC), cursor.size_bytes))
    if not MAGIC.startswith(magic):
        raise UnknownArchiveError(
            f"{cursor.name} is no custom-format archive: it does not begin with PGDMP", target=cursor.name
        )
    if magic != MAGIC:
        raise cursor.incomplete("it ends inside its first five bytes")
    major, minor, revision, int_size, offset_size, format_ = cursor.take(6)
    if not OLDEST_VERSION <= (major, minor) <= NEWEST_VERSION or format_ != _CUSTOM_FORMAT:
        raise UnknownArchiveError(
            f"{cursor.name} is an archive of format {format_}, version {major}.{minor}, which is not known here",
            target=cursor.name,
        )
    if not (0 < int_size <= 8 and 0 < offset_size <= 8):  # noqa: PLR2004 - the widest integer and offset of any platform
        raise cursor.incomplete("its header names impossible sizes of numbers")
    cursor.int_size, cursor.offset_size = int_size, offset_size
    if (major, minor) < (1, 15):
        return (major, minor, revision), "none" if cursor.integer() == 0 else "gzip"
    algorithm = cursor.take(1)[0]
    name = _COMPRESSIONS[algorithm] if algorithm < len(_COMPRESSIONS) else f"algorithm {algorithm}"
    return (major, minor, revision), name


def _read_entry(cursor: _Cursor, version: tuple[int, int, int]) -> _RawEntry:
    dump_id = cursor.integer()
    cursor.integer()  # hadDumper: the state below says it exactly
    texts = [cursor.text() for _ in range(4)]  # table oid, oid, tag, desc
    section = cursor.integer()
    texts += [cursor.text() for _ in range(5)]  # definition, drop, copy, namespace, tablespace
    if version >= (1, 14):
        cursor.text()  # table access method
    relation_kind = cursor.integer() if version >= (1, 16) else 0
    texts.append(cursor.text())  # owner
    cursor.text()  # WITH OIDS, always false since 12
    dependencies: list[int] = []
    while (dependency := cursor.optional_text()) is not None:
        if not dependency.isdigit():
            raise cursor.incomplete(f"a dependency that is no number ends at byte {cursor.position}")
        dependencies.append(int(dependency))
    state = cursor.take(1)[0]
    offset = int.from_bytes(cursor.take(cursor.offset_size), "little")
    if state not in {_OFFSET_NOT_SET, _OFFSET_SET, _NO_DATA}:
        raise cursor.incomplete(f"an entry of its table of contents is damaged before byte {cursor.position}")
    return _RawEntry(
        dump_id=dump_id,
        texts=tuple(texts),
        section=section,
        relation_kind=relation_kind,
        dependencies=tuple(dependencies),
        state=state,
        offset=offset,
    )


def _check_end(cursor: _Cursor, entries: list[_RawEntry], walk_limit_bytes: int) -> EndProof:
    with_data = {entry.dump_id: entry for entry in entries if entry.state != _NO_DATA}
    missing = set(with_data)
    if with_data and all(entry.state == _OFFSET_SET for entry in with_data.values()):
        first, last = (choose(with_data.values(), key=lambda entry: entry.offset) for choose in (min, max))
        if first.offset < cursor.position or last.offset >= cursor.size_bytes:
            raise cursor.incomplete(f"the data of its last table should begin at byte {last.offset}")
        cursor.seek(last.offset)
        missing = {last.dump_id}
    if cursor.size_bytes - cursor.position > walk_limit_bytes:
        _check_terminator(cursor, with_data, missing)
        return "terminator"
    while cursor.position < cursor.size_bytes:
        _walk_block(cursor, missing)
    if missing:
        raise cursor.incomplete(f"{len(missing)} objects have no data, the first is entry {min(missing)}")
    return "walked"


def _check_terminator(cursor: _Cursor, with_data: dict[int, _RawEntry], missing: set[int]) -> None:
    if not with_data:
        raise cursor.incomplete(f"nothing should follow byte {cursor.position}")
    kind, _ = _block_head(cursor, missing)
    # The list of large objects has a terminator of its own behind that of its last object.
    zeros = (1 + cursor.int_size) * (2 if kind == _LARGE_OBJECTS_BLOCK and len(missing) == 1 else 1)
    cursor.seek(cursor.size_bytes - zeros)
    if any(cursor.take(zeros)):
        raise cursor.incomplete("it does not end with the terminator of its last data block")


def _block_head(cursor: _Cursor, missing: set[int]) -> tuple[int, int]:
    start = cursor.position
    kind, dump_id = cursor.take(1)[0], cursor.integer()
    if kind not in {_DATA_BLOCK, _LARGE_OBJECTS_BLOCK} or dump_id not in missing:
        raise cursor.incomplete(f"no data block that it names begins at byte {start}")
    return kind, dump_id


def _walk_block(cursor: _Cursor, missing: set[int]) -> None:
    kind, dump_id = _block_head(cursor, missing)
    if kind == _DATA_BLOCK:
        _walk_chunks(cursor)
    else:
        while cursor.length():  # the oid of the next large object
            _walk_chunks(cursor)
    missing.discard(dump_id)


def _walk_chunks(cursor: _Cursor) -> None:
    while length := cursor.length():
        cursor.skip(length)


def _encoding_of(entries: list[_RawEntry]) -> str:
    for entry in entries:
        if entry.texts[3] == b"ENCODING":
            quoted = entry.texts[4].split(b"'")
            return quoted[1].decode("ascii", "replace") if len(quoted) > 1 else "UTF8"
    return "UTF8"


def _decode(raw: bytes, encoding: str) -> str:
    """Decode a text of the archive; bytes that do not fit survive as surrogates, so that they can be written back."""
    codec = _CODECS.get(encoding) or (f"cp{encoding[3:]}" if encoding.startswith("WIN") else "utf-8")
    try:
        return raw.decode(codec)
    except (UnicodeDecodeError, LookupError):
        return raw.decode("utf-8", "surrogateescape")


def _decode_shared(raw: bytes, encoding: str) -> str:
    """Decode a name of a database or a role: the whole cluster shares its bytes, whatever this database's encoding."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return _decode(raw, encoding)


def _decode_entry(raw: _RawEntry, encoding: str) -> Entry:
    desc = _decode(raw.texts[3], encoding)
    of_cluster = desc.startswith("DATABASE") or raw.texts[2].startswith(b"DATABASE ")
    table_oid, oid, tag, _, definition, drop, copy, namespace, tablespace = (
        (_decode_shared if of_cluster else _decode)(text, encoding) for text in raw.texts[:9]
    )
    return Entry(
        dump_id=raw.dump_id,
        table_oid=table_oid,
        oid=oid,
        tag=tag,
        desc=desc,
        section=_SECTIONS.get(raw.section, "none"),
        definition=definition,
        drop_statement=drop,
        copy_statement=copy,
        namespace=namespace,
        tablespace=tablespace,
        relation_kind=chr(raw.relation_kind) if 0 < raw.relation_kind < 128 else "",  # noqa: PLR2004 - ASCII
        owner=_decode_shared(raw.texts[9], encoding),
        dependencies=raw.dependencies,
        has_data=raw.state != _NO_DATA,
        offset=raw.offset if raw.state == _OFFSET_SET else None,
    )


def _database_name(entries: tuple[Entry, ...], header_name: str) -> str:
    return next((entry.tag for entry in entries if entry.desc == "DATABASE"), header_name)
