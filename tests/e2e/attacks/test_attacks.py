"""Every stolen credential tries to read, overwrite, encrypt, shorten and delete every recovery point.

What each one gets is in `outcomes.py`, and that table is in `SECURITY.md`. The tests follow one another on one vault:
first what each thief does to the storage, then what people do through the API, then an app that was taken over and the
janitor's runs after it, and at the end what is still there.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from local_cloud.storage import RESTORE_CONTAINER
from local_cloud.tokens import PEOPLE
from tests.e2e.accounts import Accounts
from tests.e2e.attacks.attempts import Attack, attack, attack_entry
from tests.e2e.attacks.conftest import COMMON, FORGED, KEPT, LOCKED_BILLING, LOCKED_ORDERS
from tests.e2e.attacks.forging import forge_deletion, forge_expiry_in_row, let_the_janitor_run
from tests.e2e.attacks.outcomes import (
    DESTROYERS,
    FRONT,
    JOURNAL,
    LANDING_SAS,
    LOCKED,
    OVER_THE_API,
    SOURCE_SAS,
    THIEVES,
    TWO_THEFTS,
    UNLOCKED,
    VAULT_OWNER,
    Outcome,
)
from tests.e2e.attacks.over_api import Victim, attempt_over_api, hold_path
from tests.e2e.attacks.points import SealedPoint, policies, protect_again, take_up_entry
from tests.e2e.attacks.thieves import LEAKED, Thieves
from tests.e2e.owner import Owner
from tests.e2e.user import User

type Points = Mapping[str, SealedPoint]


def test_the_points_are_protected_as_the_table_says(points: Points, storage_owner: Any) -> None:
    modes = {
        name: {str(policy.policy_mode).lower() for policy in policies(storage_owner, point)}
        for name, point in points.items()
    }
    locked = {LOCKED_ORDERS, LOCKED_BILLING}
    assert modes == {name: {"locked" if name in locked else "unlocked"} for name in points}


@pytest.mark.parametrize("thief", THIEVES)
def test_a_thief_at_an_unlocked_point(thief: str, points: Points, thieves: Thieves, storage_owner: Any) -> None:
    point = points[thief if thief in DESTROYERS else COMMON]
    until = next(policies(storage_owner, point)).expiry_time
    found = attack(thieves, thief, point, storage_owner)
    assert found == list(UNLOCKED[thief])
    assert point.is_intact(storage_owner) is (thief not in DESTROYERS)
    if thief not in DESTROYERS:
        protect_again(storage_owner, point, until)


@pytest.mark.parametrize("thief", THIEVES)
def test_a_thief_at_a_locked_point(thief: str, points: Points, thieves: Thieves, storage_owner: Any) -> None:
    point = points[LOCKED_ORDERS]
    assert attack(thieves, thief, point, storage_owner) == list(LOCKED[thief])
    assert point.is_intact(storage_owner)


def test_a_signature_is_for_one_version_or_for_one_landing_container(
    points: Points, thieves: Thieves, storage_owner: Any
) -> None:
    first, *others = points[COMMON].versions
    services = thieves.services(SOURCE_SAS, first)
    for target in others:
        found = Attack(services=services, owner=storage_owner, target=target).read()
        assert found == Outcome.NOT_SIGNED
    (vault,) = thieves.services(LANDING_SAS, first)
    landing = thieves.landing(thieves.landing_signature())
    landing.get_blob_client(LEAKED, "file").upload_blob(b"what lies there until it is promoted", overwrite=True)
    assert vault.account_name != landing.account_name


@pytest.fixture(scope="module")
def victim(user: User, points: Points) -> Victim:
    point = points[LOCKED_ORDERS]
    held = user.send("PUT", hold_path(point.instance), {"reason": "a case in court"})
    assert held.status_code == 200, held.text
    asked = user.send("DELETE", point.instance).json()["error"]
    return Victim(point=point, server_id=user.servers["pg-orders"], approval_id=asked["target"])


@pytest.mark.parametrize("person", PEOPLE)
def test_a_person_alone_through_the_api(person: str, victim: Victim, vault: VaultHost) -> None:
    with closing(User(vault, person)) as thief:
        found = [attempt_over_api(attempt, thief, person, victim) for attempt in OVER_THE_API]
    assert found == [cells[list(PEOPLE).index(person)] for cells in OVER_THE_API.values()]


def test_a_person_with_every_role_cannot_approve_what_they_asked_for(
    cloud: LaunchedCloud, victim: Victim, user: User
) -> None:
    token = cloud.issuer.for_person("contributor", roles=[role for role, _ in PEOPLE.values()])
    headers = {"Authorization": f"Bearer {token}"}
    answer = user.send("POST", f"/vault/approvals/{victim.approval_id}/approve", {}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorCannotApprove")


def test_a_front_that_is_taken_over_lets_the_janitor_delete_what_storage_does_not_keep(
    *, points: Points, thieves: Thieves, user: User, storage_owner: Any
) -> None:
    doomed, kept, locked = points[FORGED], points[KEPT], points[LOCKED_BILLING]
    control, writer, _ = thieves.services(FRONT, doomed.versions[0])
    forge_expiry_in_row(thieves.tables_of_front(), doomed)
    for version in doomed.versions:
        version.blob(control).delete_immutability_policy()
    let_the_janitor_run(user)
    assert doomed.is_intact(storage_owner), "a forged row is no reason to delete"

    forge_deletion(writer, doomed.key, user.servers["pg-billing"])
    let_the_janitor_run(user)

    assert [version.is_intact(storage_owner) for version in doomed.versions] == [False] * len(doomed.versions)
    assert kept.is_intact(storage_owner), "a policy that still stands keeps the point, Unlocked as it is"
    assert locked.is_intact(storage_owner)


def test_verify_names_what_was_done(points: Points, user: User) -> None:
    answer = user.send("POST", "/vault/verify", {})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["verdict"], found["continueFrom"], found["notChecked"]) == ("Broken", None, [])
    told = {
        name: {finding["code"] for finding in found["findings"] if point.name in finding["subject"]}
        for name, point in points.items()
    }
    written_over = {"LaterVersion", "FileWrittenOver", "NameDeleted"}
    replaced = {"ManifestDiffers", "NameDeleted"}
    assert told == {
        COMMON: written_over - {"NameDeleted"},
        LOCKED_ORDERS: written_over,
        "single": replaced,
        VAULT_OWNER: replaced,
        TWO_THEFTS: {"ManifestMissing"},
        # The janitor was made to delete it: by the journal, all is as two people wanted it.
        FORGED: set[str](),
        KEPT: set[str](),
        LOCKED_BILLING: set[str](),
    }


def test_the_owner_takes_back_what_an_identity_deleted_while_soft_delete_lasts(
    points: Points, storage_owner: Any
) -> None:
    point = points[TWO_THEFTS]
    assert not point.is_intact(storage_owner)
    for version in point.versions:
        version.blob(storage_owner, is_named=False).undelete_blob()
    assert point.is_intact(storage_owner)


def test_every_point_that_may_not_be_lost_is_restored_byte_for_byte(
    *, points: Points, user: User, owner: Owner, accounts: Accounts, storage_owner: Any
) -> None:
    for server in ("pg-orders", "pg-billing"):
        owner.delete(user.servers[server])
    for name in (COMMON, KEPT, LOCKED_ORDERS, LOCKED_BILLING):
        assert points[name].is_intact(storage_owner), name
    for name in (LOCKED_ORDERS, LOCKED_BILLING):
        point = points[name]
        user.good_end_of(user.restore(point.instance, {"name": point.name}, name))
        restored = {
            accounts.read("restore", RESTORE_CONTAINER, path)
            for path in accounts.names("restore", RESTORE_CONTAINER, f"{name}_")
        }
        assert {version.data for version in point.versions[:-1]} <= restored


@pytest.mark.parametrize("thief", JOURNAL)
def test_a_thief_at_a_journal_entry(thief: str, points: Points, thieves: Thieves, storage_owner: Any) -> None:
    entry = take_up_entry(storage_owner, points[LOCKED_ORDERS].key, 1)
    assert attack_entry(thieves, thief, entry, storage_owner) == list(JOURNAL[thief])


def test_what_the_owner_took_out_of_the_journal_is_named_and_keeps_every_point(
    points: Points, user: User, storage_owner: Any
) -> None:
    subject = f"journal/{points[LOCKED_ORDERS].key}/"
    found = user.send("POST", "/vault/verify", {}).json()["findings"]
    # What was written over it is the first version at its name now, and is no entry.
    told = {finding["code"] for finding in found if finding["subject"].startswith(subject)}
    # The day's root may have been written before or after this entry: one that covers it says so, too.
    assert told - {"EntryDiffers"} == {"EntryUnreadable", "LaterVersion", "LinkBroken", "NameDeleted"}
    let_the_janitor_run(user)
    assert all(points[name].is_intact(storage_owner) for name in (COMMON, LOCKED_ORDERS))
