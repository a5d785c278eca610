"""Pack the rebuild kit: one Python zip application with the modules that it needs, and a page for people.

The modules are this vault's own sources, so what verified a recovery point here reads and compares it there. The bytes
depend on the facts alone: fixed times, fixed order, nothing compressed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from typing import Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from flexvault.kit.facts import KitFacts
from flexvault.services.rebuild_readme import write_readme

PROGRAM: Final = "rebuild.pyz"
README: Final = "README.md"
FACTS: Final = "kit.json"
START: Final = "__main__.py"
NEEDED_PYTHON: Final = (3, 12)

_PACKAGE: Final = "flexvault"
_FIRST_LINE: Final = b"#!/usr/bin/env python3\n"
_FIXED_TIME: Final = (1980, 1, 1, 0, 0, 0)
_START: Final = f"""\
# Any Python 3 can read this file, so that one that is too old can say so.
import sys

if sys.version_info < {NEEDED_PYTHON}:
    sys.stderr.write(
        "rebuild.pyz needs Python {NEEDED_PYTHON[0]}.{NEEDED_PYTHON[1]} or newer; this is Python %d.%d. "
        "Install python{NEEDED_PYTHON[0]}.{NEEDED_PYTHON[1]} or newer and run this by its name: "
        "python{NEEDED_PYTHON[0]}.{NEEDED_PYTHON[1]} %s ...\\n" % (sys.version_info[:2] + (sys.argv[0],))
    )
    sys.exit(2)

from pathlib import Path

from flexvault.kit.program import main

sys.exit(main(__loader__.get_data("{FACTS}"), Path(__loader__.archive), sys.argv[1:]))
"""


def build_kit(facts: KitFacts) -> dict[str, bytes]:
    """Return the kit's files: name relative to `{filePrefix}_rebuild/` -> content."""
    content = BytesIO()
    content.write(_FIRST_LINE)
    with ZipFile(content, "a", ZIP_STORED) as archive:
        for name, data in [(START, _START.encode()), (FACTS, facts.to_bytes()), *sorted(packed_sources().items())]:
            archive.writestr(ZipInfo(name, _FIXED_TIME), data)
    return {PROGRAM: content.getvalue(), README: write_readme(facts).encode()}


@cache
def packed_sources() -> dict[str, bytes]:
    """Return the sources that the program is made of: path in the application -> content.

    They are the modules of the kit and all that those import of this package, however far.
    """
    root = files(_PACKAGE)
    found: dict[str, bytes] = {}
    kit = root.joinpath("kit")
    pending = [f"kit/{item.name}" for item in kit.iterdir() if item.name.endswith(".py")]
    while pending:
        path = pending.pop()
        if f"{_PACKAGE}/{path}" not in found:
            found[f"{_PACKAGE}/{path}"] = root.joinpath(path).read_bytes()
            pending += _imported(root, found[f"{_PACKAGE}/{path}"])
    return found


def _imported(root: Traversable, source: bytes) -> Iterator[str]:
    """Yield the paths of the modules of this package that a source imports, and of the packages above them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    for name in names:
        first, *rest = name.split(".")
        if first != _PACKAGE:
            continue
        for depth in range(len(rest) + 1):
            package = "/".join([*rest[:depth], "__init__.py"])
            if root.joinpath(package).is_file():
                yield package
        if rest and root.joinpath("/".join(rest) + ".py").is_file():
            yield "/".join(rest) + ".py"
