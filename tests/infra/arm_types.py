"""Compare resources with the types of Azure Resource Manager, as the Bicep compiler would.

`azure-types.json` holds the types of the resources that `infra/` uses. A type is `{"k": kind, ...}`; a property is the
index of its type, or `[index, flags]` with the flags r (required) and o (read-only).
"""

import json
import re
from pathlib import Path
from typing import Any

from tests.infra.bicep import Either, Lambda, Resource, Unknown, Value

TABLE: dict[str, Any] = json.loads((Path(__file__).parent / "azure-types.json").read_text())
PYTHON_TYPE: dict[str, type] = {
    "string": str,
    "enum": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
    "tagged": dict,
}


def find_type_faults(resource: Resource) -> list[str]:
    """Name every member of a resource that Azure does not know, or that it requires and does not find."""
    key = f"{resource.type}@{resource.version}"
    where = f"{resource.file}: {resource.symbol}"
    if key not in TABLE["resources"]:
        return [f"{where}: {key} is not in azure-types.json"]
    return [f"{where}{fault}" for fault in _faults(resource.body, TABLE["resources"][key], "")]


def _faults(value: Value, index: int, path: str) -> list[str]:
    shape = TABLE["types"][index]
    if isinstance(value, Either):
        return [fault for option in value.options for fault in _faults(option, index, path)]
    if value is None or isinstance(value, Unknown | Lambda) or shape["k"] == "any":
        return []
    wanted = PYTHON_TYPE[shape["k"]]
    if type(value) is not wanted:
        return [f"{path}: {value!r} is not of type {shape['k']}"]
    if isinstance(value, dict):
        return _object_faults(value, shape, path)
    if isinstance(value, list):
        return [fault for i, item in enumerate(value) for fault in _faults(item, shape["of"], f"{path}[{i}]")]
    return _scalar_faults(value, shape, path)


def _scalar_faults(value: int | str, shape: dict[str, Any], path: str) -> list[str]:
    size = len(value) if isinstance(value, str) else value
    if shape["k"] == "enum":
        return [] if shape.get("open") or value in shape["v"] else [f"{path}: {value!r} is not one of {shape['v']}"]
    if not shape.get("min", size) <= size <= shape.get("max", size):
        return [f"{path}: {value!r} is outside {shape.get('min')}..{shape.get('max')}"]
    if isinstance(value, str) and not re.search(shape.get("pattern", ""), value):
        return [f"{path}: {value!r} does not match {shape['pattern']}"]
    return []


def _object_faults(value: dict[str, Value], shape: dict[str, Any], path: str) -> list[str]:
    properties, more = dict(shape["p"]), shape.get("more")
    if shape["k"] == "tagged":
        case = shape["cases"].get(value.get(shape["on"]))
        if case is None:
            return [f"{path}.{shape['on']}: {value.get(shape['on'])!r} is not one of {sorted(shape['cases'])}"]
        properties |= TABLE["types"][case]["p"]
        more = TABLE["types"][case].get("more", more)
    faults: list[str] = []
    for name, given in value.items():
        index, flags = _property(properties.get(name, more))
        if index is None:
            faults.append(f"{path}.{name}: no such property")
        elif "o" in flags and name != "name":
            faults.append(f"{path}.{name}: is read-only")
        else:
            faults += _faults(given, index, f"{path}.{name}")
    required = {name for name, entry in properties.items() if "r" in _property(entry)[1]} - {"type", "apiVersion"}
    return faults + [f"{path}.{name}: is required" for name in sorted(required - set(value))]


def _property(entry: list[Any] | int | None) -> tuple[int | None, str]:
    if isinstance(entry, list):
        return entry[0], entry[1]
    return entry, ""
