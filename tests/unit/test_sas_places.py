"""Where shared access signatures may be made: for writes on the landing account alone."""

import ast
import inspect
from pathlib import Path

import flexvault
from flexvault import ports

PACKAGE = Path(flexvault.__file__).parent
SIGNING = {
    "generate_blob_sas",
    "generate_container_sas",
    "generate_account_sas",
    "BlobSasPermissions",
    "ContainerSasPermissions",
    "get_user_delegation_key",
}


def names_in(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.ImportFrom(names=imported):
                found |= {alias.name for alias in imported}
            case _:
                pass
    return found


def files_with(wanted: set[str]) -> list[str]:
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if names_in(path) & wanted)


def test_signatures_are_made_in_one_module():
    assert files_with(SIGNING) == ["adapters/azure/delegation.py"]


def test_only_the_landing_account_gets_what_can_sign_writes():
    assert files_with({"LandingDelegation"}) == ["adapters/azure/landing.py"]
    assert files_with({"container_urls"}) == ["adapters/azure/landing.py"]


def test_no_port_but_the_landing_accounts_hands_out_a_grant():
    answering = [
        f"{port}.{name}"
        for port, cls in inspect.getmembers(ports, inspect.isclass)
        for name, method in inspect.getmembers(cls, inspect.isfunction)
        if "WriteGrant" in str(inspect.signature(method).return_annotation)
    ]
    assert answering == ["LandingAccount.issue_grant"]
