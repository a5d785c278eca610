"""Servers in another tenant: ARM is called as the multi-tenant app there, whose assertion is the control identity's."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.identity import EXCHANGE_SCOPE, federated_credentials
from flexvault.adapters.azure.roles import AzureRoles
from flexvault.adapters.azure.servers import AzureServers
from flexvault.adapters.azure.tenancy import AzureTenancy
from flexvault.domain.errors import NotFoundError, TransientError
from local_cloud.certificates import ensure_certificates, now
from tests.contract.https_thread import QuietHandler, serve

APP = "99999999-9999-4999-8999-999999999999"
HOME, ABROAD = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
OWN, FOREIGN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
GROUP = "resourceGroups/rg/providers/Microsoft.DBforPostgreSQL/flexibleServers/pg"


def token_of(object_id: str, tenant: str) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'oid': object_id, 'tid': tenant})}.x"


class Control:
    """The control identity at home."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_down = False

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        self.asked.append(scopes[0])
        if self.is_down:
            raise ClientAuthenticationError("no identity endpoint; sig=secret")
        return AccessToken(token_of("oid-at-home", HOME), int(time.time()) + 3600)


@dataclass(kw_only=True)
class Azure:
    """Entra's token endpoint and ARM in one https server, and what they were asked."""

    url: str = ""
    logins: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    callers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Subscription and bearer token of each call of ARM."""

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        _, first, second, *_ = [*path.partition("?")[0].split("/"), "", ""]
        if "/.well-known/" in path:
            endpoint = f"{self.url}/{first}/oauth2/v2.0"
            return 200, {
                "issuer": f"{self.url}/{first}/v2.0",
                "token_endpoint": f"{endpoint}/token",
                "authorization_endpoint": f"{endpoint}/authorize",
                "device_authorization_endpoint": f"{endpoint}/devicecode",
            }
        if path.endswith("/oauth2/v2.0/token") and method == "POST":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.logins.append({"tenant": first, **form})
            return 200, {"access_token": token_of("oid-abroad", first), "expires_in": 3600, "token_type": "Bearer"}
        self.callers.append((second, headers["Authorization"].removeprefix("Bearer ")))
        if path.partition("?")[0].count("/") == 2:
            return 200, {"id": f"/subscriptions/{second}", "tenantId": ABROAD if second == FOREIGN else HOME}
        return 404, {"error": {"code": "ResourceNotFound", "message": "no such server"}}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    certificates = ensure_certificates(tmp_path, now())
    azure = Azure()

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802 - what the base class calls
            status, answer = azure.answer(self.command, self.path, self.headers, self.read_body())
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 - the base class's name

    with serve(certificates, Handler) as azure.url:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", azure.url)
        yield azure


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def arm(azure: Azure, control: Control) -> Iterator[Arm]:
    elsewhere = federated_credentials(control, APP, {FOREIGN: ABROAD})
    with closing(Arm(azure.url, control, elsewhere=elsewhere)) as arm:
        yield arm


def test_arm_of_another_tenant_is_called_with_that_tenants_token(azure: Azure, control: Control, arm: Arm):
    with pytest.raises(NotFoundError):
        AzureServers(arm).get(f"/subscriptions/{FOREIGN.upper()}/{GROUP}")
    assert azure.callers[0] == (FOREIGN.upper(), token_of("oid-abroad", ABROAD))
    (login,) = azure.logins
    assert (login["tenant"], login["client_id"], login["grant_type"]) == (ABROAD, APP, "client_credentials")
    assert login["client_assertion"] == token_of("oid-at-home", HOME)
    assert login["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in login
    assert EXCHANGE_SCOPE in control.asked


def test_arm_at_home_is_called_as_the_control_identity_itself(azure: Azure, arm: Arm):
    with pytest.raises(NotFoundError):
        AzureServers(arm).get(f"/subscriptions/{OWN}/{GROUP}")
    assert azure.callers[0] == (OWN, token_of("oid-at-home", HOME))
    assert azure.logins == []


def test_commands_name_the_principal_by_which_the_sources_tenant_knows_the_vault(arm: Arm):
    roles = AzureRoles(arm)
    assert "oid-abroad" in roles.grant_commands(f"/subscriptions/{FOREIGN}/{GROUP}")
    assert "oid-at-home" in roles.grant_commands(f"/subscriptions/{OWN}/{GROUP}")


def test_the_home_tenant_of_a_subscription_is_asked_of_arm(arm: Arm, control: Control):
    tenancy = AzureTenancy(arm, {"control": ("c-1", control)})
    assert (tenancy.find_tenant(FOREIGN), tenancy.find_tenant(OWN)) == (ABROAD, HOME)
    (identity,) = tenancy.describe_identities()
    assert (identity.client_id, identity.object_id, identity.tenant_id) == ("c-1", "oid-at-home", HOME)


def test_an_identity_without_a_token_is_described_by_its_client_id_alone(arm: Arm, control: Control):
    control.is_down = True
    (identity,) = AzureTenancy(arm, {"control": ("c-1", control)}).describe_identities()
    assert (identity.client_id, identity.object_id, identity.tenant_id) == ("c-1", "", "")


def test_a_control_identity_without_a_token_is_a_passing_trouble_and_quotes_nothing(arm: Arm, control: Control):
    control.is_down = True
    with pytest.raises(TransientError) as refused:
        AzureServers(arm).get(f"/subscriptions/{FOREIGN}/{GROUP}")
    assert "sig=" not in str(refused.value)
