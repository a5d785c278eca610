"""Every list is read page by page, by one way: nothing is lost or shown twice, whatever is added meanwhile."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from flexvault.adapters.memory.ltr import LtrScript
from flexvault.adapters.memory.rows import MemoryRows
from flexvault.api.pages import write_token
from flexvault.api.routing import find_operation
from flexvault.api.table import OPERATIONS
from flexvault.domain.rows import Row
from tests import builders
from tests.api.doors import (
    INSTANCE,
    POLICY_ID,
    SUBSCRIPTION_SCOPE,
    VAULT_ID,
    Door,
    Sent,
    backup_body,
    instance_body,
    instance_properties,
    policy_body,
)
from tests.api.test_door import path_of

GROUP_SCOPE = VAULT_ID.rpartition("/backupVaults/")[0]
HOLDS = "/vault/backupInstances/pg-orders/holds"
ANY_POINT = "0" * 32
"""Stands for the newest recovery point, whose id is not known before."""
LISTS = {
    "policies": f"{VAULT_ID}/backupPolicies",
    "instances": f"{VAULT_ID}/backupInstances",
    "points": f"{INSTANCE}/recoveryPoints",
    "jobs": f"{VAULT_ID}/backupJobs",
    "holds": HOLDS,
    "approvals": "/vault/approvals",
    "operations": "/providers/Microsoft.DataProtection/operations",
    "deleted instances": f"{VAULT_ID}/deletedBackupInstances",
    "examined servers": "/vault/doctor",
    "journal entries": "/vault/journal",
    "contents": f"/vault/backupInstances/pg-orders/recoveryPoints/{ANY_POINT}/contents",
}
ONE = {
    "vaults of the subscription": f"{SUBSCRIPTION_SCOPE}/backupVaults",
    "vaults of the group": f"{GROUP_SCOPE}/backupVaults",
}
EMPTY = {
    "guards of the subscription": f"{SUBSCRIPTION_SCOPE}/resourceGuards",
    "guards of the group": f"{GROUP_SCOPE}/resourceGuards",
    "guard proxies": f"{VAULT_ID}/backupResourceGuardProxies",
    "deleted vaults": f"{SUBSCRIPTION_SCOPE}/locations/eastus/deletedVaults",
    "instances of a server": f"{builders.SERVER_ID}x/providers/Microsoft.DataProtection/backupInstances",
}
EVERY = {**LISTS, **ONE, **EMPTY}


class Filled(Door):
    """A door at which a point may be asked for without its id."""

    newest_point = ANY_POINT

    def send(self, method: str, path: str, *args: Any, **kwargs: Any) -> Sent:
        return super().send(method, path.replace(ANY_POINT, self.newest_point), *args, **kwargs)


def filled(page_size: int = 100, backups: int = 5) -> Door:
    """A vault with five of everything that is listed; backups and what comes with them are slower to make."""
    door = Filled(page_size=page_size)
    orders = builders.tiny_archive(tables=["b", "a", "c"])
    files = builders.backup_files(orders=orders, billing=builders.tiny_archive("billing"))
    door.world.memory.ltr.script = LtrScript(files=files)
    door.grant_roles()
    door.protect()
    for number in range(1, 5):
        add_instance(door, f"pg-{number}")
        add_policy(door, f"Weekly-{number}")
    for number in range(4 if not backups else 0):
        add_hold(door, f"Case {number}")
    for number in range(backups):
        door.world.clock.advance(timedelta(hours=1))
        assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
        door.run_jobs()
        add_hold(door, f"case/{number}" if number % 2 else f"Case {number}")
        ask_for_approval(door, number)
    if backups:
        door.newest_point = door.send("GET", f"{INSTANCE}/recoveryPoints").json["value"][0]["name"]
    return door


def add_instance(door: Door, name: str) -> None:
    server_id = builders.add_server(door.world, name)
    door.world.memory.roles.grant(server_id)
    source = instance_properties()["dataSourceInfo"] | {"resourceID": server_id, "resourceName": name}
    body = instance_body(dataSourceInfo=source, friendlyName=name)
    assert door.send("PUT", f"{VAULT_ID}/backupInstances/{name}", body).status == 201
    door.run_jobs()


def soft_delete(door: Door, name: str) -> None:
    path = f"{VAULT_ID}/backupInstances/{name}"
    approval = door.send("DELETE", path).error["target"]
    assert door.send("POST", f"/vault/approvals/{approval}/approve", person="approver", query="").status == 200
    assert door.send("DELETE", path).status == 202


def add_policy(door: Door, name: str) -> None:
    path = f"{VAULT_ID}/backupPolicies/{name}"
    assert door.send("PUT", path, policy_body()).status == 200


def add_hold(door: Door, name: str) -> None:
    placed = door.send("PUT", f"{HOLDS}/{name.replace('/', '-').replace(' ', '%20')}", {"reason": "a case"}, query="")
    assert placed.status == 200, placed.body


def ask_for_approval(door: Door, number: int) -> None:
    body = policy_body(keep_for=f"P{20 - number}D")
    assert door.send("PUT", POLICY_ID, body).status == 403


def each_page(door: Door, path: str, query: str) -> Iterator[list[dict[str, Any]]]:
    url: str | None = f"{path}?{query}" if query else path
    while url:
        answer = door.send("GET", url, person="reader", query="api-version=2026-06-01")
        assert answer.status == 200, answer.body
        yield answer.json["value"]
        url = answer.json.get("nextLink")


def names(elements: list[dict[str, Any]]) -> list[str]:
    """Name each element; an object of a database is told from others by its database and kind, too."""
    told = [next(str(element[key]) for key in _NAMES if element.get(key)) for element in elements]
    within = ["/".join(str(element.get(key, "")) for key in ("database", "kind")) for element in elements]
    return [f"{place}/{name}" for place, name in zip(within, told, strict=True)]


_NAMES = ("name", "seq", "backupInstance", "id")


@pytest.fixture(scope="module")
def door() -> Door:
    door = filled()
    for number in range(5):
        add_instance(door, f"gone-{number}")
        soft_delete(door, f"gone-{number}")
    return door


def test_every_list_of_the_table_is_read_here(door: Door) -> None:
    reads = [one for one in OPERATIONS if one.method == "GET" and one.statuses]
    lists = {one.template for one in reads if "value" in (door.send("GET", path_of(one)).json or {})}
    read_here = {find_operation(OPERATIONS, "GET", path.strip("/").split("/"))[0].template for path in EVERY.values()}
    assert read_here == lists


@pytest.mark.parametrize("path", LISTS.values(), ids=LISTS)
def test_pages_of_any_size_make_the_whole_list(door: Door, path: str) -> None:
    (whole,) = each_page(door, path, "api-version=2026-06-01&$top=1000")
    assert len(whole) >= 5
    assert len(set(names(whole))) == len(whole)
    for size in (1, 2, 3):
        pages = list(each_page(door, path, f"api-version=2026-06-01&$top={size}"))
        assert [element for page in pages for element in page] == whole
        assert {len(page) for page in pages[:-1]} <= {size}, "$top goes on to the next page"


@pytest.mark.parametrize("path", LISTS.values(), ids=LISTS)
def test_a_list_that_just_fills_its_page_has_no_next_one(door: Door, path: str) -> None:
    (whole,) = each_page(door, path, "api-version=2026-06-01&$top=1000")
    (same,) = each_page(door, path, f"api-version=2026-06-01&$top={len(whole)}")
    assert same == whole


@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("top", ["0", "-1", "1001", "x", "1.5", "%C2%B2", "99999999999999999999"])
def test_a_top_that_is_no_size_of_a_page_is_refused(door: Door, path: str, top: str) -> None:
    refused = door.send("GET", path, query=f"api-version=1&$top={top}")
    assert (refused.status, refused.error["target"]) == (400, "$top")


@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("token", ["!!", "AAAA", "_w==", write_token("x\x00"), write_token("../" * 400)])
def test_a_token_of_somebody_elses_making_is_refused_or_shows_no_more_than_the_list(
    door: Door, path: str, token: str
) -> None:
    answer = door.send("GET", path, query=f"api-version=1&$skipToken={token}")
    if answer.status == 200:
        (whole,) = each_page(door, path, "api-version=1&$top=1000")
        assert set(names(answer.json["value"])) <= set(names(whole))
    else:
        assert (answer.status, answer.error["target"]) == (400, "$skipToken")


@pytest.mark.parametrize("path", EVERY.values(), ids=EVERY)
def test_an_empty_filter_and_empty_paging_are_as_if_they_were_not_there(door: Door, path: str) -> None:
    plain = door.send("GET", path, query="api-version=1")
    assert door.send("GET", path, query="$filter=&$top=&$skipToken=&api-version=1").json == plain.json


@pytest.mark.parametrize(
    "path",
    [path for name, path in EVERY.items() if name != "points"],
    ids=[name for name in EVERY if name != "points"],
)
def test_a_filter_that_a_list_does_not_know_is_refused_instead_of_ignored(door: Door, path: str) -> None:
    refused = door.send("GET", path, query="api-version=1&$filter=status%20eq%20'Failed'")
    assert (refused.status, refused.error["target"]) == (400, "$filter")


@pytest.mark.parametrize("path", EMPTY.values(), ids=EMPTY)
def test_a_list_of_nothing_is_an_empty_page(door: Door, path: str) -> None:
    assert door.send("GET", path, person="reader").json == {"value": []}


# What is added between two pages -------------------------------------------------------------------------------------

ADDERS = {
    "policies": add_policy,
    "instances": add_instance,
    "holds": add_hold,
}


@pytest.mark.parametrize("kind", ADDERS)
@pytest.mark.parametrize("name", ["0-first", "Weekly-2b", "zz-last"])
def test_what_is_added_between_pages_neither_hides_nor_repeats_anything(kind: str, name: str) -> None:
    door = filled(page_size=2, backups=0)
    before = names([element for page in each_page(door, LISTS[kind], "api-version=1") for element in page])
    pages = each_page(door, LISTS[kind], "api-version=1")
    found = names(next(pages))
    ADDERS[kind](door, name.replace(" ", "-") if kind == "instances" else name)
    found += [name for page in pages for name in names(page)]
    assert len(set(found)) == len(found)
    assert set(before) <= set(found)


@pytest.mark.parametrize("kind", ["jobs", "points", "approvals"])
def test_what_is_newer_than_the_first_page_is_not_mixed_into_the_next_ones(kind: str) -> None:
    door = filled(page_size=2)
    before = names([element for page in each_page(door, LISTS[kind], "api-version=1") for element in page])
    pages = each_page(door, LISTS[kind], "api-version=1")
    found = names(next(pages))
    door.world.clock.advance(timedelta(hours=1))
    ask_for_approval(door, 9)
    assert door.send("POST", f"{INSTANCE}/backup", backup_body()).status == 202
    door.run_jobs()
    found += [name for page in pages for name in names(page)]
    assert found == before


def test_a_deleted_policy_at_the_end_of_a_page_takes_no_other_with_it() -> None:
    door = filled(page_size=2, backups=0)
    first, *_ = pages = list(each_page(door, LISTS["policies"], "api-version=1"))
    url = door.send("GET", LISTS["policies"]).json["nextLink"]
    assert door.send("DELETE", f"{LISTS['policies']}/{first[-1]['name']}").status == 200
    assert door.send("GET", url).json["value"] == pages[1]


# What a page costs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("top", [None, 7])
def test_a_page_of_jobs_costs_one_query_of_its_own_size_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch, top: int | None
) -> None:
    door = filled(page_size=3)
    asked: list[int | None] = []
    taken: list[str] = []
    query = MemoryRows.query

    def counted(
        rows: MemoryRows, table: str, partition: str, *, start: str, end: str, limit: int | None = None
    ) -> Iterator[Row]:
        asked.append(limit)
        for row in query(rows, table, partition, start=start, end=end, limit=limit):
            taken.append(row.key)
            yield row

    monkeypatch.setattr(MemoryRows, "query", counted)
    size = top or 3
    first = door.send("GET", LISTS["jobs"], query="api-version=1" + (f"&$top={top}" if top else "")).json
    assert len(first["value"]) == size
    assert (asked, len(taken)) == ([size + 1], size + 1)
    asked.clear()
    second = door.send("GET", first["nextLink"]).json
    assert asked == [size + 1]
    assert second == {"value": ANY, **({"nextLink": ANY} if "nextLink" in second else {})}
    assert not set(names(first["value"])) & set(names(second["value"]))
