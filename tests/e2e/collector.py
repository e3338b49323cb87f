"""A collector of traces as OpenTelemetry has it: OTLP over HTTP on loopback, decoded."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Span:
    """What a test asks about a span."""

    name: str
    service: str
    trace: str
    id: str
    parent: str


@dataclass
class Collector:
    """Keeps every span that was sent."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def find(self, name: str) -> Span:
        """Give the last span of this name: an attempt that failed for a moment is made again."""
        return next(span for span in reversed(self.spans) if span.name == name)

    def way_up(self, span: Span) -> Iterator[Span]:
        """Give the span, what it is part of, what that is part of, and so on."""
        known = {one.id: one for one in self.spans}
        here: Span | None = span
        while here is not None:
            yield here
            here = known.get(here.parent)

    async def take(self, request: web.Request) -> web.Response:
        """Answer an exporter."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            names = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.spans += [
                Span(one.name, names["service.name"], one.trace_id.hex(), one.span_id.hex(), one.parent_span_id.hex())
                for scope in resource.scope_spans
                for one in scope.spans
            ]
        self.arrived.set()
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector."""
    collector = Collector()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        collector.url = f"http://{host}:{port}"
        yield collector
    finally:
        await runner.cleanup()
