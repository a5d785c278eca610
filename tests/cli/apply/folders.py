"""Folders to be applied."""

import json
from pathlib import Path
from typing import Any

from tests.api.doors import Door, instance_body, policy_body


class Folder:
    """A folder to be applied: a policy and a server under it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.policy("daily", policy_body()["properties"])
        self.instance("pg-orders", instance_body()["properties"])

    def __str__(self) -> str:
        return str(self.root)

    def policy(self, name: str, properties: Any) -> None:
        self.write(f"policies/{name}.json", {"name": name, "properties": properties})

    def instance(self, name: str, properties: Any) -> None:
        self.write(f"instances/{name}.json", {"name": name, "properties": properties})

    def write(self, file: str, document: Any) -> None:
        path = self.root / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))


def on_server(server_id: str) -> dict[str, Any]:
    return {**instance_body()["properties"]["dataSourceInfo"], "resourceID": server_id}


def assert_ok(door: Door, path: str, body: Any) -> None:
    assert door.send("PUT", path, body).status == 200
