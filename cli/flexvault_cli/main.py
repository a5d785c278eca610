"""Run one command line.

Exit status: 0 done; 1 the vault refused or the job failed; 2 the command was called wrongly; 3 a dry run found
something to do; 130 after Ctrl-C.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import httpx

from flexvault_cli.advice import advise
from flexvault_cli.api import VaultApi
from flexvault_cli.connection import find_connection
from flexvault_cli.errors import INTERRUPTED, REFUSED, CliError
from flexvault_cli.output import show_error
from flexvault_cli.words import make_parser

TIMEOUT_SECONDS = 100.0


def main() -> int:
    """Run the command of this process."""
    return run(sys.argv[1:], environ=os.environ)


def run(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str],
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Run one command and answer its exit status.

    Args:
        arguments: What follows the name of the command.
        environ: Environment variables that may name the vault.
        transport: How requests are sent; the network unless given.
        sleep: How to wait, in seconds.
    """
    options = make_parser().parse_args(arguments)
    options.as_json = options.output == "json"
    try:
        connection = find_connection(options.endpoints, options.person, environ)
        with httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS) as client:
            return options.run(VaultApi(connection, client, sleep), options) or 0
    except CliError as error:
        show_error(error, advise(error, is_local=options.endpoints is not None))
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the answer went away; what is left in the buffer must not be written at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return REFUSED
    except KeyboardInterrupt:
        error = CliError("interrupted; a job that was started goes on", exit_code=INTERRUPTED)
        show_error(error, ["see: flexvault job list"])
        return error.exit_code
