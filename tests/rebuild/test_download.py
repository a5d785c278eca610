"""All files of one restore, and only they, come down; no blob name leads out of the folder."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest

from local_cloud.demo.rebuild import download as download_of_the_cloud
from local_cloud.endpoints import Endpoints
from local_cloud.rebuild import RebuildFailedError, download_restore, rebuild
from local_cloud.storage import RESTORE_CONTAINER

BLOBS = {
    "demo_database_shop.sql": b"PGDMP" + bytes(5000),
    "demo_database_a b%27.sql": b"x",
    "demo_rebuild/rebuild.pyz": b"exit 0\n",
    "demo_rebuild/databases/01.list": b"",
    "demolition_roles.sql": b"another restore",
    "2026/nov_roles.sql": b"in a folder",
    "evil_/../../outside": b"must not be written",
}


class ContainerHandler(BaseHTTPRequestHandler):
    """Just enough of Blob Storage: List Blobs and Get Blob of the local cloud's container."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if query.get("comp") == ["list"]:
            prefix = query.get("prefix", [""])[0]
            names = "".join(f"<Blob><Name>{escape(name)}</Name></Blob>" for name in BLOBS if name.startswith(prefix))
            body = f"<EnumerationResults><Blobs>{names}</Blobs><NextMarker/></EnumerationResults>".encode()
            self.answer(200, body, {"Content-Type": "application/xml"})
            return
        body = BLOBS[unquote(url.path).removeprefix(f"/account/{RESTORE_CONTAINER}/")]
        if not body:  # an empty blob has no range; the SDK then asks for the whole
            ranged = "x-ms-range" in self.headers
            self.answer(416 if ranged else 200, b"", {"x-ms-error-code": "InvalidRange"} if ranged else {})
            return
        self.answer(206, body, {"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "ETag": '"1"'}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.answer(200, b"", {})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ContainerHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/account"
        server.shutdown()
        thread.join()


def download(
    endpoint: str, prefix: str, folder: Path, *, on_found: Callable[[], object] = lambda: None
) -> tuple[Path, ...]:
    key = "a2V5"  # any base64 text: the double checks no signature
    return download_restore(
        blob_endpoint=endpoint,
        account="account",
        key=key,
        container=RESTORE_CONTAINER,
        prefix=prefix,
        folder=folder,
        on_found=on_found,
    )


def test_the_files_of_one_restore_come_down_whole(endpoint: str, tmp_path: Path) -> None:
    paths = download(endpoint, "demo", tmp_path / "new")
    expected = {name: content for name, content in BLOBS.items() if name.startswith("demo_")}
    assert {str(path.relative_to(tmp_path / "new")): path.read_bytes() for path in paths} == expected


def test_the_local_clouds_own_endpoints_name_all_that_a_download_needs(endpoint: str, tmp_path: Path) -> None:
    account = {"account": "account", "key": "a2V5", "blobEndpoint": endpoint, "resourceId": "/x"}
    endpoints = cast("Endpoints", {"storage": {"restore": account, "ca": None}})
    paths = download_of_the_cloud(endpoints, "demo", tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in paths} == {n for n in BLOBS if n.startswith("demo_")}


def test_a_folder_in_the_prefix_is_not_made(endpoint: str, tmp_path: Path) -> None:
    assert download(endpoint, "2026/nov", tmp_path) == (tmp_path / "nov_roles.sql",)


def test_a_name_that_leaves_the_folder_is_refused(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(RebuildFailedError, match="would leave the folder"):
        download(endpoint, "evil", tmp_path / "inside")
    assert not (tmp_path / "outside").exists()


def test_a_prefix_without_files_is_an_error(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(RebuildFailedError, match="holds no file whose name begins with nothing_"):
        download(endpoint, "nothing", tmp_path)


def test_an_earlier_download_goes_only_when_there_is_another(endpoint: str, tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(RebuildFailedError):
        download(endpoint, "nothing", tmp_path, on_found=lambda: told.append("nothing"))
    download(endpoint, "demo", tmp_path, on_found=lambda: told.append("demo"))
    assert told == ["demo"]


@pytest.mark.parametrize("missing", ["rebuild.pyz", "psql"])
def test_a_rebuild_without_its_files_names_the_one_that_is_missing(missing: str, tmp_path: Path) -> None:
    for file in {"rebuild.pyz", "psql"} - {missing}:
        folder = tmp_path / ("demo_rebuild" if file == "rebuild.pyz" else "bin")
        folder.mkdir()
        (folder / file).touch()
    with pytest.raises(RebuildFailedError, match=f"there is no file .*{missing}; hint: check"):
        rebuild(tmp_path, "demo", "postgresql://nobody@127.0.0.1:1/postgres", tmp_path / "bin")
