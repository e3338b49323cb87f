"""`halon worker` and `halon gateway`. What they run is imported when they are called: other commands stay quick."""

import asyncio
from typing import Annotated

import typer

from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.settings import Settings

Json = Annotated[bool, flag("--json", help="Write the log as JSON, one line an event.")]


For = Annotated[
    list[str] | None,
    typer.Option(
        "--for",
        metavar="TARGET",
        help="Be the worker of cluster:NAME or account:NAME, or the shared worker:NAME; may be given often. "
        "`all`: the central worker and every other in one process.",
    ),
]


def run_worker(context: typer.Context, *, targets: For = None, json: Json = False) -> None:
    """Run a worker: the process that carries out playbooks.

    It waits for Temporal as long as it takes, and ends what it is doing when it gets SIGTERM or Ctrl-C: actions have
    20 seconds to finish, and what they leave another worker takes up.

    With --for it is the worker of clusters and accounts that have `worker: true` in halon.yaml: it carries out what is
    done there and runs no playbooks, so it needs no store, and of credentials those of its targets alone.

    Run as many as you like of each; they share the work.

    Example: halon worker --for cluster:eu-1 --for account:prod
    """
    from halon.cli.processes import serve_worker  # noqa: PLC0415  # half a second of imports

    asyncio.run(serve_worker(_logged(settings_of(context), as_json=json), targets or ()))


def run_gateway(context: typer.Context, *, json: Json = False) -> None:
    """Run the gateway: the HTTP server that takes alerts in.

    Alerts come to POST /v1/alerts/SOURCE, for each source in `gateway.sources` of halon.yaml. It runs without Temporal
    too and then answers 503, so that senders try again. GET /readyz says what is missing, /metrics serves Prometheus.
    """
    from halon.cli.processes import serve_gateway  # noqa: PLC0415  # half a second of imports

    asyncio.run(serve_gateway(_logged(settings_of(context), as_json=json)))


def _logged(settings: Settings, *, as_json: bool) -> Settings:
    """Give the settings with the log's format as the command line has it."""
    if not as_json:
        return settings
    telemetry = settings.telemetry.model_copy(update={"log_format": "json"})
    return settings.model_copy(update={"telemetry": telemetry})
