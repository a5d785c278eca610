"""Read header and table of contents of a custom-format archive (`pg_dump -Fc`).

Layout (all versions that PostgreSQL 9.0 to 18 write), from pg_backup_archiver.c and pg_backup_custom.c of PostgreSQL:

    "PGDMP" major minor revision intSize offSize format   [1.15+: compression algorithm]  [before: int level]
    int second, minute, hour, day, month, year, isdst;  str database, server version, pg_dump version
    int n, then n entries;  then data blocks until the end of the file:
    block = byte type, int dump id, and  type 1 (data):          (int length, bytes)* int 0
                                         type 3 (large objects): (int oid, (int length, bytes)* int 0)* int 0
    int = sign byte + intSize bytes, little endian;  str = int length (-1 is NULL) + bytes
"""

from dataclasses import dataclass
from typing import Final

from flexvault.domain.dump_cursor import Cursor, RangeRead
from flexvault.domain.errors import PermanentError
from flexvault.domain.sql_text import with_standard_strings

MAGIC: Final = b"PGDMP"
OLDEST_VERSION: Final = (1, 12)
NEWEST_VERSION: Final = (1, 16)
OFFSET_NOT_SET: Final = 1
OFFSET_SET: Final = 2
NO_DATA: Final = 3

_CUSTOM_FORMAT: Final = 1
_COMPRESSIONS: Final = ("none", "gzip", "lz4", "zstd")
_SECTIONS: Final = {1: "none", 2: "pre-data", 3: "data", 4: "post-data"}
_CODECS: Final = {
    "UTF8": "utf-8", "LATIN1": "latin-1", "LATIN2": "iso8859-2", "LATIN3": "iso8859-3", "LATIN4": "iso8859-4",
    "LATIN5": "iso8859-9", "LATIN6": "iso8859-10", "LATIN7": "iso8859-13", "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15", "LATIN10": "iso8859-16", "EUC_JP": "euc_jp", "EUC_KR": "euc_kr", "EUC_CN": "gb2312",
    "EUC_JIS_2004": "euc_jis_2004", "ISO_8859_5": "iso8859-5", "ISO_8859_6": "iso8859-6", "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8",
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
        definition: SQL that creates the object, as `standard_conforming_strings = on` reads it.
        copy_statement: `COPY ... FROM stdin;` of a table's rows.
        relation_kind: `pg_class.relkind`, known from format 1.16 on.
        dependencies: Dump ids that this entry needs.
        offset: Where its data block begins, if pg_dump could write that.
        start: Where the entry itself begins in the file.
        end: Where it ends; its last bytes are the state of its data and `offset`.
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
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Header and table of contents.

    Attributes:
        name: How errors name the file.
        version: Of the format, such as (1, 16, 0).
        int_size: Bytes of an integer's value, which a byte for its sign precedes.
        offset_size: Bytes of an offset.
        database: Exact name of the dumped database.
        encoding: Of the names and the data, as PostgreSQL calls it.
        entries_start: Where the first entry begins; the number of entries ends there.
        data_start: Length of header and table of contents in bytes.
    """

    name: str
    version: tuple[int, int, int]
    int_size: int
    offset_size: int
    compression: str
    database: str
    encoding: str
    server_version: str
    dump_version: str
    entries: tuple[Entry, ...]
    size_bytes: int
    entries_start: int
    data_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _RawEntry:
    dump_id: int
    texts: tuple[bytes, ...]
    section: int
    relation_kind: int
    dependencies: tuple[int, ...]
    state: int
    offset: int
    start: int
    end: int


def is_custom_format(first_bytes: bytes) -> bool:
    """Tell from a file's first bytes whether it claims to be a custom-format archive."""
    return first_bytes.startswith(MAGIC)


def read_contents(read: RangeRead, size_bytes: int, *, name: str = "archive") -> Contents:
    """Read header and table of contents; nothing behind them is looked at.

    Args:
        read: Reads a range of the file, which is `size_bytes` long.
        size_bytes: Of the whole file.
        name: How errors name the file.

    Raises:
        IntegrityError: code `IncompleteArchive`, with the place where the file stops being an archive.
        UnknownArchiveError: another format, or a version that is not known here.
    """
    cursor = Cursor(read, size_bytes, name)
    version, compression = _read_header(cursor)
    cursor.skip(7 * (1 + cursor.int_size))  # the local time of the dump, without its zone: of no use
    database, server_version, dump_version = (cursor.text() for _ in range(3))
    count = cursor.integer()
    if count < 0:
        raise cursor.incomplete("its table of contents has a negative length")
    entries_start = cursor.position
    texts = _Texts()
    entries = tuple([texts.entry(_read_entry(cursor, version)) for _ in range(count)])
    return Contents(
        name=name,
        version=version,
        int_size=cursor.int_size,
        offset_size=cursor.offset_size,
        compression=compression,
        database=_database_name(entries, texts.shared(database)),
        encoding=texts.encoding,
        server_version=texts.decode(server_version),
        dump_version=texts.decode(dump_version),
        entries=entries,
        size_bytes=size_bytes,
        entries_start=entries_start,
        data_start=cursor.position,
    )


def is_about_database(desc: str, namespace: str, tag: str) -> bool:
    """Say whether an entry is about the database itself; an object in it may be called `DATABASE x`, too."""
    if desc in {"ACL", "COMMENT", "SECURITY LABEL"}:
        return tag.startswith("DATABASE ") and not namespace
    return desc in {"DATABASE", "DATABASE PROPERTIES"}


def entries_by_id(contents: Contents) -> dict[int, Entry]:
    """Return the entries by their dump ids."""
    return {entry.dump_id: entry for entry in contents.entries}


def encode_text(contents: Contents, text: str) -> bytes:
    """Write a text as the archive has it; bytes that survived as surrogates become themselves again."""
    try:
        return text.encode(_codec(contents.encoding))
    except (UnicodeEncodeError, LookupError):
        return text.encode("utf-8", "surrogateescape")


def _codec(encoding: str) -> str:
    return _CODECS.get(encoding) or (f"cp{encoding[3:]}" if encoding.startswith("WIN") else "utf-8")


def _read_header(cursor: Cursor) -> tuple[tuple[int, int, int], str]:
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


def _read_entry(cursor: Cursor, version: tuple[int, int, int]) -> _RawEntry:
    start, dump_id = cursor.position, cursor.integer()
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
    if state not in {OFFSET_NOT_SET, OFFSET_SET, NO_DATA}:
        raise cursor.incomplete(f"an entry of its table of contents is damaged before byte {cursor.position}")
    return _RawEntry(
        dump_id=dump_id,
        texts=tuple(texts),
        section=section,
        relation_kind=relation_kind,
        dependencies=tuple(dependencies),
        state=state,
        offset=offset,
        start=start,
        end=cursor.position,
    )


class _Texts:
    """Decodes the texts of an archive; pg_dump writes the entry that names their encoding first.

    Bytes that do not fit survive as surrogates, so that they can be written back.
    """

    def __init__(self) -> None:
        self.encoding = "UTF8"
        self._escapes = False
        self._known: dict[bytes, str] = {}

    def decode(self, raw: bytes) -> str:
        try:
            return raw.decode(_codec(self.encoding))
        except (UnicodeDecodeError, LookupError):
            return raw.decode("utf-8", "surrogateescape")

    def shared(self, raw: bytes) -> str:
        """Decode a name of a database or role: the whole cluster shares its bytes, whatever this encoding is."""
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return self.decode(raw)

    def entry(self, raw: _RawEntry) -> Entry:
        if raw.texts[3] == b"ENCODING":
            quoted = raw.texts[4].split(b"'")
            self.encoding = quoted[1].decode("ascii", "replace") if len(quoted) > 1 else "UTF8"
            self._known.clear()
        desc = self._once(raw.texts[3])
        if desc == "STDSTRINGS":
            self._escapes = b"'off'" in raw.texts[4]
        of_cluster = is_about_database(desc, self._once(raw.texts[7]), raw.texts[2].decode("latin-1"))
        decode = self.shared if of_cluster else self.decode
        return Entry(
            dump_id=raw.dump_id,
            table_oid=self._once(raw.texts[0]),
            oid=decode(raw.texts[1]),
            tag=decode(raw.texts[2]),
            desc=desc,
            section=_SECTIONS.get(raw.section, "none"),
            definition=self._standard(decode(raw.texts[4])),
            drop_statement=decode(raw.texts[5]),
            copy_statement=decode(raw.texts[6]),
            namespace=self._once(raw.texts[7]),
            tablespace=self._once(raw.texts[8]),
            relation_kind=chr(raw.relation_kind) if 0 < raw.relation_kind < 128 else "",  # noqa: PLR2004 - ASCII
            owner=self.shared(raw.texts[9]),
            dependencies=raw.dependencies,
            has_data=raw.state != NO_DATA,
            offset=raw.offset if raw.state == OFFSET_SET else None,
            start=raw.start,
            end=raw.end,
        )

    def _standard(self, sql: str) -> str:
        return with_standard_strings(sql) if self._escapes and "\\" in sql else sql

    def _once(self, raw: bytes) -> str:
        """Decode what many entries have in common into one text, which they share."""
        text = self._known.get(raw)
        if text is None:
            text = self._known[raw] = self.decode(raw)
        return text


def _database_name(entries: tuple[Entry, ...], header_name: str) -> str:
    return next((entry.tag for entry in entries if entry.desc == "DATABASE"), header_name)
