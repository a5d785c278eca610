"""Rebuild a fresh PostgreSQL server from a restore as files, as its owner would: download, run the kit."""

import argparse
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from azure.storage.blob import ContainerClient
from psycopg.conninfo import conninfo_to_dict

PROGRAM = "rebuild.pyz"

_TAIL_LINES = 20


class RebuildFailedError(Exception):
    """The kit stopped; the message ends with its last lines."""


def download_restore(
    *,
    blob_endpoint: str,
    account: str,
    key: str,
    container: str,
    prefix: str,
    folder: Path,
    ca: str | None = None,
    on_found: Callable[[], object] = lambda: None,
) -> tuple[Path, ...]:
    """Download all files of one restore, its kit included.

    Args:
        blob_endpoint: Such as `https://127.0.0.1:10000/account`.
        account: Name of the storage account.
        key: Its account key.
        container: The target container of the restore.
        prefix: File prefix of the restore request; a folder part of it does not become a local folder.
        folder: Where the files go; made if need be.
        ca: Path of the certificate authority's PEM file.
        on_found: Called when there are files, before the first is written: what an earlier download left may go now.

    Returns:
        The local paths, sorted.

    Raises:
        RebuildFailedError: No blob begins with the prefix, or a name would leave the folder.
    """
    credential = {"account_name": account, "account_key": key}
    written: list[Path] = []
    verify = ca if ca is not None else True
    with ContainerClient(blob_endpoint, container, credential=credential, connection_verify=verify) as client:
        names = list(client.list_blob_names(name_starts_with=f"{prefix}_"))
        if not names:
            raise RebuildFailedError(f"container {container} holds no file whose name begins with {prefix}_")
        on_found()
        for name in names:
            path = folder / _relative_path(name, prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as file:
                client.download_blob(name).readinto(file)
            written.append(path)
    return tuple(sorted(written))


def rebuild(
    files_folder: Path,
    prefix: str,
    server_url: str,
    pg_bin: Path,
    *,
    on_line: Callable[[str], None] | None = None,
    options: Sequence[str] = (),
) -> None:
    """Run the kit's `rebuild.pyz restore` against a fresh server.

    Args:
        files_folder: Holds the files of the restore and the kit's folder `{prefix}_rebuild`.
        prefix: File prefix of the restore; a folder part of it is ignored, as `download_restore` does.
        server_url: `postgresql://` URL of the administrator.
        pg_bin: Folder with psql and pg_restore of the server's version.
        on_line: Hears each line that the kit prints, at once.
        options: More words of the command line, such as `--jobs 4`.

    Raises:
        RebuildFailedError: A file is missing, or the kit ended with an error.
    """
    kit = files_folder / f"{PurePosixPath(prefix).name}_rebuild" / PROGRAM
    for needed, hint in ((kit, "check the folder and the prefix"), (pg_bin / "psql", "check the programs' folder")):
        if not needed.is_file():
            raise RebuildFailedError(f"there is no file {needed}; hint: {hint}")
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with subprocess.Popen(
        [sys.executable, "-I", str(kit), "restore", "--files", str(files_folder), *options],
        env=server_environment(server_url, pg_bin),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if process.stdout is None:
            raise RebuildFailedError("the kit has no output")
        for line in process.stdout:
            tail.append(line.rstrip("\n"))
            if on_line is not None:
                on_line(tail[-1])
    if process.returncode:
        last_lines = [] if on_line is not None else [":", *tail]
        raise RebuildFailedError(f"{PROGRAM} ended with status {process.returncode}" + "\n".join(last_lines))


def _relative_path(name: str, prefix: str) -> PurePosixPath:
    path = PurePosixPath(name[len(prefix) - len(PurePosixPath(prefix).name) :])
    if path.is_absolute() or ".." in path.parts:
        raise RebuildFailedError(f"the blob name {name} would leave the folder")
    return path


def server_environment(server_url: str, pg_bin: Path) -> dict[str, str]:
    """Give the kit what its README asks for, and nothing of this process that could lead it to another server."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "sslmode": "PGSSLMODE"}
    parts = conninfo_to_dict(server_url)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    environment |= {names[key]: str(value) for key, value in parts.items() if key in names and value is not None}
    return environment | {"PATH": f"{pg_bin}{os.pathsep}{environment.get('PATH', os.defpath)}"}


def main() -> int:
    """Rebuild a server from a folder of downloaded files."""
    parser = argparse.ArgumentParser(description="Rebuild a PostgreSQL server from the files of a restore.")
    parser.add_argument("files_folder", type=Path)
    parser.add_argument("prefix")
    parser.add_argument("server_url")
    parser.add_argument("pg_bin", type=Path)
    arguments = parser.parse_args()
    try:
        rebuild(arguments.files_folder, arguments.prefix, arguments.server_url, arguments.pg_bin, on_line=print)
    except RebuildFailedError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
