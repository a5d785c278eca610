"""Read a folder of policies and backup instances: JSON files in Azure Backup's own shape, all mistakes at once."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from flexvault_cli.errors import MISUSED, CliError
from flexvault_cli.wire import Json, is_list, is_object

LAYOUT = "the folder holds policies/*.json and instances/*.json, each with name and properties: see cli/README.md"

_LONGEST_NAME = 260
_UNUSABLE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
_NAME_HINT = f"at most {_LONGEST_NAME} characters, no slashes, backslashes and control characters, not . or .."


class Kind(StrEnum):
    """What a file describes."""

    POLICY = "policy"
    INSTANCE = "instance"


FOLDERS = {Kind.POLICY: "policies", Kind.INSTANCE: "instances"}
OBJECT_TYPES = {Kind.POLICY: "BackupPolicy", Kind.INSTANCE: "BackupInstance"}
_STRAY = {".json", ".yaml", ".yml"}
_NEEDED = {Kind.POLICY: ("policyRules",), Kind.INSTANCE: ("dataSourceInfo.resourceID", "policyInfo.policyId")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One policy or backup instance as a file describes it."""

    kind: Kind
    name: str
    properties: Json
    file: str
    """Below the folder."""


class _Reading:
    """Collects what is there, and what is wrong with it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: list[Wanted] = []
        self.mistakes: list[str] = []

    def read_kind(self, kind: Kind) -> None:
        folder = self._root / FOLDERS[kind]
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            file = path.relative_to(self._root).as_posix()
            if path.name.startswith("."):
                continue
            if path.suffix != ".json" or path.is_dir():
                self.wrong(file, "is no .json file: nothing else is read here")
                continue
            for place, resource in self._resources(path, file):
                self._read(kind, place, resource, path.stem)

    def wrong(self, place: str, message: str) -> None:
        self.mistakes.append(f"{place}: {message}")

    def _resources(self, path: Path, file: str) -> Iterator[tuple[str, Any]]:
        """Answer the resources of a file: one, or those of a list's answer."""
        try:
            document: Any = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
            json.dumps(document, ensure_ascii=False).encode()  # half a character could not be sent
        except OSError as error:
            self.wrong(file, f"cannot be read: {error.strerror}")
            return
        except (ValueError, RecursionError) as error:
            self.wrong(file, f"is no JSON: {error}")
            return
        members: Any = document.get("value") if is_object(document) else None
        if is_list(members) and "properties" not in document:
            for index, member in enumerate(members):
                yield f"{file}[{index}]", member
        else:
            yield file, document

    def _read(self, kind: Kind, place: str, resource: Any, stem: str) -> None:
        if not is_object(resource):
            self.wrong(place, "is no JSON object")
            return
        members = {name.lower(): value for name, value in resource.items()}
        name = members.get("name", stem if place.endswith(".json") else None)
        properties = members.get("properties")
        if not isinstance(name, str) or not name.strip():
            self.wrong(place, "its name is missing or no text")
        elif _UNUSABLE.search(name) or name in {".", ".."} or len(name) > _LONGEST_NAME:
            self.wrong(place, f"its name '{name[:_LONGEST_NAME]}' can be no resource's: {_NAME_HINT}")
        elif not is_object(properties):
            self.wrong(place, "its properties are missing or no object")
        elif self._is_usable(kind, place, properties) and not self._is_double(kind, place, name):
            self.found.append(Wanted(kind=kind, name=name, properties=properties, file=place))

    def _is_usable(self, kind: Kind, place: str, properties: Json) -> bool:
        before = len(self.mistakes)
        told = find_member(properties, "objectType")
        if not isinstance(told, str) or told.lower() != OBJECT_TYPES[kind].lower():
            self.wrong(place, f"properties.objectType must be '{OBJECT_TYPES[kind]}' in {FOLDERS[kind]}/")
        for path in _NEEDED[kind]:
            if not find_member(properties, path):
                self.wrong(place, f"properties.{path} is missing")
            elif kind is Kind.INSTANCE and not isinstance(find_member(properties, path), str):
                self.wrong(place, f"properties.{path} is no text")
        return len(self.mistakes) == before

    def _is_double(self, kind: Kind, place: str, name: str) -> bool:
        for other in self.found:
            if other.kind is kind and other.name.lower() == name.lower():
                self.wrong(place, f"{other.file} describes the {kind} '{name}', too")
                return True
        return False


def read_folder(folder: str) -> list[Wanted]:
    """Read what a vault shall have: policies first, each kind by file.

    Raises:
        CliError: exit code 2; the folder is none, is empty, or its files have mistakes: all of them are told.
    """
    root = Path(folder)
    if not root.is_dir():
        raise CliError(f"{folder} is no folder", actions=[LAYOUT], exit_code=MISUSED)
    reading = _Reading(root)
    for kind in Kind:
        reading.read_kind(kind)
    for path in sorted(path for path in root.iterdir() if path.suffix in _STRAY):
        reading.wrong(path.name, "lies beside policies/ and instances/, not in one of them")
    if reading.mistakes:
        lines = "\n".join(["nothing was sent: the folder has mistakes", *reading.mistakes])
        raise CliError(lines, code="InvalidFolder", actions=[LAYOUT], exit_code=MISUSED)
    if not reading.found:
        raise CliError(f"{folder} holds no policy and no backup instance", actions=[LAYOUT], exit_code=MISUSED)
    return reading.found


def names_of(wanted: Sequence[Wanted], kind: Kind) -> set[str]:
    """Answer the names of one kind in lower case."""
    return {one.name.lower() for one in wanted if one.kind is kind}


def find_member(holder: Any, path: str) -> Any:
    """Answer the value at a dotted path, whatever the case of its members' names, or None."""
    for part in path.split("."):
        if not is_object(holder):
            return None
        holder = next((value for name, value in holder.items() if name.lower() == part.lower()), None)
    return holder


def _refuse_constant(name: str) -> Any:
    message = f"{name} cannot be sent"
    raise ValueError(message)
