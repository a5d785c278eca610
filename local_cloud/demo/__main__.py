"""`make demo`: protect a server, back it up by schedule and on demand, restore, rebuild, compare everything."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from local_cloud.compare import compare
from local_cloud.demo.client import ApiError, VaultClient
from local_cloud.demo.orders import CONTAINER, POLICY, SERVER, daily_policy, protect, restore_order
from local_cloud.demo.screen import RunningStage, Screen
from local_cloud.demo.storage_proof import NotProtectedError, find_protection, tell_who
from local_cloud.endpoints import Endpoints, read_endpoints
from local_cloud.launch import LaunchedCloud
from local_cloud.postgres import PostgresSetupError, binaries, empty_server
from local_cloud.processes import ChildEndedError, ChildNotReadyError, interrupt_on_stop_signals
from local_cloud.rebuild import RebuildFailedError, download_restore, rebuild
from local_cloud.services import ROOT
from local_cloud.state_folder import ChildrenAliveError, FolderInUseError, claim_emptied

FOLDER = ROOT / ".local" / "demo"
CLOUD = FOLDER / "cloud"
PREFIX = "demo"
FAILURES = (
    ApiError,
    ChildEndedError,
    ChildNotReadyError,
    NotProtectedError,
    PostgresSetupError,
    RebuildFailedError,
)
INTERRUPTED = 130
"""What a shell answers for a program that SIGINT ended."""


def main() -> int:
    """Run the demo; 0 only if all is equal, 130 after Ctrl-C."""
    interrupt_on_stop_signals()
    try:
        own = claim_emptied(FOLDER, CLOUD)
    except (FolderInUseError, ChildrenAliveError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    try:
        with Screen() as screen:
            is_equal = _run(screen)
            screen.summarise("flexvault: backed up, restored, rebuilt, compared")
    except FAILURES as error:
        print(f"demo: {error}", file=sys.stderr)
        print(f"demo: the logs are in {(CLOUD / 'logs').relative_to(ROOT)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted, everything was ended", file=sys.stderr)
        return INTERRUPTED
    finally:
        own.release()
    return 0 if is_equal else 1


def _run(screen: Screen) -> bool:
    with screen.stage("Start the local cloud") as stage:
        cloud = LaunchedCloud(CLOUD)
        endpoints = read_endpoints(cloud.folder)
        stage.proof = "PostgreSQL, ARM, storage, identity, functions host"
    with cloud, VaultClient(str(endpoints["api"]), endpoints["vaultResourceId"], _token(endpoints)) as vault:
        instance = _protect(screen, vault, endpoints)
        _back_up_by_schedule(screen, vault, endpoints)
        _back_up_on_demand(screen, vault, instance, endpoints)
        _restore(screen, vault, instance, endpoints)
        with screen.stage("Ask storage who did it") as stage:
            stage.proof = tell_who(cloud.storage_callers()[endpoints["storage"]["vault"]["account"]])
        return _rebuild_and_compare(screen, endpoints)


def _token(endpoints: Endpoints) -> str:
    return endpoints["people"]["contributor"]


def _protect(screen: Screen, vault: VaultClient, endpoints: Endpoints) -> str:
    with screen.stage("Protect the server") as stage:
        instance = protect(vault, endpoints)
        stage.proof = "ProtectionConfigured: both roles granted and in effect"
    return instance


def _back_up_by_schedule(screen: Screen, vault: VaultClient, endpoints: Endpoints) -> None:
    with screen.stage("Back up by schedule") as stage:
        known = {str(job["id"]) for job in vault.get("/backupJobs")["value"]}
        vault.put(f"/backupPolicies/{POLICY}", daily_policy(first_slot_in=timedelta(seconds=2)))
        stage.show(0, "waiting for the slot")
        _finish_backup(stage, vault, vault.wait_for_scheduled_job(known), endpoints)


def _back_up_on_demand(screen: Screen, vault: VaultClient, instance: str, endpoints: Endpoints) -> None:
    with screen.stage("Back up on demand") as stage:
        options = {"ruleName": "BackupDaily", "triggerOption": {"retentionTagOverride": "Default"}}
        answer = vault.post(f"{instance}/backup", {"backupRuleOptions": options})
        _finish_backup(stage, vault, str(answer["jobId"]), endpoints)


def _finish_backup(stage: RunningStage, vault: VaultClient, job_id: str, endpoints: Endpoints) -> None:
    job = vault.wait_for_job(job_id, stage.show_job)
    details: list[dict[str, Any]] = job["extendedInfo"].get("warningDetails") or []
    warnings = [str(entry["warning"]["message"]) for entry in details]
    size = job["extendedInfo"].get("dataTransferredInBytes") or 0
    protection = find_protection(endpoints, job_id.rpartition("/")[2].replace("-", ""))
    stage.proof = f"sealed, {size / 1e6:.1f} MB, {protection}" + (f"; warns: {'; '.join(warnings)}" if warnings else "")


def _restore(screen: Screen, vault: VaultClient, instance: str, endpoints: Endpoints) -> None:
    with screen.stage("Restore the newest point") as stage:
        points = vault.get(f"{instance}/recoveryPoints")["value"]
        newest = max(points, key=lambda point: str(point["properties"]["recoveryPointTime"]))
        order = restore_order(newest["name"], PREFIX, endpoints)
        vault.post(f"{instance}/validateRestore", {"restoreRequestObject": order})
        answer = vault.post(f"{instance}/restore", order)
        vault.wait_for_job(str(answer["jobId"]), stage.show_job)
        stage.proof = f"1 of {len(points)} points; every block's checksum equals the manifest's"


def _rebuild_and_compare(screen: Screen, endpoints: Endpoints) -> bool:
    account, source = endpoints["storage"]["restore"], endpoints["servers"][SERVER]["postgres"]
    files = FOLDER / "restored"
    with empty_server(FOLDER / "rebuilt") as server:
        with screen.stage("Rebuild a fresh server") as stage:
            paths = download_restore(
                blob_endpoint=account["blobEndpoint"],
                account=account["account"],
                key=account["key"],
                container=CONTAINER,
                prefix=PREFIX,
                folder=files,
                ca=endpoints["storage"]["ca"],
            )
            rebuild(files, PREFIX, server.url, binaries(), on_line=_log)
            stage.proof = f"{len(paths)} files; the kit's own program, stopping at the first error"
        compared = [
            _compare(screen, title, files, server.url, url)
            for title, url in (("Compare with the recovery point", None), ("Compare with the source", source))
        ]
    return all(compared)


def _compare(screen: Screen, title: str, files: Path, server_url: str, source_url: str | None) -> bool:
    with screen.stage(title) as stage:
        found = compare(files, PREFIX, server_url, binaries(), source_url=source_url, on_line=_log)
        stage.proof = found.verdict.partition(";")[0] if found.is_equal else f"{len(found.findings)} DIFFERENCES"
    for line in found.findings:
        print(f"demo: {line}", file=sys.stderr)
    return found.is_equal


def _log(line: str) -> None:
    with (CLOUD / "logs" / "rebuild.log").open("a") as log:
        log.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
