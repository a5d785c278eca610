"""Record the golden histories anew: `python -m tests.orchestrators.record`.

Only for a new story, or after a change that may break running orchestrations on purpose: then the old file is kept
under another name as long as such orchestrations may still run.
"""

from tests.orchestrators.plays import STORIES
from tests.orchestrators.replaying import HISTORIES, play, save

if __name__ == "__main__":
    for name, (orchestrator, payload, activities) in STORIES.items():
        save(HISTORIES / f"{name}.json", orchestrator.__name__, play(orchestrator, payload, activities()))
