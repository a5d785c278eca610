"""What a start makes of answers that are no plain yes or no; sent once in every case."""

from collections.abc import Generator
from contextlib import closing, contextmanager

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from flexvault.adapters.azure.arm import Arm
from flexvault.adapters.azure.ltr import AzureLtr
from flexvault.domain.errors import (
    ConflictError,
    NotAuthorizedError,
    OutcomeUnknownError,
    ThrottledError,
    TransientError,
)
from local_cloud.certificates import Certificates, ensure_certificates, now
from tests.contract.arm_runs import PLANTED, grant_of
from tests.contract.raw_server import SILENCE, RawServer, run_raw_server
from tests.emulator.places import SERVER_ID

NAME = "flexvault-0123456789abcdef-a1"


class Anyone:
    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("token", 4102444800)


class NoOne:
    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        raise ClientAuthenticationError(f"the endpoint said sig={PLANTED}")


@pytest.fixture
def certificates(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    certificates = ensure_certificates(tmp_path_factory.getbasetemp() / "arm-tls", now())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.authority))
    return certificates


@contextmanager
def ltr_against(
    certificates: Certificates, answer: bytes, credential: Anyone | NoOne | None = None
) -> Generator[tuple[AzureLtr, RawServer]]:
    with run_raw_server(certificates, answer) as server:
        arm = Arm(server.base_url, credential or Anyone(), control_principal_id="principal")
        with closing(arm):
            yield AzureLtr(arm, start_timeout_seconds=0.3), server


def http(status: str, body: str = "", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


def problem(code: str) -> str:
    return f'{{"error": {{"code": "{code}", "message": "no"}}}}'


JSON = "Content-Type: application/json"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http("202 Accepted"), id="202 without a body"),
        pytest.param(http("202 Accepted", '{"operation": "x"}', JSON), id="202 of the wire"),
        pytest.param(http("200 OK", '{"properties": {"status": "Running"}}', JSON), id="200 of the specification"),
    ],
)
def test_an_accepting_answer_is_a_start(certificates: Certificates, answer: bytes) -> None:
    with ltr_against(certificates, answer) as (ltr, server):
        ltr.start(SERVER_ID, NAME, grant_of())

        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(SILENCE, id="no answer in time"),
        pytest.param(b"HTTP/1.1 2", id="half an answer"),
        pytest.param(b"\r\n", id="no HTTP"),
        pytest.param(http("500 Internal Server Error", problem("InternalServerError"), JSON), id="500"),
        pytest.param(http("503 Service Unavailable", "", "Retry-After: 1"), id="503 that asks for a repetition"),
        pytest.param(http("408 Request Timeout"), id="408"),
        pytest.param(http("307 Temporary Redirect", "", "Location: https://127.0.0.1:9/other"), id="redirect"),
        pytest.param(http("302 Found", "", "Location: /other"), id="redirect to itself"),
    ],
)
def test_an_answer_that_decides_nothing_is_unknown_and_not_repeated(certificates: Certificates, answer: bytes) -> None:
    with ltr_against(certificates, answer) as (ltr, server):
        with pytest.raises(OutcomeUnknownError) as raised:
            ltr.start(SERVER_ID, NAME, grant_of())

        assert len(server.requests) == 1
        assert PLANTED not in str(raised.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(http("409 Conflict", problem("ServerIsBusy"), JSON), ConflictError, id="busy as 409"),
        pytest.param(http("503 Busy", problem("ServerIsBusy"), JSON), ConflictError, id="busy as 503"),
        pytest.param(http("429 Slow", problem("X"), JSON, "Retry-After: 9"), ThrottledError, id="429"),
        pytest.param(http("403 No", problem("AuthorizationFailed"), JSON), NotAuthorizedError, id="403"),
        pytest.param(http("401 No", problem("InvalidAuthenticationToken"), JSON), NotAuthorizedError, id="401"),
    ],
)
def test_a_refusal_is_a_refusal_whatever_its_status(
    certificates: Certificates, answer: bytes, kind: type[Exception]
) -> None:
    with ltr_against(certificates, answer) as (ltr, server):
        with pytest.raises(kind):
            ltr.start(SERVER_ID, NAME, grant_of())

        assert len(server.requests) == 1


def test_without_a_token_nothing_is_sent(certificates: Certificates) -> None:
    with ltr_against(certificates, SILENCE, NoOne()) as (ltr, server):
        with pytest.raises(TransientError) as raised:
            ltr.start(SERVER_ID, NAME, grant_of())

        assert raised.value.code == "NotSent"
        assert not isinstance(raised.value, OutcomeUnknownError)
        assert PLANTED not in str(raised.value)
        assert server.requests == []
