from pathlib import Path

import pytest

from tests.api.doors import Door
from tests.cli.apply.folders import Folder
from tests.cli.real_vault import RealVault

type Captured = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def vault() -> RealVault:
    return RealVault(Door())


@pytest.fixture
def applied(vault: RealVault, folder: Folder, capsys: Captured) -> RealVault:
    """A vault that has what the folder says."""
    assert vault.run("apply", str(folder)) == 0
    vault.sent.clear()
    capsys.readouterr()
    return vault
