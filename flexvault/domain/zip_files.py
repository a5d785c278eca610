"""Pack files into a zip archive whose bytes depend on them alone."""

import io
import zipfile
from collections.abc import Mapping

_NO_MOMENT = (1980, 1, 1, 0, 0, 0)
"""The first that the format can write."""


def pack_files(files: Mapping[str, bytes]) -> bytes:
    """Write a zip archive of files by their names: the same files make the same bytes, whenever that is done."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _NO_MOMENT), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
