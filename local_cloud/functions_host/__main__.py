"""Command line: `python -m local_cloud.functions_host --app DIR --state DIR --port N ...`."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from local_cloud.functions_host.errors import AppLoadError, HostError
from local_cloud.functions_host.host import FunctionsHost, HostOptions
from local_cloud.functions_host.listener import Tls

_LOG = logging.getLogger("local_cloud.functions_host")
# The libraries' own lines: one per call, of no use here, and quadratic in the number of functions.
_QUIET_LOGGERS = ("azure.functions", "azure.durable_functions", "durabletask", "grpc", "asyncio", "uvicorn.error")


def main() -> int:
    """Run the host until SIGTERM or SIGINT; return the exit status."""
    arguments = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    options = _options(arguments)
    os.chdir(options.app_dir)  # the worker's working directory is the app
    try:
        asyncio.run(_serve(options))
    except AppLoadError as error:
        _LOG.error("the app does not load, no function is served: %s\n%s", error, error.stack)
        return 1
    except HostError as error:
        _LOG.error("the host cannot start: %s", error)
        return 1
    except Exception:  # noqa: BLE001 - the last line of the process: it is logged and becomes the exit status
        _LOG.exception("the host failed")
        return 1
    return 0


async def _serve(options: HostOptions) -> None:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with FunctionsHost(options) as host:
        ready = {
            "ready": True,
            "port": host.port,
            "tlsPort": host.tls_port,
            "functions": [function.name for function in host.functions if function.name not in host.disabled],
            "seconds": round(host.start_seconds, 3),
        }
        print(json.dumps(ready), flush=True)
        await host.wait_for_failure_or(stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="local_cloud.functions_host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="folder of function_app.py and host.json")
    parser.add_argument("--state", type=Path, required=True, help="folder for keys, timer statuses and task hub")
    parser.add_argument("--port", type=int, required=True, help="HTTP port of 127.0.0.1; 0 takes a free one")
    parser.add_argument("--tls-port", type=int, help="HTTPS port; 0 takes a free one")
    parser.add_argument("--certificate", type=Path, help="PEM file for the HTTPS port")
    parser.add_argument("--private-key", type=Path, help="PEM file for the HTTPS port")
    parser.add_argument(
        "--redelivery-delay",
        type=float,
        default=2.0,
        metavar="SECONDS",
        help="until activities in flight run again after a kill (300 on Azure Storage)",
    )
    parser.add_argument(
        "--keep-finished",
        type=float,
        default=3600.0,
        metavar="SECONDS",
        help="until a finished orchestration is purged",
    )
    parser.add_argument("--hub", choices=("sqlite", "memory", "stock"), default="sqlite")
    return parser


def _options(arguments: argparse.Namespace) -> HostOptions:
    tls = None
    if arguments.tls_port is not None:
        if arguments.certificate is None or arguments.private_key is None:
            sys.exit("--tls-port needs --certificate and --private-key")
        tls = Tls(certificate=arguments.certificate.resolve(), private_key=arguments.private_key.resolve())
    return HostOptions(
        app_dir=arguments.app.resolve(),
        state_dir=arguments.state.resolve(),
        port=arguments.port,
        tls_port=arguments.tls_port,
        tls=tls,
        hub=arguments.hub,
        redelivery_delay=timedelta(seconds=arguments.redelivery_delay),
        keep_finished=timedelta(seconds=arguments.keep_finished),
    )


def _end(status: int) -> None:
    """End now: threads of abandoned synchronous functions would keep the interpreter waiting."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _end(main())
