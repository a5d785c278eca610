"""What is taken out of foreign text, and what stays."""

import pytest

from flexvault.domain.redaction import redact

SECRET = "YR5PcwmM2BBEFbl2XnhaYEJogHG"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"https://a.example/c/b?sv=2026&sp=r&sig={SECRET}%3D&se=2027", id="URL"),
        pytest.param(f"('https://a.example/c?sig={SECRET}=', 3)", id="URL in quotes"),
        pytest.param(f'{{"url": "https://a.example/c?sv=1\\u0026sig={SECRET}"}}', id="URL in JSON"),
        pytest.param(f"https%3A%2F%2Fa.example%2Fc%3Fsv%3D1%26sig%3D{SECRET}", id="URL in a URL"),
        pytest.param(f"HTTPS://A.EXAMPLE/C?SIG={SECRET}", id="upper case"),
        pytest.param(f"sv=2026&sig={SECRET}", id="query alone"),
        pytest.param(f"sig%3D{SECRET}", id="escaped alone"),
        pytest.param(f"sig%253D{SECRET}", id="escaped twice"),
        pytest.param(f"Authorization: Bearer {SECRET}.x.y", id="bearer token"),
        pytest.param(f"token eyJhbGciOi.{SECRET}.{SECRET}", id="bare token"),
        pytest.param(f"AccountName=a;AccountKey={SECRET}==;EndpointSuffix=x", id="account key"),
        pytest.param(f"Authorization: SharedKey acme:{SECRET}=", id="shared key"),
        pytest.param(f"the key is {(SECRET * 4)[:86]}== of acme", id="account key alone"),
        pytest.param(f"postgresql://app:{SECRET}@pg.example:5432/orders", id="password in a URL"),
        pytest.param(f"SharedAccessSignature=sv%3D1{SECRET}", id="connection string"),
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    cleaned = redact(text)

    assert SECRET not in cleaned
    assert "sig=" not in cleaned.lower()
    assert "[redacted]" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The server 'pg-orders' is busy with another operation. Please try again later.",
        "see https://learn.microsoft.com/azure/postgresql/flexible-server for more",
        "/subscriptions/a/resourceGroups/b/providers/Microsoft.DBforPostgreSQL/flexibleServers/c",
        "is this a question? yes",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_is_around_a_secret_stays_readable() -> None:
    text = f"upload to https://a.example/c/file.sql?sv=1&sig={SECRET} failed"

    assert redact(text) == "upload to https://a.example/c/file.sql?[redacted] failed"


def test_cleaning_twice_changes_nothing_more() -> None:
    once = redact(f"https://a.example/c?sig={SECRET} and Bearer {SECRET}")

    assert redact(once) == once
