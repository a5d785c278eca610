"""A real backup is verified deeply over HTTP: every table counted, the result beside the manifest, and believed."""

from typing import Any

from tests.e2e.accounts import Accounts
from tests.e2e.user import User


def test_a_recovery_point_is_verified_deeply(user: User, protected: str, accounts: Accounts) -> None:
    point: dict[str, Any] = user.new_point(protected)
    job = user.good_end_of(user.verify_deeply(protected, point))

    assert (job["operation"], job["status"]) == ("DeepVerification", "Completed")
    found = user.get(f"{user.own_point(protected, point)}/verification")
    assert (found["verdict"], found["findings"]) == ("Intact", [])
    archives = [file for file in found["files"] if file["database"]]
    assert {file["database"] for file in archives} >= {"orders"}
    assert sum(file["rows"] for file in archives) > 0
    assert sum(file["tablesNotCounted"] for file in archives) == 0
    assert all(file["sha256"] for file in found["files"])
    beside = [name.partition(".")[2] for name in accounts.names("vault", "manifests") if point["name"] in name]
    assert {"json", "verification-1.json"} < set(beside)
    assert sum("index" in name for name in beside) == len(archives)
    proven = user.send("POST", "/vault/verify", {}).json()
    assert proven["verdict"] == "Intact"
