"""What an app of each role is given to reach Azure with, and what its door says when its settings cannot be used."""

import json
from dataclasses import fields, replace

import azure.functions as func
import pytest

from flexvault import bootstrap
from flexvault.adapters.refusing import RefusingPort
from flexvault.bootstrap.azure import azure_ports
from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import NotAuthorizedError
from flexvault.ports import Ports
from flexvault.settings import Settings
from tests.unit.test_settings import FRONT, GOOD, JANITOR
from triggers.http import serve

MEMBERS = tuple(member.name for member in fields(Ports))


def refused(environ: dict[str, str]) -> set[str]:
    """Names of the ports that refuse."""
    ports = azure_ports(Settings.from_environ(environ), None)
    return {name for name in MEMBERS if isinstance(getattr(ports, name), RefusingPort)}


def test_one_app_reaches_everything():
    assert refused(GOOD) == set()


def test_a_front_has_nothing_that_deletes():
    assert refused(FRONT) == {"vault_cleaner"}


def test_a_janitor_reaches_the_vault_account_and_the_tables_only():
    own = {"clock", "rows", "vault_reader", "vault_cleaner", "telemetry"}
    assert refused(JANITOR) == set(MEMBERS) - own


def test_a_refusal_names_the_app_and_what_is_missing():
    ports = azure_ports(replace(Settings.from_environ(JANITOR)), None)
    with pytest.raises(NotAuthorizedError) as told:
        ports.vault_writer.create("journal", "a/1.json", b"")
    assert told.value.code == "NotThisAppsWork"
    assert f"an app of role '{AppRole.JANITOR}' holds no writer identity" in told.value.message


@pytest.mark.parametrize("path", ["/api/vault/alive", "/api/vault/breaker"])
def test_a_door_with_unusable_settings_says_so_to_everybody_and_names_no_setting(
    path: str, monkeypatch: pytest.MonkeyPatch
):
    for name in GOOD:
        monkeypatch.delenv(name, raising=False)
    bootstrap.get_vault.cache_clear()
    request = func.HttpRequest("GET", f"https://vault.example{path}", headers={}, body=b"")
    answer = serve(request, None)
    error = json.loads(answer.get_body())["error"]
    assert (answer.status_code, error["code"]) == (500, "InvalidSettings")
    assert "FLEXVAULT" not in answer.get_body().decode()
    assert answer.headers["x-ms-error-code"] == "InvalidSettings"
