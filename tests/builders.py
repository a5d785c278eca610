"""A vault in memory and what it works with: servers, policies, dumps, and a driver that runs its jobs."""

import struct
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flexvault.adapters.memory.build import MemoryPorts, memory_ports
from flexvault.adapters.memory.clock import SimulatedClock
from flexvault.adapters.memory.ltr import LtrScript
from flexvault.domain.instance import Instance
from flexvault.domain.open_job import JobRecord, OpenJob
from flexvault.domain.vault_settings import Immutability, SoftDelete
from flexvault.messages import StepAnswer, StepRequest
from flexvault.ports import Server
from flexvault.services import catalog
from flexvault.services.believed_settings import read_believed_settings
from flexvault.services.effects import run
from flexvault.services.journal import Draft, append
from flexvault.services.policies import put_policy
from flexvault.services.protection import ProtectionRequest, request_protection
from flexvault.services.retention_plan import store_plan
from flexvault.services.vault import Vault
from flexvault.settings import Settings

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
VAULT_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-flexvault/providers/Microsoft.DataProtection/backupVaults/flexvault"
SERVER_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-orders/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg-orders"
INSTANCE_ID = f"{VAULT_ID}/backupInstances/pg-orders"
ACTOR = {"oid": "oid-contributor", "name": "Connie", "correlation_id": "c-1"}
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def settings(**changes: Any) -> Settings:
    """Production's patience, made-up places."""
    base = Settings(
        vault_resource_id=VAULT_ID,
        location="eastus",
        vault_blob_endpoint="https://vault.example",
        landing_blob_endpoint="https://landing.example",
        table_endpoint="https://tables.example",
        arm_endpoint="https://arm.example",
        control_client_id="control",
        writer_client_id="writer",
        retention_client_id="retention",
        token_audiences=("api://flexvault",),
        token_issuers=("https://issuer.example",),
        openid_configuration_url="https://issuer.example/.well-known/openid-configuration",
        restore_targets=("https://restore.example",),
    )
    return replace(base, **changes)


def policy_properties(
    interval: str = "R/2026-01-05T02:00:00+00:00/P1D", keep_for: str = "P1M", zone: str = "UTC"
) -> dict[str, Any]:
    """A policy as the CLI's template has it."""
    store = {"dataStoreType": "VaultStore", "objectType": "DataStoreInfoBase"}
    tag = {"isDefault": True, "taggingPriority": 99, "tagInfo": {"id": "Default_", "tagName": "Default"}}
    schedule = {"timeZone": zone, "repeatingTimeIntervals": [interval]}
    return {
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.DBforPostgreSQL/flexibleServers"],
        "policyRules": [
            {
                "name": "BackupDaily",
                "objectType": "AzureBackupRule",
                "backupParameters": {"backupType": "Full", "objectType": "AzureBackupParams"},
                "dataStore": store,
                "trigger": {
                    "objectType": "ScheduleBasedTriggerContext",
                    "schedule": schedule,
                    "taggingCriteria": [tag],
                },
            },
            {
                "name": "Default",
                "objectType": "AzureRetentionRule",
                "isDefault": True,
                "lifecycles": [
                    {
                        "deleteAfter": {"duration": keep_for, "objectType": "AbsoluteDeleteOption"},
                        "sourceDataStore": store,
                        "targetDataStoreCopySettings": [],
                    }
                ],
            },
        ],
    }


def add_tag(properties: dict[str, Any], name: str, priority: int, keep_for: str, **criterion: Any) -> dict[str, Any]:
    """The same policy with one more tag, of one criterion, and its retention rule; without a criterion only the rule."""
    added = deepcopy(properties)
    backup, *_ = added["policyRules"]
    if criterion:
        backup["trigger"]["taggingCriteria"].append(
            {
                "isDefault": False,
                "taggingPriority": priority,
                "tagInfo": {"tagName": name},
                "criteria": [{"objectType": "ScheduleBasedBackupCriteria", **criterion}],
            }
        )
    lifecycle = deepcopy(added["policyRules"][1]["lifecycles"][0])
    lifecycle["deleteAfter"]["duration"] = keep_for
    added["policyRules"].append(
        {"name": name, "objectType": "AzureRetentionRule", "isDefault": False, "lifecycles": [lifecycle]}
    )
    return added


def tiny_archive(database: str = "orders", rows: bytes = b"1\tone\n2\ttwo\n", tables: Sequence[str] = ()) -> bytes:
    """A custom-format archive of version 1.14 with one table that has rows, as pg_dump 15 writes it into a pipe."""

    def integer(value: int) -> bytes:
        return struct.pack("<Bi", value < 0, abs(value))

    def text(value: str | None) -> bytes:
        if value is None:
            return integer(-1)
        data = value.encode()
        return integer(len(data)) + data

    def entry(number: int, tag: str, desc: str, definition: str, copy: str | None, *, has_data: bool) -> bytes:
        section = 3 if has_data else 2
        fields = [text(tag), text(desc), integer(section), text(definition), text(""), text(copy)]
        place = [text("public" if has_data or desc == "TABLE" else ""), text(""), text("heap"), text("app")]
        state = struct.pack("<BQ", 1 if has_data else 3, 0)
        head = integer(number) + integer(int(has_data)) + text("0") + text(str(number))
        return head + b"".join(fields) + b"".join(place) + text("false") + text(None) + state

    entries = [
        entry(1, "ENCODING", "ENCODING", "SET client_encoding = 'UTF8';\n", None, has_data=False),
        entry(
            2,
            database,
            "DATABASE",
            f"CREATE DATABASE \"{database}\" WITH TEMPLATE = template0 ENCODING = 'UTF8';\n",
            None,
            has_data=False,
        ),
        entry(3, "item", "TABLE", "CREATE TABLE public.item (id integer, name text);\n", None, has_data=False),
        entry(4, "item", "TABLE DATA", "", "COPY public.item (id, name) FROM stdin;\n", has_data=True),
    ]
    entries += [
        entry(10 + number, table, "TABLE", f"CREATE TABLE public.{table} (id integer);\n", None, has_data=False)
        for number, table in enumerate(tables)
    ]
    header = b"PGDMP" + bytes([1, 14, 0, 4, 8, 1]) + integer(-1)
    header += b"".join(integer(value) for value in (0, 0, 2, 5, 0, 126, 0))
    header += text(database) + text("15.4") + text("15.4") + integer(len(entries))
    packed = zlib.compress(rows + b"\\.\n\n\n")
    block = b"\x01" + integer(4) + integer(len(packed)) + packed + integer(0)
    return header + b"".join(entries) + block


ROLES = b"CREATE ROLE app;\nALTER ROLE app WITH NOSUPERUSER INHERIT LOGIN;\n"


def backup_files(**databases: bytes) -> dict[str, bytes]:
    """What the server lands, by the end of each name."""
    files = {f"_database_{name}.sql": data for name, data in (databases or {"orders": tiny_archive()}).items()}
    return {**files, "_roles.sql": ROLES, "_tablespace.sql": b"-- none\n", "_schema.sql": b"-- schema\n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A vault with its memory surroundings."""

    vault: Vault
    memory: MemoryPorts

    @property
    def clock(self) -> SimulatedClock:
        """The simulated clock."""
        return self.memory.clock

    def open_jobs(self) -> list[OpenJob]:
        """Every open row."""
        return list(catalog.list_open_jobs(self.vault.ports))

    def jobs(self) -> list[JobRecord]:
        """Every job, newest first."""
        return list(catalog.list_jobs(self.vault.ports))

    def instance(self) -> Instance:
        """The one protected instance."""
        return catalog.get_instance(self.vault.ports, INSTANCE_ID)


def request_of(opened: OpenJob) -> StepRequest:
    """What an orchestration of the present generation would send."""
    return StepRequest(open_key=opened.key, job_id=opened.job_id, generation=opened.generation, step=opened.step)


def run_one(world: World, opened: OpenJob) -> StepAnswer:
    """Run the present step of a job once."""
    return run(world.vault, request_of(opened))


def let_pass(world: World, duration: timedelta, every: timedelta = timedelta(days=1)) -> None:
    """Let time pass with a plan now and then, none of which is executed: a vault that stores none has slept."""
    end = world.clock.storage_now() + duration
    while world.clock.storage_now() < end:
        store_plan(world.vault, world.clock.storage_now())
        world.clock.advance_to(min(end, world.clock.storage_now() + every))


def run_jobs(world: World, *, limit: int = 200) -> None:
    """Run every open job to its end, as the orchestrator's loop would, on the simulated clock."""
    for opened in world.open_jobs():
        world.clock.advance_to(opened.not_before)
        request = request_of(opened)
        for _ in range(limit):
            answer = run(world.vault, request)
            if answer.next is None:
                break
            world.clock.advance(timedelta(seconds=answer.wait_seconds))
            request = replace(request, step=answer.next)
        else:
            message = f"job {opened.job_id} did not end: step {request.step}"
            raise AssertionError(message)


def at_once(work: Callable[[], None]) -> bool:
    """Do in the request what the app does behind it."""
    work()
    return True


def world(
    *,
    immutability: Immutability = Immutability.UNLOCKED,
    soft_delete: SoftDelete = SoftDelete.ON,
    **changes: Any,
) -> World:
    """An empty vault beside one healthy server."""
    memory = memory_ports(SimulatedClock(MONDAY))
    memory.servers.put(
        Server(
            id=SERVER_ID,
            name="pg-orders",
            location="eastus",
            state="Ready",
            version="15",
            storage_size_gib=128,
            created_at=datetime(2025, 1, 1, tzinfo=UTC),
        )
    )
    memory.ltr.script = LtrScript(files=backup_files())
    built = World(vault=Vault(ports=memory.ports, settings=settings(**changes)), memory=memory)
    if immutability is not Immutability.UNLOCKED:
        set_immutability(built, immutability)
    if soft_delete is not SoftDelete.ON:
        set_soft_delete(built, soft_delete)
    return built


def set_immutability(world: World, immutability: Immutability) -> None:
    """Put the vault into a state of immutability, whatever it is in and without a second person."""
    _put_settings(world, f"test {immutability}", immutability=immutability)


def set_soft_delete(world: World, soft_delete: SoftDelete, days: int = 14) -> None:
    """Put the vault into a state of soft delete, whatever it is in and without a second person."""
    _put_settings(world, f"test {soft_delete} {days}", soft_delete=soft_delete, soft_delete_days=days)


def _put_settings(world: World, key: str, **changes: Any) -> None:
    before = read_believed_settings(world.vault.ports)
    settings = replace(before, **changes)
    body = {"settings": settings.to_json(), "before": {}}
    key = f"{key} {before.journal_seq}"
    append(world.vault.ports, Draft(stream="vault", type="VaultChanged", key=key, body=body))


def add_server(world: World, name: str) -> str:
    """Put another healthy server beside the first one; answers its id."""
    server = replace(world.memory.servers.get(SERVER_ID), id=f"{SERVER_ID}-{name}", name=f"pg-orders-{name}")
    world.memory.servers.put(server)
    return server.id


def protect(
    world: World,
    *,
    request_key: str = "protect-1",
    policy: str = "daily",
    instance_id: str = INSTANCE_ID,
    server_id: str = SERVER_ID,
) -> None:
    """Create a policy and put the server under it, up to ProtectionConfigured."""
    if catalog.find_policy(world.vault.ports, policy) is None:
        put_policy(world.vault, policy, policy_properties(), ACTOR)
    request = ProtectionRequest(
        instance_id=instance_id,
        name=instance_id.rpartition("/")[2],
        server_id=server_id,
        policy_name=policy,
        properties={"friendlyName": "pg-orders"},
    )
    request_protection(world.vault, request, ACTOR, request_key)
    run_jobs(world)
