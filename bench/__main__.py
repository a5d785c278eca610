"""`make bench`: figures beside their aims, in one run.

`python -m bench planning`, `dumps` or `deep` needs no cloud; `rebuild_compared` needs PostgreSQL alone and prints the
table of `docs/restore.md`.
"""

import argparse
import sys

from bench.deep_verification import measure_deep_verification
from bench.dumps import measure_dumps
from bench.planning import measure_planning
from local_cloud.state_folder import ChildrenAliveError, FolderInUseError

PURE = {"planning": measure_planning, "dumps": measure_dumps, "deep": measure_deep_verification}
PARTS = ("all", *PURE, "backups", "verify", "jobs", "compare", "rebuild_compared")


def main() -> int:
    """Measure, print, and answer 0: timings are shown, never asserted."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="measure and print; nothing is asserted")
    parser.add_argument("part", nargs="?", choices=PARTS, default="all", help="what to measure")
    part = parser.parse_args().part
    if part == "rebuild_compared":
        from bench.rebuild_compared import compare_rebuilds  # noqa: PLC0415 -- it needs the tests' PostgreSQL

        compare_rebuilds()
        return 0
    if part not in PURE:
        # Here, not above: the pure parts need no SDK and no cloud.
        from bench.backups import measure_backups  # noqa: PLC0415
        from bench.comparing import measure_comparing  # noqa: PLC0415
        from bench.job_lists import measure_job_lists  # noqa: PLC0415
        from bench.verifying import measure_verifying  # noqa: PLC0415

        measures = {
            "backups": measure_backups,
            "verify": measure_verifying,
            "jobs": measure_job_lists,
            "compare": measure_comparing,
        }
        try:
            for name, measure in measures.items():
                if part in {"all", name}:
                    measure()
        except (FolderInUseError, ChildrenAliveError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    for name, measure in PURE.items():
        if part in {"all", name}:
            measure()
    return 0


if __name__ == "__main__":
    sys.exit(main())
