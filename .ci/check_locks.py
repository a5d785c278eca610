"""Check that both requirement files fit pyproject.toml and each other, without a network."""

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def read_pins(path: Path) -> dict[str, str]:
    """Map each package of a compiled requirement file to its pinned version."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in pins}


def find_mistakes(wanted: list[str], pins: dict[str, str], file: str) -> list[str]:
    """Name every requirement that the pins of a file do not satisfy."""
    mistakes: list[str] = []
    for text in wanted:
        requirement = Requirement(text)
        version = pins.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            mistakes.append(f"{file}: {text} is wanted, {version or 'nothing'} is pinned")
    return mistakes


def main() -> int:
    """Print what is out of step and answer the exit status."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime, dev = read_pins(ROOT / "requirements.txt"), read_pins(ROOT / "requirements-dev.txt")
    mistakes = find_mistakes(project["dependencies"], runtime, "requirements.txt")
    everything = project["dependencies"] + project["optional-dependencies"]["dev"]
    mistakes += find_mistakes(everything, dev, "requirements-dev.txt")
    mistakes += [
        f"{name}: {version} in requirements.txt, {dev.get(name)} in requirements-dev.txt"
        for name, version in runtime.items()
        if dev.get(name) != version
    ]
    lock = (ROOT / "local_cloud/azurite/package-lock.json").read_text()
    if '"resolved"' in lock:
        mistakes.append("local_cloud/azurite/package-lock.json names download addresses")
    for mistake in mistakes:
        print(f"{mistake}; hint: run make lock")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
