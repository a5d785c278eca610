"""Check that an answer of the SDK has what its models call required, and that everything in it is typed right."""

import datetime as dt
import types
import typing
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Literal, Union

from azure.mgmt.dataprotection import models


def find_faults(answer: Any, path: str = "") -> Iterator[str]:
    """Answer what a model lacks or has in another type than the SDK documents, by its path."""
    if isinstance(answer, list):
        for index, item in enumerate(typing.cast("list[Any]", answer)):
            yield from find_faults(item, f"{path}[{index}]")
        return
    path = path or type(answer).__name__
    for name, kind in _members(type(answer)).items():
        try:
            value = getattr(answer, name)
        except Exception as error:  # noqa: BLE001 - the SDK raises what its deserializer met, of any kind
            yield f"{path}.{name}: cannot be read: {type(error).__name__}"
            continue
        if value is None:
            if not _is_optional(kind):
                yield f"{path}.{name}: required, and missing"
        else:
            sent = answer[_wire_name(type(answer), name)]
            # The SDK makes text and truth of anything, so these are compared as they came.
            plain = isinstance(value, str | bool) and not isinstance(value, Enum)
            yield from _mistyped(sent if plain else value, kind, f"{path}.{name}")


def _wire_name(model: Any, name: str) -> str:
    return str(model._attr_to_rest_field[name]._rest_name)


def _members(model: type) -> Mapping[str, Any]:
    """Answer the members of a model and its bases with their types."""
    names = {"_models": models, "datetime": dt, "typing": typing}
    hints: dict[str, Any] = {}
    for cls in reversed(model.__mro__):
        if cls.__module__.startswith("azure.mgmt.dataprotection"):
            hints |= typing.get_type_hints(cls, globalns={**vars(typing), **vars(models), **names})
    return {name: kind for name, kind in hints.items() if not name.startswith("_")}


def _is_optional(kind: Any) -> bool:
    return type(None) in typing.get_args(kind)


def _mistyped(value: Any, kind: Any, path: str) -> Iterator[str]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {Union, types.UnionType}:
        fitting = [option for option in arguments if option is not type(None)]
        # `Union[str, Enum]`: the SDK takes any text, but a word that its enum does not have is no answer of Azure's.
        words = [option for option in fitting if isinstance(option, type) and issubclass(option, Enum)]
        yield from min((list(_mistyped(value, option, path)) for option in words or fitting), key=len)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: {type(value).__name__} instead of a list"
            return
        for index, item in enumerate(typing.cast("list[Any]", value)):
            yield from _mistyped(item, arguments[0], f"{path}[{index}]")
    elif origin is dict:
        if not isinstance(value, Mapping):
            yield f"{path}: {type(value).__name__} instead of an object"
    elif origin is Literal:
        if value not in arguments:
            yield f"{path}: '{value}' instead of {arguments}"
    elif isinstance(kind, type):
        yield from _of_another_class(value, kind, path)


def _of_another_class(value: Any, kind: type, path: str) -> Iterator[str]:
    if issubclass(kind, Enum):
        if value not in {member.value for member in kind}:
            yield f"{path}: '{value}' is no {kind.__name__}"
        return
    is_number = kind is float and isinstance(value, int) and not isinstance(value, bool)
    is_truth_value = isinstance(value, bool) and kind is not bool
    if is_truth_value or not (isinstance(value, kind) or is_number):
        yield f"{path}: {type(value).__name__} instead of {kind.__name__}"
    elif kind.__module__.startswith("azure.mgmt.dataprotection"):
        yield from find_faults(value, path)
