"""The kit is one program that Python's standard library alone runs, packed from this vault's own modules."""

import ast
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from flexvault.kit.facts import KitFacts, KitFile
from flexvault.services.rebuild_kit import build_kit, packed_sources

FACTS = KitFacts(
    file_prefix="p",
    server_name="pg-orders",
    server_id="/subscriptions/1/servers/pg-orders",
    server_version="17.4",
    recovery_point_id="0123",
    recovery_point_time="2026-11-25T17:00:00+00:00",
    manifest_hash="b" * 64,
    files=(
        KitFile(name="p_database_a`b.sql", kind="database", size_bytes=7, database="a`b\nc"),
        KitFile(name="p_roles.sql", kind="roles", size_bytes=9),
    ),
    left_out=("elsewhere",),
)


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    folder = tmp_path / "p_rebuild"
    folder.mkdir()
    for name, content in build_kit(FACTS).items():
        (folder / name).write_bytes(content)
    return folder / "rebuild.pyz"


def run(kit: Path, *words: str) -> subprocess.CompletedProcess[str]:
    empty = kit.parent / "empty"
    empty.mkdir(exist_ok=True)
    command = [sys.executable, "-I", "-S", "-W", "error", str(kit), *words]
    return subprocess.run(command, cwd=empty, env={"PATH": ""}, capture_output=True, text=True, check=False)


def imported_packages(source: bytes) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_the_same_facts_give_the_same_bytes():
    assert build_kit(FACTS) == build_kit(FACTS)
    assert set(build_kit(FACTS)) == {"rebuild.pyz", "README.md"}


def test_nothing_but_the_standard_library_and_the_domain_is_packed():
    sources = packed_sources()
    assert {path.split("/")[1] for path in sources} == {"__init__.py", "kit", "domain"}
    packages = set[str]().union(*(imported_packages(source) for source in sources.values()))
    assert packages - {"flexvault"} <= sys.stdlib_module_names
    assert "flexvault/domain/dump_walk.py" in sources
    assert "flexvault/domain/retention.py" not in sources


@pytest.mark.parametrize("path", sorted(packed_sources()))
def test_what_is_packed_is_python_3_12(path: str):
    ast.parse(packed_sources()[path], feature_version=(3, 12))


def test_every_packed_import_of_this_package_is_packed():
    sources = packed_sources()
    for path, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flexvault"):
                module = str(node.module).replace(".", "/")
                assert {f"{module}.py", f"{module}/__init__.py"} & set(sources), (path, node.module)


def test_an_older_python_can_read_what_it_is_to_say():
    with zipfile.ZipFile(BytesIO(build_kit(FACTS)["rebuild.pyz"])) as archive:
        assert archive.namelist()[:2] == ["__main__.py", "kit.json"]
        start = archive.read("__main__.py").decode()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    tree = ast.parse(start, feature_version=(3, 0))
    guard = next(node for node in tree.body if isinstance(node, ast.If))
    first_import = next(at for at, node in enumerate(tree.body) if isinstance(node, ast.ImportFrom))
    assert tree.body.index(guard) < first_import
    code = compile(start, "__main__.py", "exec")
    said: list[str] = []

    class OldSys:
        version_info = (3, 8, 1)
        stderr = type("Stream", (), {"write": staticmethod(said.append)})

        argv = ("rebuild.pyz",)

        @staticmethod
        def exit(status: int) -> None:
            raise SystemExit(status)

    names = {"__builtins__": {"__import__": lambda name, *_: OldSys if name == "sys" else pytest.fail(name)}}
    with pytest.raises(SystemExit) as stopped:
        exec(code, names)
    assert stopped.value.code == 2
    assert said[0].startswith("rebuild.pyz needs Python 3.12 or newer; this is Python 3.8.")
    assert "python3.12 rebuild.pyz ..." in said[0]


def test_it_runs_from_an_empty_folder_without_site_packages(kit: Path):
    shown = run(kit, "show")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "server pg-orders, PostgreSQL 17.4" in shown.stdout
    assert "file p_database_a`b.sql: database, 7 bytes, missing" in shown.stdout
    assert "database elsewhere: its file is not in this restore" in shown.stdout


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ((), 2, "the following arguments are required: COMMAND"),
        (("mend",), 2, "invalid choice: 'mend'"),
        (("restore", "--jobs", "0"), 2, "a number from 1 to 64"),
        (("check",), 1, "holds none of the files of this restore, such as p_database_a`b.sql"),
        (("--help",), 0, "check, then rebuild roles and databases"),
        (("show", "--known-errors"), 0, "permission denied to create event trigger"),
    ],
)
def test_it_says_what_is_wrong_and_by_its_status(kit: Path, words: tuple[str, ...], status: int, text: str):
    done = run(kit, *words)
    assert done.returncode == status
    assert text in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_missing_client_is_said_and_so_are_missing_files(kit: Path):
    (kit.parent.parent / "p_database_a`b.sql").write_bytes(b"PGDMP\0\1")
    done = run(kit, "check")
    assert done.returncode == 1
    assert "in the way: psql is not on the PATH; hint: install the PostgreSQL client" in done.stdout
    assert "p_database_a`b.sql is no" in done.stdout
    assert "file is missing: " in done.stdout
    assert done.stdout.splitlines()[-1] == "check: not ready, nothing was changed"


def test_the_page_names_every_file_and_every_known_error():
    page = build_kit(FACTS)["README.md"].decode()
    assert "- `` p_database_a`b.sql ``: database `` a`b c ``, 7 bytes" in page
    assert "- database `elsewhere`: **not in this restore**" in page
    assert "python3 rebuild.pyz restore" in page
    assert "only a superuser creates event triggers" in page
