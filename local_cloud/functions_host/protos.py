"""Stand-ins for the FunctionRpc protobuf messages between host and Python worker.

The runtime takes the module of its messages from the host and only reads and sets attributes, so plain objects do; no
package on PyPI holds messages of the present protocol. Field names are those of `FunctionRpc.proto`.
"""

from typing import TYPE_CHECKING, Any


class Message:
    """A message with the fields that it was made with."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - the protobuf method's own name
        """Return the name of the field that is set; a parameter's `rpc_data` is always `data` here."""
        return "data" if group == "rpc_data" else next(iter(self.__dict__), None)


class BindingInfo(Message):
    """A binding; the directions are looked up by name."""

    inout = 2
    out = 1


setattr(BindingInfo, "in", 0)  # a keyword of the language cannot be written as an attribute


class StatusResult(Message):
    """How a request ended."""

    Failure = 0
    Success = 1


class SameSite:
    """Values of a cookie's SameSite attribute."""

    Lax = 1
    Strict = 2
    ExplicitNone = 3


setattr(SameSite, "None", 0)


class RpcHttpCookie(Message):
    """A cookie of an HTTP answer."""

    SameSite = SameSite


class Protos:
    """The module of messages, as the runtime sees it; what has no constants is a plain message."""

    BindingInfo = BindingInfo
    StatusResult = StatusResult
    RpcHttpCookie = RpcHttpCookie

    def __getattr__(self, name: str) -> type[Message]:
        return Message
