"""List what a recovery point holds, file by file and only as far as a page needs it."""

from collections.abc import Iterator
from dataclasses import dataclass

from flexvault.domain import blob_names
from flexvault.domain.dump_catalogue import Catalogue, catalogue
from flexvault.domain.dump_contents import read_contents
from flexvault.domain.dump_cursor import RangeRead
from flexvault.domain.errors import ConflictError, IntegrityError
from flexvault.domain.instance import RecoveryPoint
from flexvault.domain.json_values import MALFORMED
from flexvault.domain.landing_files import FileKind
from flexvault.domain.manifest import ManifestFile
from flexvault.domain.point_contents import ListedDatabase, PointObject, list_objects, unread_file
from flexvault.domain.restored_files import database_of, require_databases
from flexvault.ports import Ports
from flexvault.services import catalog
from flexvault.services.verifications import read_newest

MOST_CONTENTS_BYTES = 64 * 1024**2
"""Most that is read of one archive for its table of contents, while a client waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentsFilter:
    """Which objects are wanted; an empty member means all. Names are whole and exact."""

    database: str = ""
    schema: str = ""
    kind: str = ""

    def takes(self, found: PointObject) -> bool:
        """Say whether an object is wanted; a schema is, too, when its own name is asked for."""
        schema = found.name if found.kind == "schema" else found.schema
        return self.schema in {"", schema} and self.kind in {"", found.kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedObject:
    """An object and where it stands: a point never changes, so numbers are places for ever."""

    archive: int
    """Number of its archive in the order of the databases' names."""
    position: int
    """Among the objects of the archive, filtered or not."""
    found: PointObject


def list_point_contents(
    ports: Ports, point: RecoveryPoint, wanted: ContentsFilter, *, after: tuple[int, int] = (-1, -1)
) -> Iterator[PlacedObject]:
    """List the objects of a point, by database, kind, schema and name.

    Nothing is read of an archive that is not reached.

    Args:
        ports: Where to read.
        point: The recovery point.
        wanted: Which objects.
        after: Archive and position of the last one that is known already.

    Raises:
        InvalidInputError: The point has no such database.
        IntegrityError: What is stored is not what was recorded.
    """
    manifest = catalog.read_manifest(ports, point)
    if wanted.database:
        require_databases(point.point_id, manifest.files, [wanted.database], "database")
    verification = read_newest(ports, point)
    archives = [file for file in manifest.files if database_of(file) or file.kind == FileKind.DATABASE]
    archives.sort(key=lambda file: (database_of(file), file.path))

    def walk() -> Iterator[PlacedObject]:
        for number, file in enumerate(archives):
            if number < after[0] or wanted.database not in {"", database_of(file)}:
                continue
            known = bool(database_of(file))
            found = list_objects(_list(ports, file), verification) if known else iter([unread_file(file)])
            for position, one in enumerate(found):
                if (number, position) > after and wanted.takes(one):
                    yield PlacedObject(archive=number, position=position, found=one)

    return walk()


def _list(ports: Ports, file: ManifestFile) -> ListedDatabase:
    """Answer what an archive's table of contents names: of the manifest, else of the archive itself."""
    stored = file.facts.get("catalogue")
    if stored is not None:
        try:
            listed, large_objects = Catalogue.from_json(stored), int(file.facts["largeObjects"])
        except MALFORMED as error:
            message = f"the manifest's catalogue of '{file.path}' cannot be read: {type(error).__name__}"
            hint = "a newer flexvault may have sealed the recovery point: ask that one"
            raise IntegrityError(message, code="ManifestDiffers", target=file.path, hint=hint) from None
    else:
        whole = catalogue(read_contents(_range_reader(ports, file), file.size_bytes, name=file.path))
        large_objects = len(whole.of_kind("largeObject"))
        listed = Catalogue.from_json(whole.to_json())  # the same as of a manifest, where every text is valid UTF-8
    return ListedDatabase(
        file=file,
        database=database_of(file),
        owner=str(file.facts.get("owner", "")),
        catalogue=listed,
        large_objects=large_objects,
    )


def _range_reader(ports: Ports, file: ManifestFile) -> RangeRead:
    def read(offset: int, length: int) -> bytes:
        if offset >= MOST_CONTENTS_BYTES:
            raise ConflictError(
                f"the table of contents of '{file.path}' is larger than {MOST_CONTENTS_BYTES} bytes, and the recovery "
                "point is older than the catalogue in the manifest",
                code="ContentsTooLarge",
                target=file.path,
                hint="download the file and list it with pg_restore --list, or look at a newer recovery point",
            )
        return ports.vault_reader.read(
            blob_names.POINTS, file.path, offset=offset, length=length, version_id=file.version_id
        )

    return read
