"""Microsoft's Python worker runtime, driven in this process.

`azure-functions-runtime` is what the real worker runs: it refuses what Azure would refuse and converts what Azure would
convert. It holds one app per process.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import azure_functions_runtime
from azure_functions_runtime import functions as runtime_functions
from azure_functions_runtime import handle_event

from local_cloud.functions_host.errors import AppLoadError, InvocationError
from local_cloud.functions_host.indexing import Function
from local_cloud.functions_host.protos import Message, Protos, StatusResult

# The package carries no types: this is the edge where they end.
_runtime: Any = azure_functions_runtime
_state: Any = handle_event
_functions: Any = runtime_functions

_THREADS = "PYTHON_THREADPOOL_THREAD_COUNT"
# The real host sets this for a Python app that does not set it itself.
_DEFAULT_THREADS = "1000"
_SCRIPT = "function_app"


class FunctionsRuntime:
    """The runtime with one app in it."""

    def __init__(self, app_dir: Path) -> None:
        self._app_dir = str(app_dir)

    async def load(self) -> list[Message]:
        """Import the app and return the metadata of its functions.

        Raises:
            AppLoadError: Any error of import or annotation; then there is no function at all.
        """
        if not (Path(self._app_dir) / f"{_SCRIPT}.py").exists():
            raise AppLoadError(f"{_SCRIPT}.py does not exist in {self._app_dir}", "")
        os.environ.setdefault(_THREADS, _DEFAULT_THREADS)
        sys.path.insert(0, self._app_dir)
        # A host that was started and stopped before in this process left its app behind.
        sys.modules.pop(_SCRIPT, None)
        _state._functions = _functions.Registry()  # noqa: SLF001 - the runtime has no call that forgets an app
        _runtime.start_threadpool_executor()
        start = Message(
            request=Message(worker_init_request=Message(capabilities={}, function_app_directory=self._app_dir)),
            properties={"host": "127.0.0.1", "protos": Protos()},
        )
        _raise_on_failure(await _runtime.worker_init_request(start), AppLoadError)
        answer: Message = await _runtime.functions_metadata_request(Message())
        metadata: list[Message] | None = answer.function_metadata_results
        return metadata or []

    async def invoke(
        self, function: Function, data: Message, *, client: str = "", headers: Mapping[str, str] | None = None
    ) -> Message | None:
        """Run a function once, as the host would ask the worker to.

        Args:
            function: Which one.
            data: The trigger's value (a TypedData message).
            client: Text for the durable client bindings.
            headers: Of the HTTP request, for its trace context.

        Raises:
            InvocationError: The function raised, or returned what its binding cannot carry.
        """
        inputs = [Message(name=function.trigger["name"], data=data)]
        inputs += [Message(name=name, data=Message(string=client)) for name in function.client_parameters]
        trace: Mapping[str, str] = {} if headers is None else headers
        invocation = Message(
            invocation_id=secrets.token_hex(16),
            function_id=function.id,
            input_data=inputs,
            trigger_metadata={},
            trace_context=Message(
                trace_parent=trace.get("traceparent", ""), trace_state=trace.get("tracestate", ""), attributes={}
            ),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer: Message = await _runtime.invocation_request(Message(request=Message(invocation_request=invocation)))
        _raise_on_failure(answer, InvocationError)
        return answer.return_value

    def close(self) -> None:
        """Let the threads of synchronous functions end by themselves and take the app off the path."""
        executor: Any = _runtime.get_threadpool_executor()
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
        if self._app_dir in sys.path:
            sys.path.remove(self._app_dir)


def _raise_on_failure(answer: Message, error: type[AppLoadError | InvocationError]) -> None:
    if answer.result.status != StatusResult.Success:
        raise error(answer.result.exception.message, answer.result.exception.stack_trace)
