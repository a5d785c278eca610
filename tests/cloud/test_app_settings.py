"""The app's environment: what it needs, and nothing that a developer's shell left over."""

from pathlib import Path

import pytest

from local_cloud.app_settings import Surroundings, build_settings, clean_environment
from local_cloud.landscape import MAIN, numbered

AROUND = Surroundings(
    identity_url="http://127.0.0.1:1",
    identity_header="secret",
    arm_url="https://127.0.0.1:2",
    blob_url="https://127.0.0.1:3",
    table_url="https://127.0.0.1:4",
    authority=Path("/state/tls/ca.pem"),
)


@pytest.mark.parametrize(
    "name",
    [
        "https_proxy",
        "HTTP_PROXY",
        "ALL_PROXY",
        "no_proxy",
        "AZURE_CLIENT_ID",
        "IDENTITY_ENDPOINT",
        "MSI_ENDPOINT",
        "FLEXVAULT_ROLE",
        "CURL_CA_BUNDLE",
        "AzureWebJobsStorage",
        "PGHOST",
    ],
)
def test_what_would_lead_the_app_elsewhere_is_removed(name: str) -> None:
    assert clean_environment({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_each_vault_has_its_own_accounts_and_subscription() -> None:
    places = [MAIN, numbered(1), numbered(12)]

    for name in ("FLEXVAULT_VAULT_RESOURCE_ID", "FLEXVAULT_VAULT_BLOB_ENDPOINT", "FLEXVAULT_TABLE_ENDPOINT"):
        assert len({build_settings(place, AROUND)[name] for place in places}) == len(places)
    assert len({place.subscription_id for place in places}) == len(places)


def test_endpoints_are_account_urls() -> None:
    settings = build_settings(MAIN, AROUND)

    assert settings["FLEXVAULT_LANDING_BLOB_ENDPOINT"] == "https://127.0.0.1:3/landing"
    assert settings["FLEXVAULT_TABLE_ENDPOINT"] == "https://127.0.0.1:4/app"
    assert settings["FLEXVAULT_OPENID_CONFIGURATION_URL"] == "http://127.0.0.1:1/.well-known/openid-configuration"


def test_a_test_may_change_a_setting() -> None:
    assert build_settings(MAIN, AROUND, {"FLEXVAULT_ROLE": "front"})["FLEXVAULT_ROLE"] == "front"
