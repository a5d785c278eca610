"""`make run`: the local cloud until Ctrl-C."""

import argparse
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

from local_cloud.cloud import AppNotStartedError, Cloud, CloudOptions
from local_cloud.endpoints import FILE_NAME, Endpoints
from local_cloud.ports import NoFreePortError
from local_cloud.postgres import PostgresSetupError
from local_cloud.processes import ChildEndedError, ChildNotReadyError, interrupt_on_stop_signals
from local_cloud.services import ROOT
from local_cloud.state_folder import ChildrenAliveError, FolderInUseError
from local_cloud.storage import RESTORE_CONTAINER, StorageNotCreatedError

_EXPECTED_FAILURES = (
    AppNotStartedError,
    ChildEndedError,
    ChildNotReadyError,
    ChildrenAliveError,
    FileNotFoundError,
    FolderInUseError,
    NoFreePortError,
    PostgresSetupError,
    StorageNotCreatedError,
)

API_PORT = 7071
"""The port of Azure Functions' own local tools."""


def main(arguments: list[str] | None = None) -> int:
    """Run a local cloud and answer the exit status: 0 after Ctrl-C or SIGTERM, 1 when something failed."""
    chosen = _parse(arguments)
    options = CloudOptions(
        folder=chosen.state,
        app=None if chosen.no_app else chosen.app.resolve(),
        first_api_port=chosen.port or None,
        is_split=chosen.split,
        test_vaults=chosen.test_vaults,
        minimum_backup_seconds=chosen.minimum_backup_seconds,
        tokens_rewritten_after_seconds=chosen.rewrite_tokens_after_seconds,
    )
    interrupt_on_stop_signals()
    try:
        _run(options, is_machine=chosen.ready_line)
    except KeyboardInterrupt:
        if not chosen.ready_line:
            print(f"\nended; its state is kept in {shown(options.folder)}", flush=True)
        return 0
    except _EXPECTED_FAILURES as error:
        print(f"local cloud: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _run(options: CloudOptions, *, is_machine: bool) -> None:
    if not is_machine:
        print("Starting the local cloud: PostgreSQL, ARM, storage, identity, functions host ...", flush=True)
    with Cloud(options) as cloud:
        endpoints = cloud.start()
        if is_machine:
            print(json.dumps({"ready": True}), flush=True)
        else:
            print(describe(endpoints, options.folder, options.first_api_port), flush=True)
        cloud.supervise()


def describe(endpoints: Endpoints, folder: Path, wanted_port: int | None = None) -> str:
    """Say where everything is and how it is called, in words for a terminal.

    Args:
        endpoints: What runs.
        folder: Its state folder.
        wanted_port: The port that the API should have had, or None for any.
    """
    file = folder / FILE_NAME
    storage = endpoints["storage"]
    lines = [
        "",
        "The local cloud is ready.",
        "",
        f"  API         {endpoints['api']}  ({endpoints['apiTls']})",
        *_moved(endpoints, wanted_port),
        f"  ARM         {endpoints['arm']['endpoint']}",
        f"  identity    {endpoints['identity']['endpoint']}",
        f"  storage     {storage['vault']['blobEndpoint']}, .../landing, .../restore",
        f"  tables      {storage['app']['tableEndpoint']}",
        *(f"  {name:<11} {server['postgres']}" for name, server in endpoints["servers"].items()),
        f"  restore to  {storage['restore']['blobEndpoint']}/{RESTORE_CONTAINER}",
        f"              {storage['restore']['resourceId']}",
        f"  everything  {shown(file)} (servers' ids, people's tokens, keys; only you can read it)",
        f"  logs        {shown(folder / 'logs')}",
        *(["  two apps    front (the API) and janitor (retention)"] if "janitor" in endpoints["pids"] else []),
    ]
    if endpoints["api"]:
        lines += ["", "The first backup and restore, from another terminal:", "", *_first_backup(endpoints, file)]
        lines += ["", "Or by HTTP:", "", *_calls(endpoints, file)]
    return "\n".join([*lines, "", "Ctrl-C ends it; the next start takes its state up again."])


def shown(path: Path) -> str:
    """Write a path as it is called from where the command was started."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _moved(endpoints: Endpoints, wanted_port: int | None) -> list[str]:
    port = urlsplit(endpoints["api"] or "").port
    if wanted_port in {None, port} or port is None:
        return []
    return [f"              port {wanted_port} is taken by another program, so the API listens on {port}"]


def _first_backup(endpoints: Endpoints, file: Path) -> list[str]:
    account, server = endpoints["storage"]["restore"], next(iter(endpoints["servers"]))
    command = shown(ROOT / ".venv" / "bin" / "flexvault")
    return [
        f'  fv() {{ {command} --endpoints {shown(file)} --as contributor "$@"; }}',
        f"  fv policy set {shown(ROOT / 'cli' / 'daily.json')}",
        f"  fv instance protect {server} --policy daily     # a name or id of {FILE_NAME}, member servers",
        f"  fv backup {server} --wait",
        f"  fv point list {server}                          # its id is POINT below",
        f"  fv restore {server} POINT --prefix night --wait \\",
        f"    --container {account['blobEndpoint']}/{RESTORE_CONTAINER} \\",
        f"    --container-id {account['resourceId']}",
        f"  make rebuild PREFIX=night SERVER={server}   # a fresh server of it, compared with the source",
    ]


def _calls(endpoints: Endpoints, file: Path) -> list[str]:
    vault = f"{endpoints['api']}{endpoints['vaultResourceId']}"
    python = f"""python3 -c 'import json; print(json.load(open("{shown(file)}"))["people"]["reader"])'"""
    call = '  curl -s -H "Authorization: Bearer $TOKEN"'
    return [
        f"  TOKEN=$({python})",
        f"{call} '{vault}?api-version=2026-06-01'",
        f"{call} '{vault}/backupJobs?api-version=2026-06-01'",
    ]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description="A whole Azure on one machine.")
    parser.add_argument("--state", type=Path, default=ROOT / ".local", help="folder of all that is kept")
    parser.add_argument("--app", type=Path, default=ROOT, help="folder with function_app.py")
    parser.add_argument("--no-app", action="store_true", help="run only what surrounds the app")
    parser.add_argument("--split", action="store_true", help="run two apps, front and janitor, instead of one")
    parser.add_argument("--port", type=int, default=API_PORT, help="first port to try for the API; 0 = any free one")
    parser.add_argument("--test-vaults", type=int, default=0, help="sets of accounts and servers for further vaults")
    parser.add_argument("--minimum-backup-seconds", type=float, default=2.0, help="shortest time of a backup")
    parser.add_argument(
        "--rewrite-tokens-after-seconds", type=float, default=12 * 3600, help="age of the tokens in the endpoints file"
    )
    parser.add_argument("--ready-line", action="store_true", help="print one JSON line when ready, and nothing else")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
