"""How long a functions host takes from its start to the first answer, with everything around it up already."""

import time
from dataclasses import dataclass

from local_cloud.demo.client import VaultClient
from local_cloud.launch import LaunchedCloud

STARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a host, in seconds since its process was started."""

    ready: float
    """Until it listens and has loaded the app's functions."""
    answered: float
    """Until a person had the list of policies: the tokens' keys were fetched, Azure's SDKs imported, a table read."""


def measure_start(cloud: LaunchedCloud) -> Start:
    """Kill and start the host of a vault of its own some times; answers the fastest start."""
    vault = cloud.new_vault()
    starts: list[Start] = []
    try:
        for _ in range(STARTS):
            vault.kill_host()
            started = time.monotonic()
            vault.start_host()
            ready = time.monotonic() - started
            endpoints = vault.endpoints
            token = endpoints["people"]["reader"]
            with VaultClient(str(endpoints["api"]), endpoints["vaultResourceId"], token) as client:
                client.get("/backupPolicies")
            starts.append(Start(ready=ready, answered=time.monotonic() - started))
    finally:
        vault.stop()
    return min(starts, key=lambda start: start.answered)


def print_start(start: Start) -> None:
    """Print one start."""
    print(f"start of the functions host, the best of {STARTS}")
    print(f"  ready                {start.ready:6.2f} s   (listens, functions loaded)")
    print(f"  first answer         {start.answered:6.2f} s   (a list of policies, SDKs imported)")
