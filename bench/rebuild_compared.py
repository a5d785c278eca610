"""What the documented way from files to a server loses, beside the rebuild kit: the table of `docs/restore.md`."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.rebuild.conftest import server_maker
from tests.rebuild.corpus.routes import Workshop
from tests.rebuild.corpus.table import compare_ways


def compare_rebuilds() -> None:
    """Rebuild the tests' corpus both ways on servers of the wheel, and print the table."""
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as another user when this is root
        run_server = server_maker(folder)
        workshop = Workshop(run_server=run_server, scratch=Path(scratch), open_folder=folder, stack=stack)
        print(compare_ways(workshop), end="")
