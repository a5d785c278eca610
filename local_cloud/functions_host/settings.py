"""What the host takes from host.json and from the environment."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local_cloud.functions_host.errors import HostError, MissingSettingError

_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True, kw_only=True)
class HostJson:
    """The parts of host.json that this host follows.

    Attributes:
        route_prefix: Before every route, without slashes at its ends; may be empty.
        hub_name: Name of the task hub, settings resolved.
        max_activities: Activities that run at once; the extension's default is ten per core.
        max_orchestrators: Orchestrator turns that run at once; the same default.
    """

    route_prefix: str
    hub_name: str
    max_activities: int
    max_orchestrators: int


def read_host_json(app_dir: Path, environment: Mapping[str, str]) -> HostJson:
    """Read `host.json` of the app.

    Raises:
        HostError: There is none, it is not JSON, or its hub name needs a setting that is missing.
    """
    path = app_dir / "host.json"
    try:
        document = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise HostError(f"{path} does not exist") from None
    except ValueError as error:
        raise HostError(f"{path} is not JSON: {error}") from error
    extensions: dict[str, Any] = document.get("extensions", {})
    durable: dict[str, Any] = extensions.get("durableTask", {})
    try:
        hub_name = resolve_settings(str(durable.get("hubName", "TestHubName")), environment)
    except MissingSettingError as error:
        raise HostError(f"host.json, extensions.durableTask.hubName: {error}") from error
    per_host = 10 * (os.cpu_count() or 1)
    return HostJson(
        route_prefix=str(extensions.get("http", {}).get("routePrefix", "api")).strip("/"),
        hub_name=hub_name,
        max_activities=int(durable.get("maxConcurrentActivityFunctions", per_host)),
        max_orchestrators=int(durable.get("maxConcurrentOrchestratorFunctions", per_host)),
    )


def resolve_settings(text: str, environment: Mapping[str, str]) -> str:
    """Replace every `%NAME%` by the app setting of that name.

    Raises:
        MissingSettingError: A setting is not there.
    """

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in environment:
            raise MissingSettingError(match[1])
        return environment[match[1]]

    return _SETTING.sub(value_of, text)
