"""Logs, traces and metrics of a Halon process, set up once at its start.

Logs are structlog's and the standard library's alike: one line an event, with the trace's ids, secrets masked. Traces
go from the webhook through Temporal to the call that an action makes; the tracer provider is the replay-safe one that
Temporal's plugin asks for. Metrics are OpenTelemetry's, shown to Prometheus.
"""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import structlog
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import DropAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, start_http_server
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider, create_tracer_provider

from halon.errors import Misconfigured
from halon.redaction import JsonValue, bounded, redact
from halon.settings import Settings

MAX_LINE = 16_000
"""Bytes of a log line's JSON, before markers of what was cut."""

_VIEWS = (
    # By themselves these carry the Host header, which lets anyone make a new series with every request.
    View(instrument_name="http.server.duration", attribute_keys={"http.method", "http.status_code", "http.target"}),
    View(instrument_name="http.client.duration", attribute_keys={"http.method", "http.status_code"}),
    View(instrument_name="http.*size", aggregation=DropAggregation()),
    View(instrument_name="http.server.active_requests", aggregation=DropAggregation()),
)
"""What is kept of the measurements of HTTP that the instrumentations make."""
_STOCK = {
    "halon.incidents.open": "Incidents that are open, in the whole installation",
    "halon.approvals.waiting": "Runs that wait for people to decide, in the whole installation",
}


class Telemetry:
    """What one process tells about itself."""

    def __init__(self, tracing: ReplaySafeTracerProvider, meters: MeterProvider, registry: CollectorRegistry) -> None:
        self.tracer_provider = tracing
        self.meter_provider = meters
        self._registry = registry
        self._server: tuple[Any, Any] | None = None
        self._stock: dict[str, int | None] = {}
        meter = meters.get_meter("halon")
        for name, what in _STOCK.items():
            meter.create_observable_gauge(name, [partial(self._observe, name)], description=what)

    def temporal_plugins(self) -> Sequence[OpenTelemetryPlugin]:
        """Give the plugins for `Client.connect`, which also reach workers made from that client."""
        return [OpenTelemetryPlugin(add_temporal_spans=True)]

    def render_metrics(self) -> tuple[bytes, str]:
        """Give the metrics as Prometheus reads them, with their content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def show_stock(self, *, incidents: int | None, waiting: int | None) -> None:
        """Say what is going on in the whole installation. What is None is not shown: not known is not zero."""
        self._stock = {"halon.incidents.open": incidents, "halon.approvals.waiting": waiting}

    def _observe(self, name: str, _options: metrics.CallbackOptions) -> list[metrics.Observation]:
        count = self._stock.get(name)
        return [] if count is None else [metrics.Observation(count)]

    def serve_metrics(self, host: str, port: int) -> int:
        """Serve the metrics for a process that has no HTTP of its own; give the port, which matters when it was 0.

        Raises:
            Misconfigured: the port is taken.
        """
        try:
            self._server = start_http_server(port, host, self._registry)
        except OSError as error:
            raise Misconfigured(f"metrics cannot be served on {host}:{port}: {error.strerror}") from error
        return int(self._server[0].server_port)

    def shutdown(self) -> None:
        """Send what is waiting to be sent, and stop. For the very end of a process."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()


def setup(service: str, settings: Settings) -> Telemetry:
    """Set up logs, traces and metrics of this process; `service` is what it is, such as `gateway` or `worker`.

    Call it once, before a Temporal client is made: OpenTelemetry keeps the first providers for the whole process.
    """
    configure_logs(service, settings)
    # A trace is carried on, and no baggage with it: what a sender put there would go to every API that is called.
    set_global_textmap(TraceContextTextMapPropagator())
    resource = Resource.create(
        {
            "service.name": f"halon-{service}",
            "service.namespace": "halon",
            "deployment.environment.name": settings.environment,
        }
    )
    # Without a collector spans go nowhere: they are not recorded then, which leaves their ids for the logs.
    sampler = ALWAYS_OFF if settings.telemetry.otlp is None else None
    tracing = create_tracer_provider(resource=resource, sampler=sampler, shutdown_on_exit=False)
    if settings.telemetry.otlp is not None:
        endpoint = f"{settings.telemetry.otlp.rstrip('/')}/v1/traces"
        tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    meters = MeterProvider(metric_readers=[reader], resource=resource, views=_VIEWS, shutdown_on_exit=False)
    trace.set_tracer_provider(tracing)
    metrics.set_meter_provider(meters)
    for instrumentor in (HTTPXClientInstrumentor(), AioHttpClientInstrumentor()):
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=tracing, meter_provider=meters)
    return Telemetry(tracing, meters, registry)


def configure_logs(service: str, settings: Settings) -> None:
    """Send the logs of structlog and of the standard library to standard error, in one format."""
    as_console = settings.telemetry.log_format == "console" or (
        settings.telemetry.log_format is None and sys.stderr.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.telemetry.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _Named(service, settings.environment),
        add_trace,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_console else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask, renderer],
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiosqlite", "httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add the ids of the span that is going on, so that a log line leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def mask(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask secrets in a log line and cut it to size."""
    return cast("EventDict", bounded(cast("dict[str, JsonValue]", redact(dict(event), MAX_LINE)), MAX_LINE))


class _Named:
    """Adds which process of which environment tells this."""

    def __init__(self, service: str, environment: str) -> None:
        self._service = service
        self._environment = environment

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", self._service)
        event.setdefault("environment", self._environment)
        return event
