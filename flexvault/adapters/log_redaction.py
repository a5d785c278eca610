"""The one redaction filter: no log record leaves the app with a SAS, a token or a key, whoever wrote it.

Every record of the process passes by: `install` wraps the one place where loggers make them. A filter on a logger or a
handler would miss the records of child loggers and the handlers that are added later, and a record factory would miss
`extra`. A record that holds no secret is left exactly as it is, but for the facts of what is worked at
(`flexvault.adapters.log_facts`), which the same place adds.
"""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any, cast

from flexvault.adapters.log_facts import add_facts
from flexvault.domain.redaction import redact

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
_MARK = "_flexvault_redacts"
type _Make = Callable[..., logging.LogRecord]


class RedactionFilter(logging.Filter):
    """Takes secrets out of a record's message, arguments, exception, stack and extra members; drops no record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact in place; twice changes nothing more."""
        _redact_message(record)
        _redact_exception(record)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        for name, value in list(record.__dict__.items()):
            if name not in _STANDARD:
                del record.__dict__[name]
                record.__dict__[redact(name)] = _redact_value(value)
        return True


def install() -> None:
    """Let every record of this process pass by the filter, from now on; a second call changes nothing."""
    make = cast("_Make", logging.Logger.makeRecord)
    if hasattr(make, _MARK):
        return
    keep_clean = RedactionFilter()

    def make_clean(logger: logging.Logger, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(logger, *args, **kwargs)
        add_facts(record)
        keep_clean.filter(record)
        return record

    setattr(make_clean, _MARK, True)
    logging.Logger.makeRecord = make_clean  # pyright: ignore[reportAttributeAccessIssue] - the same signature


def _redact_message(record: logging.LogRecord) -> None:
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments as they are, with what they hold
        record.msg, record.args = redact(f"{record.msg} {record.args!r}"), ()
        return
    clean = redact(text)
    if clean != text:
        record.msg, record.args = clean, ()
    elif record.args:
        # What the message does not show may still be exported.
        record.args = cast("tuple[object, ...]", _redact_value(record.args))


def _redact_exception(record: logging.LogRecord) -> None:
    """Put an exception of the same name with clean text in place of one whose text or cause holds a secret."""
    if record.exc_text:
        record.exc_text = redact(record.exc_text)
    if not record.exc_info or record.exc_info[0] is None:
        return
    kind, error, trace = record.exc_info
    text = "".join(traceback.format_exception(kind, error, trace)).rstrip("\n")
    clean = redact(text)
    if clean == text:
        return
    record.exc_text = clean
    shown = type(kind.__name__, (Exception,), {"__module__": kind.__module__})(redact(str(error)))
    shown.add_note(clean)  # exporters format the exception anew
    # Without its traceback: the frames of that hold the values.
    record.exc_info = (type(shown), shown, None)


def _redact_value(value: Any) -> Any:
    """Answer a value without secrets: itself where its text holds none."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        clean = {_redact_value(name): _redact_value(member) for name, member in members.items()}
        return members if clean == members else clean
    if isinstance(value, list | tuple | set | frozenset):
        elements = cast("list[Any] | tuple[Any, ...]", value)
        parts = [_redact_value(element) for element in elements]
        if all(part is element for part, element in zip(parts, elements, strict=True)):
            return elements
        return tuple(parts) if isinstance(elements, tuple) else parts
    return _redact_object(value)


def _redact_object(value: object) -> object:
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - whoever formats it fails as well
        return value
    clean = redact(text)
    return value if clean == text else clean
