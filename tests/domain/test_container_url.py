"""One spelling for each container, and no URL that leads elsewhere."""

import pytest

from flexvault.domain.container_url import is_azure_storage, is_under, read_container_url
from flexvault.domain.errors import InvalidInputError


@pytest.mark.parametrize(
    ("url", "spelling"),
    [
        pytest.param("https://acc.blob.core.windows.net/c", "https://acc.blob.core.windows.net/c", id="plain"),
        pytest.param(
            "https://ACC.blob.core.windows.net/C/", "https://acc.blob.core.windows.net/c", id="case and slash"
        ),
        pytest.param(
            "HTTPS://acc.blob.core.windows.net:443/c", "https://acc.blob.core.windows.net/c", id="default port"
        ),
        pytest.param("https://acc.blob.core.windows.net./c", "https://acc.blob.core.windows.net/c", id="final dot"),
        pytest.param("https://127.0.0.1:10000/acc/c", "https://127.0.0.1:10000/acc/c", id="emulator"),
    ],
)
def test_a_container_has_one_spelling(url: str, spelling: str):
    assert read_container_url(url) == spelling


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://acc.blob.core.windows.net/c", id="not https"),
        pytest.param("https://acc.blob.core.windows.net", id="no container"),
        pytest.param("https://acc.blob.core.windows.net/c?sv=1&sig=secret", id="with a SAS"),
        pytest.param("https://acc.blob.core.windows.net/c#x", id="fragment"),
        pytest.param("https://user:word@acc.blob.core.windows.net/c", id="credentials"),
        pytest.param("https://acc.blob.core.windows.net/a/../c", id="dots"),
        pytest.param("https://acc.blob.core.windows.net/%63", id="escape"),
        pytest.param("https://acc.blob.core.windows.net//c", id="empty segment"),
        pytest.param("https://acc.blob.core.windows.net/a/b/c", id="deeper"),
        pytest.param("https://acc.blob.core.windows.net\\@evil.example/c", id="backslash"),
        pytest.param("https://acc.blob.core.windows.net:port/c", id="port that is none"),
        pytest.param("https://[::1/c", id="broken host"),
        pytest.param("", id="empty"),
    ],
)
def test_what_is_no_plain_container_url_is_refused_without_its_query(url: str):
    with pytest.raises(InvalidInputError) as refused:
        read_container_url(url)
    assert "secret" not in str(refused.value)


def test_a_place_holds_its_own_containers_only():
    assert is_under("https://acc.example/c", "https://ACC.example:443/")
    assert is_under("https://acc.example/c", "https://acc.example/c")
    assert not is_under("https://acc.example/cc", "https://acc.example/c")
    assert not is_under("https://acc.example.evil/c", "https://acc.example")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        pytest.param("restores", "does not begin with https://", id="a name"),
        pytest.param("https://127.0.0.1:10000/a/b/c", "'https://127.0.0.1:10000/...'", id="too long a path"),
        pytest.param("https://a.example/c?sv=1&sig=abc", "has a query (such as a SAS)", id="a SAS"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, told: str):
    with pytest.raises(InvalidInputError) as refused:
        read_container_url(url)
    assert told in refused.value.message
    assert "sig" not in refused.value.message


@pytest.mark.parametrize(
    ("url", "is_azure"),
    [
        pytest.param("https://acme.blob.core.windows.net/c", True, id="Azure"),
        pytest.param("https://acme.blob.core.usgovcloudapi.net/c", True, id="US Government"),
        pytest.param("https://acme.blob.core.chinacloudapi.cn/c", True, id="China"),
        pytest.param("https://acme.z07.blob.storage.azure.net/c", True, id="a DNS zone"),
        pytest.param("https://acme.blob.core.windows.net.evil.example/c", False, id="a longer host"),
        pytest.param("https://evil.example/acme.blob.core.windows.net", False, id="in the path"),
        pytest.param("https://blob.core.windows.net/c", False, id="no account"),
        pytest.param("https://a.b.blob.core.windows.net/c", False, id="two labels"),
        pytest.param("https://acme.blob.core.windows.net:8443/c", False, id="another port"),
        pytest.param("https://acme.blob.core.windows.net/c/d", False, id="below a container"),
        pytest.param("https://acme.file.core.windows.net/c", False, id="another service"),
        pytest.param("https://acmeblob.core.windows.net/c", False, id="no dot"),
    ],
)
def test_only_azure_storages_own_hosts_are_azure(url: str, *, is_azure: bool):
    assert is_azure_storage(url) is is_azure
