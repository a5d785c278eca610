"""What makes an app unusable: annotations, as the real worker refuses them, and bindings that are not emulated."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from local_cloud.functions_host.errors import AppLoadError, HostError
from local_cloud.functions_host.indexing import Function, index_functions
from local_cloud.functions_host.runtime import FunctionsRuntime
from tests.host.running import read_cases

HEADER = """\
import dataclasses, datetime, decimal, enum
from typing import *
import azure.functions as func
import azure.durable_functions as df
from durabletask import task

app = df.DFApp()

@app.route(route="ok", methods=["GET"])
def ok(req: func.HttpRequest) -> func.HttpResponse: ...

"""
CASES = read_cases("annotations.json")
WHERE = re.compile(r"line \d+")
BUILT_IN = {"BuiltIn__HttpActivity", "BuiltIn__HttpPollOrchestrator"}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_an_annotation_is_taken_or_refused_as_by_the_real_worker(tmp_path: Path, case: dict[str, Any]) -> None:
    future = "from __future__ import annotations\n" if case["id"].startswith("future_") else ""
    write_app(tmp_path, future + HEADER + case["source"])

    if case["error"] is None:
        assert {function.name for function in load(tmp_path)} - BUILT_IN == set(case["functions"])
        return
    with pytest.raises(AppLoadError) as refused:
        load(tmp_path)

    assert WHERE.sub("line N", str(refused.value)).startswith(WHERE.sub("line N", case["error"]))


def test_an_app_without_its_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AppLoadError, match=r"function_app\.py does not exist"):
        load(tmp_path)


def test_every_trigger_and_binding_that_is_not_emulated_is_named(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        HEADER
        + """
@app.queue_trigger(arg_name="message", queue_name="q", connection="C")
def from_queue(message: func.QueueMessage) -> None: ...

@app.entity_trigger(context_name="context")
def counter(context): ...

@app.timer_trigger(arg_name="timer", schedule="0 0 0 * * *")
@app.blob_output(arg_name="out", path="a/b", connection="C")
def to_blob(timer: func.TimerRequest, out: func.Out[str]) -> None: ...
""",
    )

    with pytest.raises(HostError) as refused:
        load(tmp_path)

    assert sorted(str(refused.value).splitlines()) == [
        "function 'counter': binding 'entityTrigger' is not emulated locally",
        "function 'from_queue': binding 'queueTrigger' is not emulated locally",
        "function 'to_blob': binding 'blob' is not emulated locally",
    ]


def write_app(folder: Path, source: str) -> None:
    (folder / "function_app.py").write_text(source, encoding="utf-8")


def load(folder: Path) -> list[Function]:
    async def index() -> list[Function]:
        runtime = FunctionsRuntime(folder)
        try:
            return index_functions(await runtime.load())
        finally:
            runtime.close()

    return asyncio.run(index())
