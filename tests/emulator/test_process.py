"""The emulator as a process of its own."""

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx

from local_cloud.arm_emulator.config import EmulatorConfig
from tests.emulator.people import OWNER, IdentityService
from tests.emulator.places import CREATED_AT, GROUP, LOCATION, SERVER_ID, SUBSCRIPTION, TENANT

ROOT = Path(__file__).parents[2]


def test_it_says_when_it_serves_and_ends_with_sigterm(
    base_config: EmulatorConfig, identity: IdentityService, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(process_config(base_config, identity, tmp_path)), encoding="utf-8")
    command = [sys.executable, "-m", "local_cloud.arm_emulator", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        trust = ssl.create_default_context(cafile=str(base_config.ca_file))
        with httpx.Client(base_url=f"https://127.0.0.1:{ready['port']}", verify=trust, trust_env=False) as client:
            headers = {"Authorization": f"Bearer {identity.token(OWNER)}"}
            answer = client.get(SERVER_ID, params={"api-version": "2026-10-01"}, headers=headers)
            process.send_signal(signal.SIGTERM)
            exit_status = process.wait(10)

    assert ready["ready"] is True
    assert (answer.status_code, exit_status) == (200, 0)


def process_config(base: EmulatorConfig, identity: IdentityService, folder: Path) -> dict[str, object]:
    return {
        "port": 0,
        "certificate": str(base.certificate),
        "privateKey": str(base.private_key),
        "caFile": str(base.ca_file),
        "state": str(folder / "state"),
        "tenantId": TENANT,
        "jwksUrl": identity.jwks_url,
        "pgBin": None,
        "owner": OWNER.object_id,
        "subscriptions": [{"id": SUBSCRIPTION, "displayName": "Test"}],
        "resourceGroups": [{"subscriptionId": SUBSCRIPTION, "name": GROUP, "location": LOCATION}],
        "servers": [
            {
                "subscriptionId": SUBSCRIPTION,
                "resourceGroup": GROUP,
                "name": "pg-orders",
                "location": LOCATION,
                "createdAt": CREATED_AT,
                "version": "18",
                "storageSizeGB": 128,
                "state": "Ready",
                "replicationRole": "Primary",
                "postgres": "postgresql://postgres@127.0.0.1:1/postgres",
            }
        ],
        "storageAccounts": [],
        "roleAssignments": [],
    }
