"""No record leaves the process with a secret, whoever wrote it; and a record without one is left as it is."""

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.log_redaction import RedactionFilter, install

SECRET = "YR5PcwmM2BBEFbl2XnhaYEJogHGYR5PcwmM2BBEFbl2XnhaYEJogHGYR5PcwmM2BBEFbl2XnhaYEJogHGABCDE"
SAS = f"https://a.blob.core.windows.net/c/b?sv=2026&sig={SECRET}%3D"
BEARER = f"Bearer eyJhbGciOi.{SECRET}.{SECRET}"
KEY = f"{SECRET}=="
LOGGERS = ["", "azure", "azure.core.pipeline.policies.http_logging_policy", "flexvault.api.app", "activities.registry"]


class Kept(logging.Handler):
    """Keeps every record, and what a formatter makes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.text = io.StringIO()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.text.write(self.format(record))

    def all_text(self) -> str:
        """Everything that a handler or an exporter could tell."""
        told = [self.text.getvalue()]
        for record in self.records:
            told.append(repr({name: value for name, value in record.__dict__.items() if name != "exc_info"}))
            if record.exc_info:
                told += traceback.format_exception(*record.exc_info)
                told.append(repr(record.exc_info[1]))
        return "".join(told)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)
    install()
    handler = Kept()
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)


class Holder:
    """An object that tells a secret when it is written."""

    def __str__(self) -> str:
        return f"holds {SAS}"

    __repr__ = __str__


def in_message(logger: logging.Logger, secret: str) -> None:
    logger.warning("sent to " + secret)  # noqa: G003 - as others write it


def in_args(logger: logging.Logger, secret: str) -> None:
    logger.warning("sent to %s after %d tries", secret, 3)


def in_a_dictionary_of_args(logger: logging.Logger, secret: str) -> None:
    logger.warning("sent to %(url)s", {"url": secret, "unused": secret})


def in_unshown_args(logger: logging.Logger, secret: str) -> None:
    logger.warning("sent after %(tries)d", {"tries": 3, "headers": {"Authorization": [secret]}})


def in_an_object(logger: logging.Logger, _secret: str) -> None:
    logger.warning("sent %s and %r", Holder(), [Holder()])


def in_an_exception(logger: logging.Logger, secret: str) -> None:
    try:
        raise ValueError(f"refused: {secret}")  # noqa: TRY301
    except ValueError:
        logger.exception("it failed")


def in_the_cause_of_an_exception(logger: logging.Logger, secret: str) -> None:
    try:
        try:
            raise KeyError(secret)  # noqa: TRY301
        except KeyError as error:
            raise RuntimeError("it failed") from error
    except RuntimeError:
        logger.exception("it failed")


def in_extra(logger: logging.Logger, secret: str) -> None:
    logger.warning("it failed", extra={"url": secret, "more": {"nested": [(secret,)]}, secret: 1})


def in_wrong_args(logger: logging.Logger, secret: str) -> None:
    logger.warning("sent to %s and %s", secret)  # noqa: PLE1206 - a mistake that logging prints with the arguments


WAYS: list[Callable[[logging.Logger, str], None]] = [
    in_message,
    in_args,
    in_a_dictionary_of_args,
    in_unshown_args,
    in_an_object,
    in_an_exception,
    in_the_cause_of_an_exception,
    in_extra,
    in_wrong_args,
]


@pytest.mark.parametrize("logger", LOGGERS)
@pytest.mark.parametrize("secret", [SAS, BEARER, KEY], ids=["SAS", "bearer", "key"])
@pytest.mark.parametrize("write", WAYS, ids=[way.__name__ for way in WAYS])
def test_no_secret_is_told(
    kept: Kept,
    logger: str,
    secret: str,
    write: Callable[[logging.Logger, str], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(logging.getLogger(logger), secret)
    assert kept.records
    told = kept.all_text()
    assert "[redacted]" in told
    assert SECRET not in told
    assert SECRET not in capsys.readouterr().err


def test_what_stands_beside_a_secret_is_kept(kept: Kept) -> None:
    logging.getLogger("azure.core").error("%s answered %d", SAS, 403, extra={"tries": 3, "account": "acme"})
    [record] = kept.records
    assert record.getMessage() == "https://a.blob.core.windows.net/c/b?[redacted] answered 403"
    assert (record.name, record.levelno, record.lineno > 0) == ("azure.core", logging.ERROR, True)
    assert (vars(record)["tries"], vars(record)["account"]) == (3, "acme")


def test_an_exception_keeps_its_name_its_lines_and_its_cause(kept: Kept) -> None:
    in_the_cause_of_an_exception(logging.getLogger("azure"), SAS)
    [record] = kept.records
    assert record.exc_info is not None
    kind = record.exc_info[0]
    assert kind is not None
    assert kind.__name__ == "RuntimeError"
    for told in (kept.text.getvalue(), "".join(traceback.format_exception(*record.exc_info))):
        assert "KeyError: 'https://a.blob.core.windows.net/c/b?[redacted]" in told
        assert "The above exception was the direct cause" in told
        assert "in in_the_cause_of_an_exception" in told


@pytest.mark.parametrize(
    ("message", "args", "extra"),
    [
        pytest.param("plain", (), {}, id="plain"),
        pytest.param("%s of %d", ("one", 2), {"x": [1, {"a": None}]}, id="arguments"),
        pytest.param("%(a)s", ({"a": 1},), {"o": object}, id="a dictionary"),
    ],
)
def test_a_record_without_a_secret_is_left_as_it_is(
    kept: Kept, message: str, args: tuple[Any, ...], extra: dict[str, Any]
) -> None:
    logging.getLogger("flexvault").warning(message, *args, extra=extra)
    [record] = kept.records
    assert (record.msg, record.args) == (message, args[0] if args and isinstance(args[0], dict) else args)
    assert all(vars(record)[name] is value for name, value in extra.items())


def test_an_exception_without_a_secret_is_left_as_it_is(kept: Kept) -> None:
    error = ValueError("plain")
    logging.getLogger("flexvault").error("it failed", exc_info=error)
    [record] = kept.records
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_installing_twice_is_installing_once(kept: Kept) -> None:
    once = logging.Logger.makeRecord
    install()
    assert logging.Logger.makeRecord is once
    assert kept.records == []


def test_the_filter_drops_nothing_and_redacts_what_was_redacted_no_further() -> None:
    record = logging.makeLogRecord({"msg": SAS, "args": (), "url": BEARER})
    assert RedactionFilter().filter(record)
    once = dict(vars(record))
    assert RedactionFilter().filter(record)
    assert vars(record) == once


def test_an_event_of_telemetry_tells_no_secret_even_where_nothing_was_installed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="flexvault.events"):
        AzureTelemetry().emit("RestoreFailed", {"message": f"refused {SAS}", "token": BEARER, "key": KEY, "tries": 3})
    [record] = caplog.records
    assert SECRET not in repr(vars(record))
    assert vars(record)["flexvault.tries"] == 3
    assert vars(record)["microsoft.custom_event.name"] == "RestoreFailed"
