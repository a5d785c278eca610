"""A server is rebuilt from its dumps by the kit's own commands, and is equal."""

from pathlib import Path

from local_cloud.compare import compare_servers
from local_cloud.rebuild import rebuild
from tests.rebuild.backup import dump_server, kit_facts, write_kit
from tests.rebuild.conftest import Server


def test_a_rebuilt_server_equals_its_source(source: Server, target: Server, tmp_path: Path) -> None:
    dump_server(source, tmp_path, "demo")
    write_kit(tmp_path, "demo", kit_facts(tmp_path, "demo"))
    rebuild(tmp_path, "demo", target.url(), target.bin, on_line=print)
    assert compare_servers(source.url(), target.url()).differences == ()
