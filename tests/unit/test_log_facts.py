"""What is worked at is named by every log record and by the trace, and nothing of it outlasts its block."""

import logging
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from flexvault.adapters.azure.telemetry import AzureTelemetry
from flexvault.adapters.log_redaction import install

IDS = {"request_id": "r-1", "correlation_id": "c-1"}


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> trace.Tracer:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("test")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.Logger, "makeRecord", logging.Logger.makeRecord)
    install()
    caplog.set_level(logging.INFO)
    return caplog


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name.startswith("flexvault.")}


def test_every_record_within_carries_the_facts_whoever_wrote_it(
    log: pytest.LogCaptureFixture, tracer: trace.Tracer
) -> None:
    telemetry = AzureTelemetry(tracer)
    with telemetry.within(IDS):
        logging.getLogger("azure.core").warning("an SDK's own")
        with telemetry.within({"job_id": "j-1", "correlation_id": "c-2"}):
            telemetry.emit("JobCompleted", {"job_id": "j-told"})
        logging.getLogger("flexvault.api.app").info("back")
    logging.getLogger("flexvault.api.app").info("outside")
    shown = {f"flexvault.{name}": value for name, value in IDS.items()}
    assert [facts_of(record) for record in log.records] == [
        shown,
        shown | {"flexvault.job_id": "j-told", "flexvault.correlation_id": "c-2"},
        shown,
        {},
    ]


def test_a_secret_among_the_facts_is_redacted(
    log: pytest.LogCaptureFixture, tracer: trace.Tracer, spans: InMemorySpanExporter
) -> None:
    with AzureTelemetry(tracer).within({"correlation_id": "https://a.example/c?sig=PLANTED"}):
        logging.getLogger("x").info("x")
    (span,) = spans.get_finished_spans()
    assert "PLANTED" not in str(facts_of(log.records[0])) + str(span.attributes)


def test_facts_of_one_thread_are_not_anothers(log: pytest.LogCaptureFixture, tracer: trace.Tracer) -> None:
    with AzureTelemetry(tracer).within(IDS):
        thread = threading.Thread(target=lambda: logging.getLogger("x").info("elsewhere"))
        thread.start()
        thread.join()
    assert facts_of(log.records[0]) == {}


def test_a_span_that_is_recorded_gets_the_facts(tracer: trace.Tracer, spans: InMemorySpanExporter) -> None:
    with tracer.start_as_current_span("host"), AzureTelemetry(tracer).within(IDS):
        pass
    (span,) = spans.get_finished_spans()
    assert (span.name, span.attributes) == (
        "host",
        {"flexvault.request_id": "r-1", "flexvault.correlation_id": "c-1"},
    )


def test_below_the_hosts_own_span_comes_one_of_ours(tracer: trace.Tracer, spans: InMemorySpanExporter) -> None:
    """The worker hands on only the ids of the host's span, which takes no attributes."""
    ids = trace.SpanContext(trace_id=7, span_id=8, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(ids)), AzureTelemetry(tracer).within(IDS):
        pass
    (span,) = spans.get_finished_spans()
    assert span.context is not None
    assert span.parent is not None
    assert (span.context.trace_id, span.parent.span_id) == (7, 8)
    assert span.attributes == {"flexvault.request_id": "r-1", "flexvault.correlation_id": "c-1"}


def test_an_error_passes_and_its_text_stays_out_of_the_span(tracer: trace.Tracer, spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="PLANTED"), AzureTelemetry(tracer).within(IDS):
        raise ValueError("PLANTED")
    (span,) = spans.get_finished_spans()
    assert (span.events, span.status.description) == ((), None)
