"""Pack what a kit knows of its recovery point into files that a person can run and read."""

from flexvault.domain.zip_files import pack_files
from flexvault.kit.facts import KitFacts

_MAIN = '''"""Print what this kit knows of its recovery point."""

import sys
import zipfile

with zipfile.ZipFile(sys.argv[0]) as packed:
    sys.stdout.write(packed.read("kit.json").decode())
'''


def build_kit(facts: KitFacts) -> dict[str, bytes]:
    """Return the kit's files: name relative to `{filePrefix}_rebuild/` -> content; the same facts, the same bytes."""
    files = {"__main__.py": _MAIN.encode(), "kit.json": facts.to_bytes()}
    page = (
        f"# Rebuild {facts.server_name} as of {facts.recovery_point_time}\n\n`python3 rebuild.pyz` prints `kit.json`.\n"
    )
    return {"rebuild.pyz": pack_files(files), "README.md": page.encode()}
