"""A second host of the same vault with a task hub of its own: what runs after the first one's machine went silent."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local_cloud.app_settings import Surroundings, build_settings
from local_cloud.certificates import ensure_certificates, now
from local_cloud.identity import TOKEN_PATH
from local_cloud.launch import HOST_READY_WITHIN_SECONDS, LaunchedCloud, VaultHost
from local_cloud.processes import Child
from local_cloud.services import ROOT, host_command


@contextmanager
def second_host(cloud: LaunchedCloud, vault: VaultHost, state: Path) -> Generator[None]:
    """Run it as long as the block lasts."""
    endpoints = vault.endpoints
    storage = endpoints["storage"]
    around = Surroundings(
        identity_url=endpoints["identity"]["endpoint"].removesuffix(TOKEN_PATH),
        identity_header=endpoints["identity"]["header"],
        arm_url=endpoints["arm"]["endpoint"],
        blob_url=storage["vault"]["blobEndpoint"].rpartition("/")[0],
        table_url=storage["app"]["tableEndpoint"].rpartition("/")[0],
        authority=Path(storage["ca"]),
    )
    host = Child(
        host_command(
            app=ROOT,
            state=state,
            ports=(0, 0),
            certificates=ensure_certificates(cloud.folder / "tls", now()),
            settings=build_settings(vault.place, around),
            log=state.with_suffix(".log"),
        )
    )
    try:
        host.wait_ready(HOST_READY_WITHIN_SECONDS)
        yield
    finally:
        host.stop()
