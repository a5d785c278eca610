"""After whole runs, good and bad ones, no signature is found anywhere: not in hub, tables, blobs, logs, or any file."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_cloud.launch import LaunchedCloud, VaultHost
from tests.e2e.accounts import Accounts
from tests.e2e.owner import Faults, Owner
from tests.e2e.user import User
from tests.e2e.waiting import wait_for

# As a URL holds it, and as JSON, form encoding and a URL within a URL write it. A real one has 43 characters and more;
# so many are asked for because a dump's compressed bytes hold anything that is short.
SIGNATURE = re.compile(rb"(?i)sig(?:=|%3d|%253d|\\u003d)[a-z0-9%+/_-]{16}")
PLANTED = "PLANTEDsignatureThatMustNotBeKept"
SAS = f"https://landing.example/c0?sp=racwl&se=2030-01-01T00:00:00Z&sig={PLANTED}%3D"


@pytest.fixture(scope="module")
def runs(user: User, protected: str) -> list[str]:
    """The jobs of a good backup and a good restore: every SAS that the vault mints was used."""
    backup = user.back_up(protected)
    user.good_end_of(backup)
    restore = user.restore(protected, user.point_of(protected, backup), "quiet")
    user.good_end_of(restore)
    return [backup, restore]


@pytest.fixture(scope="module")
def failed_runs(runs: list[str], user: User, protected: str, owner: Owner, vault: VaultHost) -> list[dict[str, Any]]:
    """The jobs in which Azure's SDK raised errors that carried a SAS, inside the activities."""
    faults = Faults(owner)  # each is used up by one request
    subscription = vault.place.subscription_id
    text = f"The container {SAS} cannot be written to."
    # May pass, and no SDK repeats it by itself: it leaves the activity, and the task hub keeps its text.
    faults.order(
        "error-before", f"{subscription}.*/ltrPreBackup", status=503, headers={"Retry-After": "1"}, message=text
    )
    faults.order("error-before", f"{subscription}.*/startLtrBackup", status=400, code="InvalidParameter", message=text)
    refused = user.end_of(user.back_up(protected))
    faults.order("error-before", f"{subscription}.*/ltrPreBackup", status=400, code="InvalidParameter", message=text)
    unprepared = user.end_of(user.back_up(protected))
    return [refused, unprepared]


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def find_in_files(folder: Path, pattern: re.Pattern[bytes]) -> list[str]:
    found = ((path, pattern.search(path.read_bytes())) for path in files_below(folder))
    return [f"{path.relative_to(folder)} at {match.start()}" for path, match in found if match]


def find_in_tables(accounts: Accounts, pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{table}/{row['RowKey']}"
        for table in accounts.tables()
        for row in accounts.rows(table)
        if pattern.search(repr(dict(row)).encode())
    ]


def find_in_blobs(accounts: Accounts, pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{container}/{name}"
        for container in ("journal", "manifests", "plans")
        for name in accounts.names("vault", container)
        if pattern.search(accounts.read("vault", container, name))
    ]


def test_the_failures_were_told_without_the_signature(failed_runs: list[dict[str, Any]]) -> None:
    for job in failed_runs:
        (error,) = job["errorDetails"]
        assert job["status"] == "Failed"
        assert "cannot be written to" in error["message"], "it is the planted error"
        assert "[redacted]" in error["message"]
        assert PLANTED not in str(job)


def test_no_signature_is_kept_anywhere(
    failed_runs: list[dict[str, Any]], runs: list[str], cloud: LaunchedCloud, vault: VaultHost, accounts: Accounts
) -> None:
    last = re.compile(runs[-1].encode())
    wait_for(lambda: find_in_files(cloud.folder / "azurite", last) or None, "Azurite's own files, which it saves later")
    assert find_in_tables(accounts, SIGNATURE) == []
    assert find_in_blobs(accounts, SIGNATURE) == []
    assert find_in_files(vault.folder, SIGNATURE) == [], "task hub, host's log"
    assert find_in_files(cloud.folder, SIGNATURE) == [], "everything else of the cloud"


def test_the_search_finds_what_is_there(
    failed_runs: list[dict[str, Any]], runs: list[str], vault: VaultHost, accounts: Accounts
) -> None:
    job = re.compile(runs[0].encode())
    assert find_in_tables(accounts, job)
    assert find_in_blobs(accounts, job)
    assert any("host/" in found for found in find_in_files(vault.folder, job)), "the task hub is plain bytes"
    redacted = re.compile(re.escape(b"[redacted]"))
    assert any("host/" in found for found in find_in_files(vault.folder, redacted)), "the planted text got that far"
    assert SIGNATURE.search(SAS.encode())
