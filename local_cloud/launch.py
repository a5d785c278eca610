"""Starts a local cloud as a process of its own, for the demo and the tests, and further vaults inside it.

Call it from the main thread: what it starts ends with that thread's process, also when that is killed.
"""

import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from local_cloud.app_settings import Surroundings, build_settings
from local_cloud.apps import IdentityHeaders, app_settings, apps_of, folder_of
from local_cloud.certificates import ensure_certificates, now
from local_cloud.endpoints import NO_API, Endpoints, api_at, build_endpoints, read_endpoints
from local_cloud.identity import TOKEN_PATH
from local_cloud.landscape import Landscape, numbered
from local_cloud.processes import Child, Command, stop_all
from local_cloud.services import ROOT, host_command
from local_cloud.storage import create_content, load_account_keys
from local_cloud.storage_gateway.config import CALLERS_PATH, SETTINGS_PATH
from local_cloud.storage_gateway.rights import DEPLOYMENT
from local_cloud.tokens import STORAGE_AUDIENCE, TokenIssuer

READY_WITHIN_SECONDS = 60
HOST_READY_WITHIN_SECONDS = 30


class NoVaultLeftError(Exception):
    """Every landscape that the cloud was started with is taken."""


class LaunchedCloud:
    """A local cloud that runs in a process of its own. Use it as a context manager."""

    def __init__(
        self,
        folder: Path,
        *,
        app: Path | None = ROOT,
        first_api_port: int = 0,
        test_vaults: int = 0,
        further_options: Sequence[str] = (),
    ) -> None:
        """Start it and wait until all of it is ready.

        Args:
            folder: Its state folder, taken up again if it was used before.
            app: Folder with `function_app.py`; None = no host, only what surrounds one.
            first_api_port: The app's port is the first free one from this on; 0 = any.
            test_vaults: How many vaults `new_vault` can give.
            further_options: Of `python -m local_cloud`, as they stand on its command line.

        Raises:
            ChildEndedError: it failed; the message is its own.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self._vaults_left = iter(range(1, test_vaults + 1))
        words = ["--state", str(self.folder), "--port", str(first_api_port), "--test-vaults", str(test_vaults)]
        words += [*(["--app", str(app)] if app else ["--no-app"]), *further_options]
        command = Command(
            name="local cloud",
            argv=(sys.executable, "-m", "local_cloud", "--ready-line", *words),
            log=self.folder / "cloud.log",
            directory=ROOT,
            # It quotes its own children's logs in turn.
            tail_lines=60,
        )
        self._child = Child(command)
        try:
            self._child.wait_ready(READY_WITHIN_SECONDS)
        except BaseException:
            self._child.stop()
            raise

    def __enter__(self) -> Self:
        """Answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def endpoints(self) -> Endpoints:
        """What its endpoints file says now: a restarted host changes it."""
        return read_endpoints(self.folder)

    @property
    def issuer(self) -> TokenIssuer:
        """Signs tokens as the cloud's own identity service does, and wrong ones for tests."""
        url = self.endpoints["identity"]["endpoint"].removesuffix(TOKEN_PATH)
        return TokenIssuer.load(self.folder / "keys", url)

    def set_fault(self, fault: Mapping[str, Any]) -> None:
        """Set a fault of the ARM emulator, for example `{"fault": "throttle", "match": {...}, "times": 2}`."""
        self._ask_emulator("POST", "/_emulator/faults", fault)

    def clear_faults(self) -> None:
        """Clear every fault of the ARM emulator."""
        self._ask_emulator("DELETE", "/_emulator/faults")

    def emulator_log(self) -> Any:
        """Answer what the emulator remembers: every accepted backup and role assignment, in order."""
        return self._ask_emulator("GET", "/_emulator/log").json()

    def change_storage(self, **settings: Any) -> dict[str, Any]:
        """Change settings of the storage gateway, for all vaults; answers all of them, also without a change.

        They are `offsetSeconds`, `movesDate`, `baseNameDelete`, `holdCopiesAfter` and `holdReadsAfter`;
        `local_cloud/storage_gateway/control.py` says what each means.
        """
        found: dict[str, Any] = self._ask_gateway("PUT", SETTINGS_PATH, settings)
        return found

    def storage_callers(self) -> dict[str, dict[str, list[str]]]:
        """Answer who did what in storage since it was started: account, operation, principals."""
        found: dict[str, dict[str, list[str]]] = self._ask_gateway("GET", CALLERS_PATH)
        return found

    def new_vault(
        self, *, app: Path = ROOT, changed: Mapping[str, str] | None = None, is_split: bool = False
    ) -> "VaultHost":
        """Start one more vault: an own host, own accounts, own source servers in an own subscription.

        The servers' ARM ids are its own; the PostgreSQL behind them is shared with all other vaults of this cloud.

        Args:
            app: Folder with `function_app.py`.
            changed: App settings to put in place of the usual ones.
            is_split: Two apps, front and janitor, instead of one.

        Raises:
            NoVaultLeftError: all are taken.
            ChildEndedError: the app did not start.
        """
        return VaultHost(self, self._take_place(), app=app, changed=changed or {}, is_split=is_split)

    def new_accounts(self, changed: Mapping[str, str] | None = None) -> "VaultAccounts":
        """Create the accounts of one more vault without a host: for one that runs in the caller's own process.

        Args:
            changed: App settings to put in place of the usual ones.

        Raises:
            NoVaultLeftError: all are taken.
        """
        place, around = self._take_place(), _read_surroundings(self.endpoints)
        create_content(place, around, self.issuer.for_identity(DEPLOYMENT, STORAGE_AUDIENCE))
        return VaultAccounts(place=place, settings=build_settings(place, around, changed))

    def kill(self) -> None:
        """End the cloud as `kill -9` does: only its own process."""
        self._child.kill()

    @property
    def pid(self) -> int:
        """Process id of the cloud."""
        return self._child.pid

    def stop(self) -> None:
        """End the cloud and wait for it."""
        self._child.stop(within_seconds=30)

    def _take_place(self) -> Landscape:
        number = next(self._vaults_left, None)
        if number is None:
            raise NoVaultLeftError("no vault is left; hint: start the cloud with more test_vaults")
        return numbered(number)

    def _ask_gateway(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._ask(method, f"{_read_surroundings(self.endpoints).blob_url}{path}", body).json()

    def _ask_emulator(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        arm = self.endpoints["arm"]
        return self._ask(method, f"{arm['endpoint']}{path}", body, {"Authorization": f"Bearer {arm['token']}"})

    def _ask(
        self, method: str, url: str, body: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        context = ssl.create_default_context(cafile=self.endpoints["storage"]["ca"])
        answer = httpx.request(method, url, headers=headers, json=body, verify=context, trust_env=False)
        return answer.raise_for_status()


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultAccounts:
    """What one vault of a launched cloud needs around it, while nothing runs there yet."""

    place: Landscape
    settings: Mapping[str, str]
    """The app's settings, and the environment in which Azure's SDKs find their identities and trust."""


class VaultHost:
    """One vault of a launched cloud, with a functions host that tests may kill and start again."""

    def __init__(
        self, cloud: LaunchedCloud, place: Landscape, *, app: Path, changed: Mapping[str, str], is_split: bool = False
    ) -> None:
        """Create its containers and tables, then start its host, or its two."""
        self.place = place
        self.folder = cloud.folder / "vaults" / place.name
        """Holds the task hub and the host's log."""
        self._cloud = cloud
        shared = cloud.endpoints
        self._around = _read_surroundings(shared)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.identity_headers = IdentityHeaders.load(cloud.folder / "keys")
        """The secret by which each app gets its tokens: what a thief of an app's environment holds."""
        self._command, *others = [
            host_command(
                app=app,
                state=self.folder / folder_of(name),
                ports=(0, 0),
                certificates=ensure_certificates(cloud.folder / "tls", now()),
                settings=app_settings(name, build_settings(place, self._around, changed), self.identity_headers),
                log=self.folder / f"{folder_of(name)}.log",
            )
            for name in apps_of(is_split=is_split)
        ]
        token = cloud.issuer.for_identity(DEPLOYMENT, STORAGE_AUDIENCE)
        create_content(place, self._around, token)
        self._host = self._start(self._command)
        self._others = [self._start(command) for command in others]

    @property
    def endpoints(self) -> Endpoints:
        """The same members as in the endpoints file, of this vault."""
        shared = self._cloud.endpoints
        return build_endpoints(
            self.place,
            self._around,
            api=NO_API if self._host.has_ended else api_at(self._host.wait_ready(0)),
            issuer=self._cloud.issuer,
            keys=load_account_keys(self._cloud.folder / "keys/accounts.json", self.place.accounts),
            postgres={name: server["postgres"] for name, server in shared["servers"].items()},
            pids={**shared["pids"], "host": self._host.pid},
        )

    @property
    def janitor_url(self) -> str:
        """Where the host of the second app listens."""
        (janitor,) = self._others
        return f"http://127.0.0.1:{janitor.wait_ready(0)['port']}"

    def accepted_backups(self) -> list[dict[str, Any]]:
        """Answer what the emulator's own log says of backups of this vault's servers, in order."""
        subscription = f"/subscriptions/{self.place.subscription_id}/"
        backups: list[dict[str, Any]] = self._cloud.emulator_log()["backups"]
        return [backup for backup in backups if backup["resourceId"].startswith(subscription)]

    def kill_host(self) -> None:
        """End the host as `kill -9` does; nothing starts it again by itself."""
        self._host.kill()

    def start_host(self) -> None:
        """Start the host again, at other ports, once it has ended."""
        self._host = self._start(self._command)

    def stop(self) -> None:
        """End every host and wait for it."""
        stop_all([self._host, *self._others])

    @staticmethod
    def _start(command: Command) -> Child:
        host = Child(command)
        try:
            host.wait_ready(HOST_READY_WITHIN_SECONDS)
        except BaseException:
            host.kill()
            raise
        return host


def _read_surroundings(endpoints: Endpoints) -> Surroundings:
    storage = endpoints["storage"]
    return Surroundings(
        identity_url=endpoints["identity"]["endpoint"].removesuffix(TOKEN_PATH),
        identity_header=endpoints["identity"]["header"],
        arm_url=endpoints["arm"]["endpoint"],
        blob_url=storage["vault"]["blobEndpoint"].rpartition("/")[0],
        table_url=storage["app"]["tableEndpoint"].rpartition("/")[0],
        authority=Path(storage["ca"]),
    )
