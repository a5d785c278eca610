"""Run the command with `python -m flexvault_cli`."""

import sys

from flexvault_cli.main import main

sys.exit(main())
