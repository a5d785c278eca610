"""Each name in the vault account is written once: the first version counts, whatever is written over it does not."""

from collections.abc import Iterator

from flexvault.domain.azure_codes import BLOB_NOT_FOUND
from flexvault.domain.errors import NotFoundError
from flexvault.ports import BlobFacts, VaultReader


def list_first(reader: VaultReader, container: str, prefix: str) -> Iterator[BlobFacts]:
    """Answer the oldest version of each name below a prefix, also behind a base name that was deleted."""
    first: BlobFacts | None = None
    for blob in reader.list_versions(container, prefix):
        if first is not None and first.name != blob.name:
            yield first
            first = None
        # An id is the moment of its creation, so it sorts by age; a list has the versions of one name side by side.
        first = blob if first is None or blob.version_id < first.version_id else first
    if first is not None:
        yield first


def find_first(reader: VaultReader, container: str, path: str) -> BlobFacts | None:
    """Find the oldest version of one name."""
    return next((blob for blob in list_first(reader, container, path) if blob.name == path), None)


def read_first(reader: VaultReader, container: str, path: str) -> bytes:
    """Read the oldest version of one name.

    Raises:
        NotFoundError: code BlobNotFound: there is none.
    """
    found = find_first(reader, container, path)
    if found is None:
        message = f"blob '{path}' in container '{container}' does not exist"
        raise NotFoundError(message, code=BLOB_NOT_FOUND, target=path)
    return reader.read(container, path, version_id=found.version_id)


def read_first_if_there(reader: VaultReader, container: str, path: str) -> bytes | None:
    """Read the first version of a name; nothing when there is none. A refusal is raised, never an answer."""
    try:
        return read_first(reader, container, path)
    except NotFoundError as error:
        if error.code != BLOB_NOT_FOUND:
            raise
        return None
