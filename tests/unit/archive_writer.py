"""Write small custom-format archives of any known version, as pg_dump lays them out."""

import zlib
from dataclasses import dataclass, field

DATA, LARGE_OBJECTS = 1, 3
COMPRESSIONS = ("none", "gzip", "lz4", "zstd")
COPY_END = b"\\.\n\n\n"


@dataclass(frozen=True, kw_only=True)
class Block:
    """Chunks of one data block, or per large object; no chunk may be empty, because an empty one ends the block."""

    chunks: tuple[bytes, ...] = ()
    large_objects: tuple[tuple[int, tuple[bytes, ...]], ...] = ()


def gzip_chunks(text: bytes, chunk_bytes: int = 4096) -> tuple[bytes, ...]:
    """Compress and cut as pg_dump does."""
    packed = zlib.compress(text)
    return tuple(packed[at : at + chunk_bytes] for at in range(0, len(packed), chunk_bytes))


@dataclass(frozen=True, kw_only=True)
class Item:
    desc: str
    tag: str = ""
    definition: str = ""
    namespace: str = ""
    owner: str = ""
    section: int = 2
    dependencies: tuple[int, ...] = ()
    block: Block | None = None
    is_copy: bool = True


@dataclass(frozen=True, kw_only=True)
class Recipe:
    version: tuple[int, int, int] = (1, 16, 0)
    int_size: int = 4
    offset_size: int = 8
    with_offsets: bool = True
    compression: str = "gzip"
    database: str = "shop"
    encoding: str = "utf-8"
    items: tuple[Item, ...] = field(default=())

    def integer(self, value: int) -> bytes:
        return bytes([value < 0]) + abs(value).to_bytes(self.int_size, "little")

    def text(self, value: str | None) -> bytes:
        if value is None:
            return self.integer(-1)
        raw = value.encode(self.encoding, "surrogateescape")
        return self.integer(len(raw)) + raw

    def build(self) -> bytes:
        """Return the archive's bytes."""
        blocks = [
            (number, self.block_bytes(number, item.block)) for number, item in enumerate(self.items, 1) if item.block
        ]
        size = len(self._contents({}))
        offsets: dict[int, int] = {}
        for number, raw in blocks:
            offsets[number] = size
            size += len(raw)
        return self._contents(offsets) + b"".join(raw for _, raw in blocks)

    def _contents(self, offsets: dict[int, int]) -> bytes:
        parts = [b"PGDMP", bytes(self.version), bytes([self.int_size, self.offset_size, 1])]
        if self.version >= (1, 15):
            parts.append(bytes([COMPRESSIONS.index(self.compression)]))
        else:
            parts.append(self.integer(0 if self.compression == "none" else -1))
        parts += [self.integer(n) for n in (1, 2, 3, 4, 5, 126, 0)]
        parts += [self.text(self.database), self.text("18.4"), self.text("18.4"), self.integer(len(self.items))]
        for number, item in enumerate(self.items, start=1):
            parts.append(self._entry(number, item, offsets.get(number, 0)))
        return b"".join(parts)

    def _entry(self, number: int, item: Item, offset: int) -> bytes:
        copy = "COPY x FROM stdin;\n" if item.block and item.is_copy else None
        parts = [self.integer(number), self.integer(item.block is not None), self.text("0"), self.text("0")]
        parts += [self.text(item.tag), self.text(item.desc), self.integer(item.section), self.text(item.definition)]
        parts += [self.text(""), self.text(copy), self.text(item.namespace)]
        parts.append(self.text(None))
        if self.version >= (1, 14):
            parts.append(self.text("heap"))
        if self.version >= (1, 16):
            parts.append(self.integer(ord("r")))
        parts += [self.text(item.owner), self.text("false")]
        parts += [self.text(str(dependency)) for dependency in item.dependencies]
        state = 3 if item.block is None else 2 if self.with_offsets else 1
        parts += [
            self.integer(-1),
            bytes([state]),
            (offset if self.with_offsets else 0).to_bytes(self.offset_size, "little"),
        ]
        return b"".join(parts)

    def block_bytes(self, number: int, block: Block) -> bytes:
        """Return one block as it lies in the file."""
        parts = [bytes([LARGE_OBJECTS if block.large_objects else DATA]), self.integer(number)]
        for oid, chunks in block.large_objects:
            parts += [self.integer(oid), *(self.integer(len(chunk)) + chunk for chunk in chunks), self.integer(0)]
        parts += [self.integer(len(chunk)) + chunk for chunk in block.chunks]
        return b"".join([*parts, self.integer(0)])
