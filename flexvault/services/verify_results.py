"""Verify the results of deep verifications: each against the entry that journalled it, each index against its result.

What no entry names is not told: a verification that runs, or whose job died, leaves blobs that nobody ever reads.
"""

from collections.abc import Generator, Iterator, Mapping

from flexvault.domain import blob_names
from flexvault.domain.deep_verification import DeepVerification
from flexvault.domain.errors import IntegrityError
from flexvault.domain.names import sha256_hex
from flexvault.domain.verification import Chain, Finding
from flexvault.ports import VaultReader
from flexvault.services.stored_names import StoredName, read_if_there


def find_wrong_results(
    reader: VaultReader, chain: Chain, point_id: str, stored: Mapping[str, StoredName]
) -> Iterator[Finding]:
    """Compare what lies beside a point's manifest with its stream.

    Args:
        reader: The vault account.
        chain: The stream.
        point_id: The point.
        stored: What was listed, by its path.
    """
    for number, result_hash in chain.verified.get(point_id, {}).items():
        path = blob_names.verification_path(chain.stream, point_id, number)
        data = yield from _find_wrong(reader, path, result_hash, stored)
        if data is None:
            continue
        try:
            result = DeepVerification.from_bytes(data)
        except IntegrityError as error:
            yield _finding("VerificationDiffers", path, error.message)
            continue
        for file in result.files:
            if file.index_path:
                yield from _find_wrong(reader, file.index_path, file.index_sha256, stored)


def _find_wrong(
    reader: VaultReader, path: str, expected_hash: str, stored: Mapping[str, StoredName]
) -> Generator[Finding, None, bytes | None]:
    """Compare one blob; answers its bytes when they are what was journalled."""
    found = stored.get(path)
    data = read_if_there(reader, blob_names.MANIFESTS, path, found.first.version_id if found else "")
    if data is None:
        yield _finding("VerificationMissing", path, "it was journalled, and is not there")
        return None
    yield from found.find_wrong(blob_names.MANIFESTS) if found else ()
    if sha256_hex(data) != expected_hash:
        yield _finding("VerificationDiffers", path, "it is not the one that was journalled")
        return None
    return data


def _finding(code: str, path: str, message: str) -> Finding:
    return Finding(code=code, subject=f"{blob_names.MANIFESTS}/{path}", message=message)
