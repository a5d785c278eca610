"""The command: how it starts, how it refuses, and what its end costs."""

import ipaddress
import json
import os
import resource
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local_cloud.functions_host.clock import utc_now
from tests.host.running import APPS

ROOT = Path(__file__).parents[2]
READY_SECONDS = 15
ANSWER_SECONDS = 10
POLL_SECONDS = 0.02


class HostProcess:
    """The host as a process of its own."""

    def __init__(self, app: Path, state: Path, arguments: tuple[str, ...], environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "local_cloud.functions_host", "--app", str(app), "--state", str(state)]
        self._errors = (state.parent / f"{state.name}.stderr").open("a+")
        self.process = subprocess.Popen(
            [*command, "--port", "0", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ready(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors()
        return json.loads(line)

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()

    def end(self, signal_number: signal.Signals) -> int:
        self.process.send_signal(signal_number)
        return self.process.wait(READY_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.close()


StartHost = Callable[..., HostProcess]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Start hosts that end with the test; all share one state."""
    hosts: list[HostProcess] = []

    def start(app: Path, *arguments: str, **environment: str) -> HostProcess:
        hosts.append(HostProcess(app, tmp_path / "state", arguments, environment))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


def request(url: str, body: object = None, context: ssl.SSLContext | None = None) -> str:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=ANSWER_SECONDS, context=context) as answer:
        return answer.read().decode()


def api_of(host: HostProcess) -> str:
    return f"http://127.0.0.1:{host.ready()['port']}/api"


def write_app(folder: Path, source: str) -> Path:
    folder.mkdir()
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text(
        f"import azure.functions as func\n\napp = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n{source}"
    )
    return folder


def test_it_says_when_it_serves_and_ends_gently(start_host: StartHost) -> None:
    host = start_host(APPS / "durable")
    ready = host.ready()

    assert (ready["ready"], ready["tlsPort"]) == (True, None)
    assert "chain5" in ready["functions"]
    # As the real host does for a Python app that sets no number of its own.
    threads = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "1000")
    assert request(f"http://127.0.0.1:{ready['port']}/api/threads") == threads
    assert host.end(signal.SIGTERM) == 0


def test_one_app_is_served_over_http_and_https(start_host: StartHost, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    host = start_host(
        APPS / "catch_all", "--tls-port", "0", "--certificate", str(certificate), "--private-key", str(key)
    )
    ready = host.ready()
    trust = ssl.create_default_context(cafile=str(certificate))

    plain = json.loads(request(f"http://127.0.0.1:{ready['port']}/api/x"))
    secure = json.loads(request(f"https://127.0.0.1:{ready['tlsPort']}/api/x", context=trust))

    assert (plain["url"].split(":")[0], secure["url"].split(":")[0]) == ("http", "https")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    now = utc_now()
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "host.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "host.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "host.pem", folder / "host.key"


def test_one_bad_annotation_leaves_no_function_and_ends_the_process(start_host: StartHost, tmp_path: Path) -> None:
    app = write_app(
        tmp_path / "app",
        """
@app.route(route="good")
def good(req: func.HttpRequest) -> func.HttpResponse: ...

@app.route(route="bad")
def bad(req: func.HttpRequest) -> dict: ...
""",
    )
    host = start_host(app)

    assert host.process.wait(READY_SECONDS) == 1
    assert 'cannot load the bad function: Python return annotation "dict"' in host.errors()


def test_a_missing_setting_disables_its_timer_and_nothing_else(start_host: StartHost, tmp_path: Path) -> None:
    app = write_app(
        tmp_path / "app",
        """
@app.route(route="good")
def good(req: func.HttpRequest) -> str:
    return "good"

@app.timer_trigger(arg_name="timer", schedule="%NO_SUCH_SETTING%")
def without(timer: func.TimerRequest) -> None: ...

@app.timer_trigger(arg_name="timer", schedule="%SOME_SETTING%")
def with_setting(timer: func.TimerRequest) -> None: ...
""",
    )
    host = start_host(app, SOME_SETTING="0 0 0 1 1 *")
    ready = host.ready()

    assert ready["functions"] == ["good", "with_setting"]
    assert request(f"http://127.0.0.1:{ready['port']}/api/good") == "good"
    assert "function without is disabled: '%NO_SUCH_SETTING%' does not resolve to a value" in host.errors()


def test_a_hub_name_with_a_missing_setting_is_named(start_host: StartHost, tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", "")
    (app / "host.json").write_text('{"extensions": {"durableTask": {"hubName": "%NO_HUB_SETTING%"}}}')
    host = start_host(app)

    assert host.process.wait(READY_SECONDS) == 1
    assert "NO_HUB_SETTING" in host.errors()


def test_a_timer_with_a_durable_client_starts_orchestrations(start_host: StartHost) -> None:
    api = api_of(start_host(APPS / "durable", TICK="*/1 * * * * *"))

    assert output_of(api, "from-timer") == 6


def test_a_kill_costs_only_a_second_run_of_what_was_in_flight(start_host: StartHost, tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.log")
    host = start_host(APPS / "durable", "--redelivery-delay", "0.5")
    begin_three(api_of(host), runs)
    runs.wait_for("end waits-1", "end child-1", "begin works-1")
    host.end(signal.SIGKILL)

    api = api_of(start_host(APPS / "durable", "--redelivery-delay", "0.5"))

    assert output_of(api, "waits") == ["waits-1", "waits-2"]
    assert output_of(api, "works") == ["works-1", "works-2"]
    assert output_of(api, "parent") == ["child-1", "child-2"]
    assert runs.begun() == {"waits-1": 1, "waits-2": 1, "works-1": 2, "works-2": 1, "child-1": 1, "child-2": 1}


def test_a_gentle_end_lets_activities_finish_and_runs_none_twice(start_host: StartHost, tmp_path: Path) -> None:
    runs = Runs(tmp_path / "runs.log")
    host = start_host(APPS / "durable")
    begin_three(api_of(host), runs)
    runs.wait_for("end waits-1", "end child-1", "begin works-1")
    assert host.end(signal.SIGTERM) == 0

    api = api_of(start_host(APPS / "durable"))

    assert output_of(api, "works") == ["works-1", "works-2"]
    assert output_of(api, "waits") == ["waits-1", "waits-2"]
    assert set(runs.begun().values()) == {1}


class Runs:
    """What the activity `log_run` wrote, from whichever process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def wait_for(self, *starts: str) -> None:
        deadline = time.monotonic() + ANSWER_SECONDS
        while not all(f"{start} " in self.path.read_text() for start in starts):
            assert time.monotonic() < deadline, self.path.read_text()
            time.sleep(POLL_SECONDS)

    def begun(self) -> Counter[str]:
        return Counter(line.split()[1] for line in self.path.read_text().splitlines() if line.startswith("begin"))


def begin_three(api: str, runs: Runs) -> None:
    """Start one that will wait in a timer, one that will be in an activity, and a parent whose child waits."""
    order = {"file": str(runs.path)}
    request(f"{api}/start/work_then_sleep/waits", order | {"name": "waits", "work": 0, "sleep": 1.5})
    request(f"{api}/start/work_then_sleep/works", order | {"name": "works", "work": 1.0, "sleep": 0})
    child = order | {"name": "child", "work": 0, "sleep": 1.5}
    request(f"{api}/start/parent_of/parent", {"name": "work_then_sleep", "input": child})


def output_of(api: str, instance_id: str) -> Any:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        state = json.loads(request(f"{api}/state/{instance_id}"))
        if state["status"] not in ("PENDING", "RUNNING", "UNKNOWN"):
            return state["output"]
        assert time.monotonic() < deadline, state
        time.sleep(POLL_SECONDS)


def test_a_hub_that_cannot_be_written_ends_the_host(start_host: StartHost) -> None:
    host = start_host(APPS / "durable")
    api = api_of(host)
    # From here on no file of the host may grow: to it, the disk is full.
    resource.prlimit(host.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))

    with pytest.raises(OSError, match=r"500|closed|reset"):
        request(f"{api}/start/wait_event/large", "x" * 1_000_000)
    assert host.process.wait(READY_SECONDS) == 1
