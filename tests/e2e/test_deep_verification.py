"""A real backup is verified deeply over HTTP: every table counted, the result beside the manifest, and believed."""

import json
from typing import Any

import psycopg
from psycopg import sql

from flexvault.domain.row_digest import CopyText
from local_cloud.launch import VaultHost
from tests.e2e.accounts import Accounts
from tests.e2e.conftest import READY_SERVER
from tests.e2e.user import User

LIKE_PG_DUMP = "-c datestyle=ISO -c intervalstyle=postgres -c extra_float_digits=3 -c row_security=off"


def stored_rows(accounts: Accounts, point_name: str) -> dict[tuple[str, str, str], tuple[int, str]]:
    """Rows and digest of every table of the point's first deep verification, by database, schema and name."""
    (path,) = [name for name in accounts.names("vault", "manifests") if f"{point_name}.verification-1.json" in name]
    result = json.loads(accounts.read("vault", "manifests", path))
    return {
        (file["database"], rows["schema"], rows["name"]): (rows["rows"], rows["digest"])
        for file in result["files"]
        for rows in file["rows"]
    }


def living_rows(url: str, database: str, schema: str, table: str) -> tuple[int, str]:
    """The same of a table of the server itself."""
    text = CopyText()
    with psycopg.connect(url, dbname=database, options=LIKE_PG_DUMP) as connection, connection.cursor() as cursor:
        command = sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(schema, table))
        with cursor.copy(command) as copy:
            for piece in copy:
                text.add(bytes(piece))
    text.add(CopyText.MARK)
    assert text.close()
    return text.rows.rows, text.rows.digest


def test_a_recovery_point_is_verified_deeply(user: User, vault: VaultHost, protected: str, accounts: Accounts) -> None:
    point: dict[str, Any] = user.new_point(protected)
    job = user.good_end_of(user.verify_deeply(protected, point))

    assert (job["operation"], job["status"]) == ("DeepVerification", "Completed")
    found = user.get(f"{user.own_point(protected, point)}/verification")
    assert (found["verdict"], found["findings"]) == ("Intact", [])
    archives = [file for file in found["files"] if file["database"]]
    assert sum(file["tablesNotCounted"] for file in archives) == 0
    assert all(file["sha256"] for file in found["files"])
    beside = [name.partition(".")[2] for name in accounts.names("vault", "manifests") if point["name"] in name]
    assert {"json", "verification-1.json"} < set(beside)
    assert sum("index" in name for name in beside) == len(archives)
    proven = user.send("POST", "/vault/verify", {}).json()
    assert proven["verdict"] == "Intact"

    stored = stored_rows(accounts, point["name"])
    assert sum(rows for rows, _ in stored.values()) == sum(file["rows"] for file in archives) > 0
    url = vault.endpoints["servers"][READY_SERVER]["postgres"]
    assert {database for database, _, _ in stored} >= {"orders"}
    assert stored == {place: living_rows(url, *place) for place in stored}
