"""The files that lie beside the kit: the archives, opened by their tables of contents, and the roles script."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from flexvault.domain.dump_contents import Contents, read_contents
from flexvault.domain.dump_cursor import LARGEST_READ_BYTES, RangeRead, incomplete
from flexvault.domain.dump_facts import DatabaseFacts, database_facts
from flexvault.domain.dump_head import Head
from flexvault.domain.dump_walk import Block, begin_walk, check_index, walk
from flexvault.domain.errors import NotFoundError
from flexvault.domain.landing_files import FileKind
from flexvault.domain.role_script import decode_script
from flexvault.kit.facts import KitFacts, KitFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """An archive.

    Attributes:
        blocks: Dump id -> where its data lies; empty until the archive was walked.
    """

    file: KitFile
    path: Path
    contents: Contents
    head: Head
    facts: DatabaseFacts
    blocks: Mapping[int, Block]

    @property
    def database(self) -> str:
        """Exact name of the database."""
        return self.contents.database

    def data(self, block: Block) -> Iterator[bytes]:
        """Read the bytes of a block.

        Raises:
            IntegrityError: code `IncompleteArchive`: the file has become shorter.
        """
        with self.path.open("rb") as file:
            file.seek(block.offset)
            left = block.length
            while left:
                piece = file.read(min(left, LARGEST_READ_BYTES))
                if not piece:
                    raise incomplete(self.contents.name, block.end, f"it stops {left} bytes before byte {block.end}")
                left -= len(piece)
                yield piece


def open_dump(folder: Path, file: KitFile) -> Dump:
    """Read an archive's table of contents.

    Raises:
        IntegrityError, UnknownArchiveError: It cannot be read.
    """
    path = folder / file.name
    read = reader(path)
    contents = read_contents(read, path.stat().st_size, name=file.name)
    return Dump(
        file=file,
        path=path,
        contents=contents,
        head=Head.read(contents, read),
        facts=database_facts(contents),
        blocks={},
    )


def walk_dump(dump: Dump) -> Dump:
    """Follow all data of an archive to the end of the file, and answer it with its blocks.

    Raises:
        IntegrityError: code `IncompleteArchive`: data is missing.
    """
    blocks = walked_blocks(dump.contents, reader(dump.path))
    return replace(dump, blocks={block.dump_id: block for block in blocks})


def walked_blocks(contents: Contents, read: RangeRead) -> tuple[Block, ...]:
    """Follow all data of an archive to the end of the file, and answer where each block lies.

    Raises:
        IntegrityError: code `IncompleteArchive`: data is missing.
    """
    blocks = walk(contents, read, begin_walk(contents)).blocks
    check_index(contents, blocks)
    return blocks


def reader(path: Path) -> RangeRead:
    """Answer a function that reads ranges of a file."""

    def read(offset: int, length: int) -> bytes:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    return read


def roles_file(facts: KitFacts) -> KitFile | None:
    """Find the file of the roles."""
    return next((file for file in facts.files if file.kind == FileKind.ROLES), None)


def roles_script(folder: Path, facts: KitFacts) -> str:
    """Read the roles script; empty when the backup has none."""
    file = roles_file(facts)
    return decode_script((folder / file.name).read_bytes()) if file else ""


def find_folder(facts: KitFacts, kit: Path, given: Path | None) -> Path:
    """Find the folder that holds the files: the given one, else the one that holds the kit's folder.

    Raises:
        NotFoundError: It holds none of them.
    """
    folder = given or kit.resolve().parent.parent
    if facts.files and not any((folder / file.name).is_file() for file in facts.files):
        raise NotFoundError(
            f"folder {folder} holds none of the files of this restore, such as {facts.files[0].name}",
            hint="download all files of the restore into one folder and name it with --files",
        )
    return folder
