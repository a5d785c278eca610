"""The two ways from files to a server: flexvault's kit, and the steps that Azure Backup's page documents.

Source of the documented way, read on 2026-11-25:
https://learn.microsoft.com/azure/backup/backup-azure-database-postgresql-flex-restore
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cloud.rebuild import RebuildFailedError, rebuild
from tests.rebuild.backup import kit_facts, write_kit
from tests.rebuild.conftest import Server
from tests.rebuild.corpus.model import ADMINISTRATOR, quoted

DOCUMENTED_SED = (
    "/azure_superuser/d; /azure_pg_admin/d; /azuresu/d; /^CREATE ROLE replication/d; "
    "/^ALTER ROLE replication/d; /^ALTER ROLE/ {s/NOSUPERUSER//; s/NOBYPASSRLS//;}"
)

_STATE = 14
"""Width of the column of states in the kit's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a way said.

    Attributes:
        lines: All that was printed, in its order.
        stopped: Why the kit stopped; empty when it came to its end.
        exit_codes: Of each program that a person ran: what was run -> its code.
        errors: How many errors were printed.
    """

    lines: tuple[str, ...] = ()
    stopped: str = ""
    exit_codes: Mapping[str, int]
    errors: int = 0

    @property
    def end(self) -> str:
        """Why the kit stopped, with its last lines; empty when it came to its end."""
        return "\n".join(self.lines[-25:]) if self.stopped else ""

    def names(self, lost: str) -> bool:
        """Tell whether a line of the kit's table has all parts of a text, which `…` keeps apart, in their order.

        The text says object, state and reason in this order; the table has the state first.
        """
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in lost.split("…")))
        return any(pattern.search(f"{line[_STATE:]}  {line[:_STATE]}{line[_STATE:]}") for line in self.lines)


def by_the_kit(
    folder: Path, prefix: str, server: Server, *, version: str, user: str | None = None, options: Sequence[str] = ()
) -> Outcome:
    """Rebuild as the kit's page says: one command."""
    write_kit(folder, prefix, kit_facts(folder, prefix, version=version))
    lines: list[str] = []
    stopped = ""
    try:
        rebuild(folder, prefix, server.url(user=user), server.bin, on_line=lines.append, options=options)
    except RebuildFailedError as error:
        stopped = str(error)
    return Outcome(lines=tuple(lines), stopped=stopped, exit_codes={"rebuild.pyz": int(bool(stopped))})


def as_documented(folder: Path, prefix: str, server: Server, databases: Mapping[str, Path], scratch: Path) -> Outcome:
    """Do the page's steps as the administrator of a flexible server, nothing more and nothing less.

    `sed` over the roles script, `psql` for the roles, CREATE DATABASE and `pg_restore -d NAME --no-owner -v` for each
    database. Names are quoted for the shell and for SQL, as a careful person would; `-d` gets the name as it is.
    """
    roles = scratch / "roles.sql"
    roles.write_bytes((folder / f"{prefix}_roles.sql").read_bytes())
    subprocess.run(["sed", "-i", DOCUMENTED_SED, roles], check=True)
    at = ["-h", "127.0.0.1", "-p", str(server.port), "-U", ADMINISTRATOR]
    codes: dict[str, int] = {}
    said: list[str] = []

    def run(what: str, program: str, *arguments: str, file: Path | None = None) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with (file or Path(os.devnull)).open("rb") as stdin:
            done = subprocess.run(
                [server.bin / program, *at, *arguments],
                stdin=stdin,
                capture_output=True,
                check=False,
                env=environment,
                cwd=scratch,
            )
        codes[what] = done.returncode
        said.extend(done.stderr.decode(errors="replace").splitlines())

    run("psql, roles", "psql", "-d", "postgres", "-f", str(roles))
    for name, path in databases.items():
        run(f"psql, CREATE DATABASE {name}", "psql", "-d", "postgres", "-c", f"CREATE DATABASE {quoted(name)}")
        run(f"pg_restore {name}", "pg_restore", "-d", name, "--no-owner", "-v", file=path)
    errors = sum("ERROR:" in line or "error:" in line for line in said)
    return Outcome(lines=tuple(said), exit_codes=codes, errors=errors)
