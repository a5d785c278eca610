"""`make rebuild`: a fresh server of a restore that lies in the local cloud of `make run`, compared with its source."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from local_cloud.compare import compare
from local_cloud.endpoints import Endpoints, read_endpoints
from local_cloud.postgres import PostgresSetupError, binaries, empty_server
from local_cloud.processes import ChildEndedError, ChildNotReadyError, interrupt_on_stop_signals
from local_cloud.rebuild import RebuildFailedError, download_restore, rebuild
from local_cloud.services import ROOT
from local_cloud.state_folder import ChildrenAliveError, FolderInUseError, StateFolder
from local_cloud.storage import RESTORE_CONTAINER

CLOUD = ROOT / ".local"
FOLDER = CLOUD / "rebuild"
INTERRUPTED = 130

_EXPECTED_FAILURES = (
    ChildEndedError,
    ChildNotReadyError,
    ChildrenAliveError,
    FolderInUseError,
    PostgresSetupError,
    RebuildFailedError,
)


def main() -> int:
    """Rebuild and compare; 0 only if all is equal. In a terminal the new server is kept until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Rebuild a fresh server from a restore of the local cloud.")
    parser.add_argument("prefix", help="the --prefix of the restore")
    parser.add_argument("--server", default="pg-orders", help="the source server to compare with")
    parser.add_argument("--download", type=Path, metavar="FOLDER", help="only download the files into this folder")
    chosen = parser.parse_args()
    interrupt_on_stop_signals()
    try:
        endpoints = read_endpoints(CLOUD)
        if chosen.download:
            print("\n".join(map(str, download(endpoints, chosen.prefix, chosen.download))))
            return 0
        if chosen.server not in endpoints["servers"]:
            raise RebuildFailedError(
                f"the local cloud has no server {chosen.server}, but {', '.join(endpoints['servers'])}"
            )
        return 0 if _rebuild(endpoints, chosen.prefix, chosen.server) else 1
    except FileNotFoundError:
        print("rebuild: no local cloud is running; hint: make run", file=sys.stderr)
    except _EXPECTED_FAILURES as error:
        print(f"rebuild: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("rebuild: interrupted, everything was ended", file=sys.stderr)
        return INTERRUPTED
    return 1


def download(
    endpoints: Endpoints, prefix: str, folder: Path, *, on_found: Callable[[], object] = lambda: None
) -> tuple[Path, ...]:
    """Download the files of a restore in the local cloud, its kit included; see `download_restore`."""
    account = endpoints["storage"]["restore"]
    return download_restore(
        blob_endpoint=account["blobEndpoint"],
        account=account["account"],
        key=account["key"],
        container=RESTORE_CONTAINER,
        prefix=prefix,
        folder=folder,
        ca=endpoints["storage"]["ca"],
        on_found=on_found,
    )


def _rebuild(endpoints: Endpoints, prefix: str, source: str) -> bool:
    own = StateFolder(FOLDER)
    try:
        files = FOLDER / "files"
        paths = download(endpoints, prefix, files, on_found=own.clear)
        print(f"{len(paths)} files of {prefix} are in {files.relative_to(ROOT)}", flush=True)
        with empty_server(FOLDER / "server") as server:
            rebuild(files, prefix, server.url, binaries(), on_line=lambda line: print(f"  {line}", flush=True))
            url = endpoints["servers"][source]["postgres"]
            against = {"its recovery point": None, f"{source} as it is now": url}
            compared = {
                name: compare(files, prefix, server.url, binaries(), source_url=source_url)
                for name, source_url in against.items()
            }
            for name, found in compared.items():
                for line in found.findings:
                    print(f"differs from {name}: {line}")
                print(f"compared with {name}: {found.verdict}")
            if sys.stdin.isatty():
                print(f"look at it: {binaries() / 'psql'} {server.url}\nCtrl-C ends it", flush=True)
                with contextlib.suppress(KeyboardInterrupt):
                    signal.pause()
        return all(found.is_equal for found in compared.values())
    finally:
        own.release()


if __name__ == "__main__":
    sys.exit(main())
