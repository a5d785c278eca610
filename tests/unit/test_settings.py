"""App settings: every mistake is found at once, named with its value and what is expected; a secret is never shown."""

from datetime import timedelta
from typing import Any

import pytest

from flexvault.domain.app_role import AppRole
from flexvault.domain.errors import InvalidInputError
from flexvault.domain.job import Operation
from flexvault.settings import Settings
from flexvault.settings.table import SETTINGS

GUID = "11111111-1111-4111-8111-111111111111"
OTHER_GUID = "22222222-2222-4222-8222-222222222222"
THIRD_GUID = "33333333-3333-4333-8333-333333333333"
VAULT_ID = f"/subscriptions/{GUID}/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/main"

GOOD = {
    "FLEXVAULT_VAULT_RESOURCE_ID": VAULT_ID,
    "FLEXVAULT_LOCATION": "westeurope",
    "FLEXVAULT_VAULT_BLOB_ENDPOINT": "https://stvault.blob.core.windows.net/",
    "FLEXVAULT_LANDING_BLOB_ENDPOINT": "https://stlanding.blob.core.windows.net",
    "FLEXVAULT_TABLE_ENDPOINT": "https://stapp.table.core.windows.net/",
    "FLEXVAULT_ARM_ENDPOINT": "https://management.azure.com/",
    "FLEXVAULT_CONTROL_CLIENT_ID": GUID,
    "FLEXVAULT_WRITER_CLIENT_ID": OTHER_GUID,
    "FLEXVAULT_RETENTION_CLIENT_ID": THIRD_GUID,
    "FLEXVAULT_TOKEN_AUDIENCES": "api://one, two",
    "FLEXVAULT_TOKEN_ISSUERS": f"https://login.microsoftonline.com/{GUID}/v2.0",
    "FLEXVAULT_OPENID_CONFIGURATION_URL": f"https://login.microsoftonline.com/{GUID}/v2.0/.well-known/openid-configuration",
}
FRONT = {**GOOD, "FLEXVAULT_ROLE": "front", "FLEXVAULT_RETENTION_CLIENT_ID": ""}
JANITOR = {
    name: GOOD[name]
    for name in (
        "FLEXVAULT_VAULT_RESOURCE_ID",
        "FLEXVAULT_LOCATION",
        "FLEXVAULT_VAULT_BLOB_ENDPOINT",
        "FLEXVAULT_TABLE_ENDPOINT",
        "FLEXVAULT_RETENTION_CLIENT_ID",
    )
} | {"FLEXVAULT_ROLE": "janitor"}


def read(**changed: str) -> Settings:
    return Settings.from_environ({**GOOD, **changed})


def mistakes(environ: dict[str, str]) -> dict[str, str]:
    """What is wrong, by the setting's name."""
    with pytest.raises(InvalidInputError) as refused:
        Settings.from_environ(environ)
    assert refused.value.code == "InvalidSettings"
    assert refused.value.hint
    return {mistake.target: mistake.message for mistake in refused.value.details}


def test_good_settings_are_read_into_their_types():
    settings = read(FLEXVAULT_RESTORE_TARGETS="https://a.example/c, https://b.example", FLEXVAULT_SPREAD_SECONDS="90")
    assert settings.vault_blob_endpoint == "https://stvault.blob.core.windows.net"
    assert settings.token_audiences == ("api://one", "two")
    assert settings.restore_targets == ("https://a.example/c", "https://b.example")
    assert settings.spread == timedelta(seconds=90)
    assert settings.poll_floors_seconds == (180, 600, 1200, 1800)
    assert settings.role is AppRole.ALL
    assert (settings.vault_name, settings.subscription_id) == ("main", GUID)


def test_every_setting_of_the_table_is_a_member_of_the_settings():
    given = {
        **GOOD,
        "AZURE_CLIENT_ID": GUID,
        "FLEXVAULT_ROLE": "all",
        "FLEXVAULT_RESTORE_TARGETS": "https://a.example",
        "FLEXVAULT_TENANT_ID": GUID,
        "FLEXVAULT_SOURCE_TENANTS": f"{GUID}:{OTHER_GUID}",
        "FLEXVAULT_FEDERATED_CLIENT_ID": GUID,
        "FLEXVAULT_LANDING_SAS_PERMISSIONS": "rwl",
        "FLEXVAULT_STALE_GRACE_SECONDS": "1",
        "FLEXVAULT_NOT_STARTED_AFTER_SECONDS": "2",
        "FLEXVAULT_POLL_FLOORS_SECONDS": "3",
        "FLEXVAULT_LOOK_AHEAD_SECONDS": "4",
        "FLEXVAULT_SPREAD_SECONDS": "0",
        "FLEXVAULT_LANDING_KEEP_DAYS": "6",
        "FLEXVAULT_UNSEALED_KEEP_DAYS": "7",
        "FLEXVAULT_REQUESTS_PER_MINUTE": "600",
    }
    assert set(given) == set(SETTINGS)
    settings = Settings.from_environ(given)
    assert settings.source_tenants == {OTHER_GUID: GUID}
    assert (settings.landing_keep_for, settings.unsealed_keep_for) == (timedelta(days=6), timedelta(days=7))
    assert settings.requests_per_minute == 600


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "1000001", "٣", "9" * 5000])
def test_calls_a_minute_are_a_whole_number(text: str):
    found = mistakes({**GOOD, "FLEXVAULT_REQUESTS_PER_MINUTE": text})
    assert found["FLEXVAULT_REQUESTS_PER_MINUTE"].endswith("expected a whole number from 1 to 1000000")


def test_all_mistakes_are_reported_at_once():
    found = mistakes({**GOOD, "FLEXVAULT_ROLE": "back", "FLEXVAULT_SPREAD_SECONDS": "-1", "FLEXVAULT_LOCATON": "x"})
    assert found == {
        "FLEXVAULT_ROLE": "the app setting FLEXVAULT_ROLE is 'back'; expected one of all, front, janitor",
        "FLEXVAULT_SPREAD_SECONDS": "the app setting FLEXVAULT_SPREAD_SECONDS is '-1';"
        " expected a number of seconds, 0 or more",
        "FLEXVAULT_LOCATON": "the app setting FLEXVAULT_LOCATON is unknown; did you mean FLEXVAULT_LOCATION?",
    }


def test_every_missing_setting_is_named():
    assert set(mistakes({})) == set(GOOD)
    assert set(mistakes({"FLEXVAULT_ROLE": "front"})) == set(GOOD) - {"FLEXVAULT_RETENTION_CLIENT_ID"}
    found = mistakes({"FLEXVAULT_ROLE": "janitor"})
    assert set(found) == set(JANITOR) - {"FLEXVAULT_ROLE"}
    assert found["FLEXVAULT_LOCATION"].endswith("is missing; an app of role 'janitor' needs it")


def test_a_front_needs_no_retention_identity_and_a_janitor_no_other():
    assert Settings.from_environ(FRONT).retention_client_id == ""
    janitor = Settings.from_environ(JANITOR)
    assert (janitor.control_client_id, janitor.writer_client_id, janitor.arm_endpoint) == ("", "", "")


def test_a_front_is_refused_the_retention_identity():
    found = mistakes({**FRONT, "FLEXVAULT_RETENTION_CLIENT_ID": THIRD_GUID})
    assert "may not delete" in found["FLEXVAULT_RETENTION_CLIENT_ID"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("FLEXVAULT_VAULT_RESOURCE_ID", "/subscriptions/x/backupVaults/main", id="no vault's id"),
        pytest.param("FLEXVAULT_VAULT_RESOURCE_ID", VAULT_ID.replace(GUID, "mine"), id="subscription is no guid"),
        pytest.param("FLEXVAULT_VAULT_BLOB_ENDPOINT", "http://stvault.blob.core.windows.net", id="http"),
        pytest.param("FLEXVAULT_ARM_ENDPOINT", "management.azure.com", id="no url"),
        pytest.param("FLEXVAULT_TABLE_ENDPOINT", "https://", id="no host"),
        pytest.param("FLEXVAULT_TABLE_ENDPOINT", "https://st.example:port", id="no port"),
        pytest.param("FLEXVAULT_TOKEN_ISSUERS", "http://login.example", id="issuer over http"),
        pytest.param("FLEXVAULT_TOKEN_AUDIENCES", " , ", id="no audience"),
        pytest.param("FLEXVAULT_RESTORE_TARGETS", "https://a.example, backup", id="one target is no url"),
        pytest.param("FLEXVAULT_CONTROL_CLIENT_ID", "my identity", id="client id with a blank"),
        pytest.param("FLEXVAULT_TENANT_ID", "contoso.com", id="tenant is no guid"),
        pytest.param("FLEXVAULT_LANDING_SAS_PERMISSIONS", "rwz", id="unknown letter"),
        pytest.param("FLEXVAULT_LANDING_SAS_PERMISSIONS", "rww", id="a letter twice"),
        pytest.param("FLEXVAULT_STALE_GRACE_SECONDS", "0", id="no time"),
        pytest.param("FLEXVAULT_STALE_GRACE_SECONDS", "ten", id="no number"),
        pytest.param("FLEXVAULT_STALE_GRACE_SECONDS", "1,2", id="two numbers"),
        pytest.param("FLEXVAULT_LANDING_KEEP_DAYS", "nan", id="not a number"),
        pytest.param("FLEXVAULT_UNSEALED_KEEP_DAYS", "inf", id="for ever"),
        pytest.param("FLEXVAULT_POLL_FLOORS_SECONDS", "180,,600", id="a gap in the list"),
        pytest.param("FLEXVAULT_SOURCE_TENANTS", GUID, id="no pair"),
        pytest.param("FLEXVAULT_SOURCE_TENANTS", f"{GUID}:{THIRD_GUID},{OTHER_GUID}:{THIRD_GUID}", id="two tenants"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_what_is_expected(name: str, value: str):
    changed = {name: value, "FLEXVAULT_FEDERATED_CLIENT_ID": GUID}
    found = mistakes({**GOOD, **changed})
    assert set(found) == {name}
    assert found[name].startswith(f"the app setting {name} is '{value.strip()}'; expected ")


def test_an_issuer_on_this_machine_may_speak_http():
    assert read(FLEXVAULT_TOKEN_ISSUERS="http://127.0.0.1:20000").token_issuers == ("http://127.0.0.1:20000",)


@pytest.mark.parametrize(
    "secret",
    [
        "https://st.blob.core.windows.net?sv=2024-11-04&sig=c2VjcmV0c2VjcmV0",
        "https://user:c2VjcmV0c2VjcmV0@st.example",
        "DefaultEndpointsProtocol=https;AccountName=st;AccountKey=c2VjcmV0c2VjcmV0==;EndpointSuffix=core.windows.net",
        "c2VjcmV0c2VjcmV0" * 5 + "12345678==",
        "/c2VjcmV0c2VjcmV0" * 5 + "123==",
    ],
)
def test_a_secret_that_was_pasted_into_a_setting_is_not_shown(secret: str):
    found = mistakes({**GOOD, "FLEXVAULT_VAULT_BLOB_ENDPOINT": secret, "FLEXVAULT_CONTROL_CLIENT_ID": secret})
    assert len(found) == 2
    assert "c2VjcmV0" not in str(found)


@pytest.mark.parametrize(
    "changed",
    [
        {"FLEXVAULT_LANDING_BLOB_ENDPOINT": "https://STVAULT.blob.core.windows.net"},
        {"FLEXVAULT_LANDING_BLOB_ENDPOINT": "https://stapp.blob.core.windows.net"},
        {"FLEXVAULT_TABLE_ENDPOINT": "https://stvault.table.core.windows.net"},
    ],
)
def test_landing_vault_and_tables_are_three_accounts(changed: dict[str, str]):
    found = mistakes({**GOOD, **changed})
    assert "expected another storage account than" in str(found)


def test_accounts_of_one_host_are_told_apart_by_their_path():
    with pytest.raises(InvalidInputError):
        read(
            FLEXVAULT_VAULT_BLOB_ENDPOINT="https://127.0.0.1:1/vault",
            FLEXVAULT_LANDING_BLOB_ENDPOINT="https://127.0.0.1:1/vault",
        )
    read(
        FLEXVAULT_VAULT_BLOB_ENDPOINT="https://127.0.0.1:1/vault",
        FLEXVAULT_LANDING_BLOB_ENDPOINT="https://127.0.0.1:1/landing",
    )


def test_sources_in_another_tenant_need_the_federated_app():
    found = mistakes({**GOOD, "FLEXVAULT_SOURCE_TENANTS": f"{GUID}:{OTHER_GUID}"})
    assert set(found) == {"FLEXVAULT_FEDERATED_CLIENT_ID"}


def test_names_that_the_command_line_and_the_deployment_read_are_no_mistakes():
    assert read(FLEXVAULT_API_URL="https://x.example/api", FLEXVAULT_TOKEN="t").role is AppRole.ALL
    assert set(mistakes({**GOOD, "FLEXVAULT_SOMETHING_ELSE": "1"})) == {"FLEXVAULT_SOMETHING_ELSE"}


@pytest.mark.parametrize("operation", list(Operation))
def test_every_job_is_run_by_exactly_one_of_two_apps(operation: Operation):
    runners = [role for role in (AppRole.FRONT, AppRole.JANITOR) if role.runs(operation)]
    assert runners == [AppRole.JANITOR if operation is Operation.RETENTION else AppRole.FRONT]
    assert AppRole.ALL.runs(operation)


def test_one_identity_for_everything_is_possible():
    one: dict[str, Any] = {f"FLEXVAULT_{name}_CLIENT_ID": GUID for name in ("CONTROL", "WRITER", "RETENTION")}
    assert read(**one).retention_client_id == GUID
