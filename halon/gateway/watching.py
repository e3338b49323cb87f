"""Clusters whose events the gateway watches: one task for each source of type `kubernetes_events` and namespace.

An event goes the way of a webhook, and the watch goes on behind it only when its alert is durable. A gateway that
starts looks at what happened lately as well; what was taken before is the same episode, so nothing is kept between two
starts and nothing is done twice.
"""

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from opentelemetry import metrics

from halon.clients.environment import clusters_of
from halon.clients.kubernetes.api import EVENTS
from halon.clients.kubernetes.connection import Gone
from halon.clients.kubernetes.watching import Watch
from halon.contracts.base import JsonObject, format_duration
from halon.errors import HalonError, InvalidInput, PermanentError, TransientError
from halon.gateway.parsing import AlertSource, bounded_problems
from halon.gateway.polling import LONGEST_PAUSE, SHORTEST_PAUSE, Ways
from halon.gateway.sources import build_source
from halon.gateway.sources.kubernetes_events import happened
from halon.settings import Settings
from halon.settings.sources import WatchSettings

log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_events = _meter.create_counter("halon.gateway.events", description="Events of clusters, by source and result")
_failures = _meter.create_counter("halon.gateway.watch.failures", description="Watches that broke off, by source")


@dataclass(slots=True)
class Watcher:
    """Takes the events of one namespace, or of a whole cluster."""

    source: AlertSource
    watch: Watch
    ways: Ways
    look_back: timedelta
    listed: bool = False

    async def run(self) -> None:
        """Take events for ever."""
        pause = SHORTEST_PAUSE
        while True:
            try:
                await self.ways.check()
                await self._follow()
                pause = SHORTEST_PAUSE
                continue
            except Gone:
                self.listed = False  # what happened meanwhile is read anew
            except HalonError as error:
                _failures.add(1, {"source": self.source.name})
                wait = format_duration(pause)
                log.warning("watch.broke_off", source=self.source.name, reason=str(error), again_in=wait)
            except Exception:
                # The edge: a defect is told as one, and must not silence a source for good.
                _failures.add(1, {"source": self.source.name})
                log.exception("watch.defect", source=self.source.name, again_in=format_duration(pause))
            await asyncio.sleep(pause.total_seconds())
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _follow(self) -> None:
        """Take what happened lately, unless that was done, and then what happens until the server ends the watch."""
        if not self.listed:
            await self._catch_up()
            self.listed = True
        async with aclosing(self.watch.changes()) as changes:
            async for event in changes:
                await self._take(event)

    async def _catch_up(self) -> None:
        earliest = self.ways.clock() - self.look_back
        lately = [
            (at, one) for one in await self.watch.listed() if (at := happened(one)) is not None and at >= earliest
        ]
        for _, event in sorted(lately, key=_when):
            await self._take(event)

    async def _take(self, event: JsonObject) -> None:
        """Take one event.

        Raises:
            TransientError: it is not durable, and is to be taken again.
        """
        result = "refused"
        try:
            contents = self.ways.bodies.read(self.source, json.dumps(event).encode(), {}, self.ways.clock())
            if not contents.parsed.alerts and not contents.parsed.rejected:
                result = "left"
                return
            receipt = await self.ways.intake.take(self.source.name, contents)
            result = "taken" if contents.parsed.alerts else "refused"
            if result == "refused":
                log.error("event.refused", source=self.source.name, problems=receipt.errors)
        except TransientError:
            result = "later"
            raise
        except (InvalidInput, PermanentError) as error:
            told = bounded_problems(error.problems) if isinstance(error, InvalidInput) else []
            log.error("event.refused", source=self.source.name, problems=told or [str(error)])  # noqa: TRY400  # said
        finally:
            _events.add(1, {"source": self.source.name, "result": result})


class Watchers:
    """All of them, and their end."""

    def __init__(self, settings: Settings, ways: Ways) -> None:
        """Build what watches the clusters.

        Raises:
            Misconfigured: there is no such cluster.
        """
        self._clusters = clusters_of(settings)
        self._all = [
            Watcher(build_source(name, one), self._watch(one.watch, namespace), ways, one.watch.look_back)
            for name, one in settings.gateway.sources.items()
            if one.watch is not None
            for namespace in one.watch.namespaces or ("",)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def _watch(self, settings: WatchSettings, namespace: str) -> Watch:
        fields = "" if settings.reasons else "type=Warning"
        return self._clusters.cluster(settings.cluster).watch(EVENTS, namespace, fields)

    def start(self) -> None:
        """Begin to watch."""
        self._tasks = [asyncio.create_task(one.run()) for one in self._all]

    async def stop(self) -> None:
        """End at once: what was not durable yet is taken at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._clusters.close()


def _when(found: tuple[datetime, JsonObject]) -> datetime:
    return found[0]
