"""The kit holds what a rebuild needs, exactly quoted, and says in plain words what is missing."""

import json
from dataclasses import replace

import pytest

from flexvault.domain.dump_archive import Archive, read_archive
from flexvault.domain.errors import IntegrityError
from flexvault.domain.rebuild_kit import KitDatabase, KitFacts, KitFile, build_kit, major_of
from tests.unit.archive_writer import Block, Item, Recipe

HOSTILE = "-x'y\"$(id)`\\\nz"
ROLES = """CREATE ROLE app;
ALTER ROLE app WITH NOSUPERUSER LOGIN BYPASSRLS PASSWORD 'SCRAM-SHA-256$1:a$b:c';
CREATE ROLE azuresu;
GRANT azure_pg_admin TO app;
"""


def archive_of(name: str, *items: Item) -> Archive:
    content = Recipe(database=name, items=items).build()
    return read_archive(lambda offset, length: content[offset : offset + length], len(content))


def database_item(name: str, owner: str = "app") -> Item:
    quoted = '"' + name.replace('"', '""') + '"'
    options = "TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C' TABLESPACE = fast"
    return Item(desc="DATABASE", tag=name, owner=owner, definition=f"CREATE DATABASE {quoted} WITH {options};\n")


def database(name: str, *items: Item, file: str | None = None) -> KitDatabase:
    archive = archive_of(name, database_item(name), *items)
    return KitDatabase(
        file=KitFile(name=file or f"p_database_{name}.sql", size_bytes=archive.size_bytes), archive=archive
    )


def facts(
    *databases: KitDatabase, roles: str | None = ROLES, version: str = "17.4", with_passwords: bool = False
) -> KitFacts:
    return KitFacts(
        file_prefix="p",
        databases=databases,
        roles_file=KitFile(name="p_roles.sql", size_bytes=9, sha256="a" * 64) if roles is not None else None,
        roles_script=roles,
        other_files=(KitFile(name="p_schema.sql", size_bytes=5),),
        server_name="pg-orders",
        server_id="/subscriptions/1/servers/pg-orders",
        server_version=version,
        recovery_point_id="0123",
        recovery_point_time="2026-11-25T17:00:00Z",
        manifest_sha256="b" * 64,
        with_passwords=with_passwords,
    )


def kit_of(*databases: KitDatabase, **changes: object) -> dict[str, str]:
    kit = build_kit(facts(*databases, **changes))  # pyright: ignore[reportArgumentType] - keyword arguments of facts
    return {name: content.decode("utf-8", "surrogateescape") for name, content in kit.items()}


def test_a_kit_has_these_files() -> None:
    databases = {f"databases/01.{end}" for end in ("create.sql", "after.sql", "list", "managed.list")}
    databases |= {f"databases/01.managed.{end}" for end in ("schemas.list", "lend.sql", "return.sql", "rights.list")}
    assert set(kit_of(database("shop"))) == databases | {
        "README.md", "rebuild.sh", "kit.json", "checks.sql", "roles.sql", "roles-superuser.sql", "roles-report.txt"
    }  # fmt: skip


def test_an_older_source_brings_what_older_targets_need() -> None:
    kit = kit_of(database("shop", Item(desc="TABLE", tag="t", namespace="public", owner="app")), version="15.7")
    assert "BYPASSRLS" not in kit["roles-15-and-older.sql"]
    assert 'ALTER ROLE "app" WITH LOGIN BYPASSRLS;' in kit["roles.sql"]
    assert 'GRANT "app" TO CURRENT_USER;' in kit["owners-borrow.sql"]
    assert 'REVOKE "app" FROM CURRENT_USER;' in kit["owners-return.sql"]


def test_a_database_is_created_exactly_and_only_with_what_the_target_knows() -> None:
    assert kit_of(database("Shop"))["databases/01.create.sql"] == (
        "CREATE DATABASE \"Shop\" WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C';\n"
        'ALTER DATABASE "Shop" OWNER TO "app";\n'
    )


def test_a_database_of_the_service_stays_with_the_administrator() -> None:
    archive = archive_of("shop", database_item("shop", owner="azuresu"))
    kit = kit_of(KitDatabase(file=KitFile(name="p_database_shop.sql", size_bytes=1), archive=archive))
    assert "OWNER" not in kit["databases/01.create.sql"]


def test_names_are_quoted_for_shell_connection_and_sql() -> None:
    kit = kit_of(database(HOSTILE, file="p_database_$(x)'.sql"))
    quoted = "'-x'\"'\"'y\"$(id)`\\\nz'"
    connection = "'dbname='\"'\"'-x\\'\"'\"'y\"$(id)`\\\\\nz'\"'\"''"
    assert f"restore_database 01 {connection} {quoted} 'p_database_$(x)'\"'\"'.sql'\n" in kit["rebuild.sh"]
    assert 'CREATE DATABASE "-x\'y""$(id)`\\\nz" WITH' in kit["databases/01.create.sql"]
    assert "datname IN ('-x''y\"$(id)`\\\nz')" in kit["checks.sql"]


def test_a_hostile_server_name_stays_inside_a_comment() -> None:
    script = build_kit(replace(facts(database("shop")), server_name="x\nrm -rf /"))["rebuild.sh"].decode()
    assert [line for line in script.splitlines() if "rm -rf" in line] == [script.splitlines()[1]]
    assert script.splitlines()[1].startswith("# ")


def test_databases_of_the_service_are_named_but_not_restored() -> None:
    kit = kit_of(database("postgres"), database("azure_sys"), database("shop"))
    assert kit["rebuild.sh"].count("\nrestore_database ") == 1
    assert "`azure_sys`, `postgres`" in kit["README.md"]
    assert json.loads(kit["kit.json"])["skippedDatabases"] == ["postgres", "azure_sys"]


def test_two_files_of_one_database_are_refused() -> None:
    with pytest.raises(IntegrityError, match=r"a\.sql and b\.sql both hold database shop"):
        build_kit(facts(database("shop", file="a.sql"), database("shop", file="b.sql")))


LEFT_OUT = {
    "subscription": (Item(desc="SUBSCRIPTION", tag="s", owner="app", definition="CREATE SUBSCRIPTION s CONNECTION 'password=secret'"), True),
    "security_label": (Item(desc="SECURITY LABEL", tag="TABLE t", namespace="public"), True),
    "system_right": (Item(desc="ACL", tag="FUNCTION f()", namespace="pg_catalog"), False),
    "default_right_of_the_service": (Item(desc="DEFAULT ACL", tag="DEFAULT PRIVILEGES FOR TABLES", owner="azuresu"), False),
    "publication_of_all_tables": (Item(desc="PUBLICATION", tag="p", definition="CREATE PUBLICATION p FOR ALL TABLES"), False),
}  # fmt: skip


@pytest.mark.parametrize(("item", "always"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_is_left_out_stands_as_a_comment_and_in_the_readme(item: Item, *, always: bool) -> None:
    kit = kit_of(database("shop", item))
    (line,) = [line for line in kit["databases/01.managed.list"].splitlines() if item.desc in line]
    assert line.startswith("; left out, ")
    assert ("; left out" in kit["databases/01.list"]) == always
    assert item.desc.lower() in kit["README.md"]
    assert ("only on a server without superuser)" in kit["README.md"]) == (not always)
    (left_out,) = json.loads(kit["kit.json"])["databases"][0]["leftOut"]
    assert (left_out["kind"], left_out["always"]) == (item.desc, always)
    assert not [name for name, text in kit.items() if "password=secret" in text]


def test_a_list_names_every_other_entry_in_the_order_of_the_dump() -> None:
    table = Item(desc="TABLE", tag="two\nlines; x", namespace="public", owner="app")
    data = Item(desc="TABLE DATA", tag="t", namespace="public", owner="app", section=3, block=Block(chunks=(b"1\n",)))
    kit = kit_of(database("shop", Item(desc="ENCODING"), table, data))
    assert kit["databases/01.list"] == '3; TABLE public."two lines; x" app\n4; TABLE DATA public.t app\n'


def test_an_owner_may_create_in_a_foreign_schema_only_while_objects_are_made() -> None:
    schema = Item(desc="SCHEMA", tag="sales", owner="boss")
    own = Item(desc="TABLE", tag="a", namespace="sales", owner="boss")
    foreign = Item(desc="TABLE", tag="b", namespace="sales", owner="app")
    rights = Item(desc="ACL", tag="SCHEMA sales", owner="boss")
    kit = kit_of(database("shop", schema, own, foreign, rights))
    assert kit["databases/01.managed.lend.sql"] == 'GRANT CREATE ON SCHEMA "sales" TO "app";\n'
    assert kit["databases/01.managed.return.sql"] == 'REVOKE CREATE ON SCHEMA "sales" FROM "app";\n'
    assert kit["databases/01.managed.schemas.list"] == "2; SCHEMA sales boss\n"
    assert kit["databases/01.managed.rights.list"] == "5; ACL SCHEMA sales boss\n"
    assert "SCHEMA sales" not in kit["databases/01.managed.list"]


def test_settings_and_grants_of_the_database_come_after_its_data() -> None:
    properties = Item(desc="DATABASE PROPERTIES", tag="shop", definition="ALTER DATABASE shop CONNECTION LIMIT = 5;\n")
    comment = Item(desc="COMMENT", tag="DATABASE shop", definition="COMMENT ON DATABASE shop IS 'x';\n")
    kit = kit_of(database("shop", properties, comment))
    expected = "ALTER DATABASE shop CONNECTION LIMIT = 5;\nCOMMENT ON DATABASE shop IS 'x';\n"
    assert kit["databases/01.after.sql"] == expected
    assert kit["databases/01.list"] == ""


@pytest.mark.parametrize("with_passwords", [False, True])
def test_passwords_are_in_the_kit_only_when_asked_for(*, with_passwords: bool) -> None:
    kit = kit_of(database("shop"), with_passwords=with_passwords)
    holders = {name for name, text in kit.items() if "SCRAM" in text}
    assert holders == ({"roles.sql", "roles-superuser.sql"} if with_passwords else set())
    assert ("Set new ones" in kit["README.md"]) != with_passwords


def test_the_report_names_what_waits_for_a_person() -> None:
    report = kit_of(database("shop"))["roles-report.txt"]
    assert "ask      app: an administrator's right" in report
    assert 'GRANT "azure_pg_admin" TO "app";' in report
    assert "skip     azuresu: the target has this role of its own" in report


def test_without_a_roles_file_the_kit_says_so() -> None:
    kit = kit_of(database("shop"), roles=None)
    assert "roles.sql" not in kit
    assert "create_roles\n" not in kit["rebuild.sh"].split("\ncheck_server")[1]
    assert "holds no roles file" in kit["README.md"]
    assert kit["roles-report.txt"] == "The backup holds no roles file.\n"


def test_the_newest_dump_decides_what_server_is_new_enough() -> None:
    assert "\ncheck_server 18\n" in kit_of(database("shop"), version="15.2")["rebuild.sh"]  # pg_dump was 18.4


def test_kit_json_tells_programs_the_same() -> None:
    content = json.loads(kit_of(database("shop"))["kit.json"])
    assert content["kitVersion"] == 1
    assert [file["name"] for file in content["files"]] == ["p_database_shop.sql", "p_roles.sql", "p_schema.sql"]
    assert content["databases"][0]["database"] == "shop"
    assert {"role": "app", "verdict": "ask", "reason": "an administrator's right"} in content["roles"]["roles.sql"]


def test_names_without_an_encoding_survive_in_the_scripts() -> None:
    kit = build_kit(facts(database("caf\udce9", file="p_database_caf.sql")))
    assert b'CREATE DATABASE "caf\xe9"' in kit["databases/01.create.sql"]
    assert "caf\\xe9" in json.loads(kit["kit.json"])["databases"][0]["database"]


VERSIONS = {"plain": ("16.4", 16), "debian": ("15.18 (Debian 15.18-0+deb12u1)", 15), "beta": ("19beta1", 19)}


@pytest.mark.parametrize(("text", "major"), VERSIONS.values(), ids=VERSIONS)
def test_a_version_has_its_major_number(text: str, major: int) -> None:
    assert major_of(text) == major


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(IntegrityError, match="no version"):
        major_of("unknown")
