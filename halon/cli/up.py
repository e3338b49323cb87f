"""`halon up`: the whole engine on one machine, for real use. Ctrl-C stops it; what it knows is in `data_dir`."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from halon.cli.engine import Engine, running
from halon.cli.invocation import Invocation, settings_of
from halon.cli.options import flag
from halon.cli.output import note, say, say_json, say_whole, styled
from halon.clients.tokens import operator_token_file
from halon.errors import Misconfigured
from halon.settings import SecretRef, Settings, Source

EXAMPLE = """\
# halon.yaml
playbooks: [playbooks]
gateway:
  sources:
    alertmanager:                  # alerts come to /v1/alerts/alertmanager
      type: alertmanager
      auth: {bearer: {env: HALON_ALERTMANAGER_TOKEN}}
"""
_TEST_ALERT = (
    '{"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "Hello"}, '
    '"startsAt": "2026-01-02T03:04:05Z"}]}'
)


def up(
    context: typer.Context,
    *,
    json: Annotated[bool, flag("--json", help="Write where everything is, and the logs, as JSON.")] = False,
) -> None:
    """Run everything on this machine: Temporal with its web UI, the gateway, and a worker.

    Settings come from halon.yaml; all data are below `data_dir` and survive every restart. A process that dies is
    started again. Ctrl-C or SIGTERM stops all.
    """
    from halon.telemetry import configure_logs  # noqa: PLC0415  # a third of a second of imports

    invocation = context.find_object(Invocation) or Invocation()
    settings = settings_of(context)
    if not settings.gateway.sources and not json:
        note("no alert source is set up, so nobody can send alerts yet; write one into halon.yaml, such as:")
        sys.stderr.write(f"\n{EXAMPLE}\n")
    _look_at_playbooks(settings)
    if json:
        telemetry = settings.telemetry.model_copy(update={"log_format": "json"})
        settings = settings.model_copy(update={"telemetry": telemetry})
    configure_logs("up", settings)
    asyncio.run(_serve(settings, invocation.config, json=json))
    if not json:
        say("stopped; the data stay")


async def _serve(settings: Settings, config: Path | None, *, json: bool) -> None:
    with _stopping() as stop:
        run = asyncio.create_task(_run(settings, config, json=json))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([run, stopped], return_when=asyncio.FIRST_COMPLETED)
        if stopped.done() and not json:
            say("stopping: what is being done gets 20 seconds to finish")
        stopped.cancel()
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run


async def _run(settings: Settings, config: Path | None, *, json: bool) -> None:
    async with running(settings, config, json=json, logs=None) as engine:
        if json:
            say_json(
                {
                    "temporal": engine.address,
                    "ui": engine.ui_url,
                    "gateway": engine.gateway_url,
                    "console": _console(settings, engine),
                    "data_dir": str(settings.data_dir),
                    "alerts": {
                        name: one.queue.url or one.queue.name if one.queue else _webhook(engine, name)
                        for name, one in settings.gateway.sources.items()
                    },
                }
            )
        else:
            _tell(settings, engine)
        await engine.failed()


def _tell(settings: Settings, engine: Engine) -> None:
    """Say where everything is, and how an alert is sent."""
    playbooks = next(check for check in engine.setup.checks if check.name == "playbooks")
    sources, console = settings.gateway.sources, _console(settings, engine)
    say("", Text("Halon is up", style="bold green"))
    _fact("web UI", engine.ui_url)
    _fact("temporal", f"{engine.address}, namespace default")
    _fact("gateway", f"{engine.gateway_url} (/readyz, /metrics, /openapi.json)")
    _fact("API", _how_to_ask(settings, engine))
    _fact("console", console, "green")
    _fact("playbooks", playbooks.detail, "" if playbooks.ok else "bold red")
    _fact("clusters", ", ".join(settings.kubernetes.clusters) or "the one of your own kubeconfig")
    _fact("data", str(settings.data_dir))
    if settings.temporal.encryption is not None:
        _fact("payloads", f"encrypted with key {settings.temporal.encryption.current}, in clear in the web UI")
    for name, source in sources.items():
        if source.queue is not None:
            _fact("alerts", f"from the queue {source.queue.url or source.queue.name}, as {name}")
        elif source.watch is not None:
            _fact("alerts", f"from events of cluster {source.watch.cluster or 'default'}, as {name}")
        else:
            _fact("alerts", f"POST {_webhook(engine, name)}  {_proof(source)}")
    by_hand = [name for name, one in sources.items() if one.type == "alertmanager" and one.auth.hmac is None]
    if by_hand:
        _fact("try it", _try_it(_webhook(engine, by_hand[0]), sources[by_hand[0]]), "green")
    say(Text("  Ctrl-C stops everything; the data stay", style="dim"), "")


def _console(settings: Settings, engine: Engine) -> str:
    """Where the pages are. While nobody is named, the address signs in whoever reads it here, once."""
    from halon.clients.seals import sealer  # noqa: PLC0415  # a tenth of a second of imports, which `--help` needs not
    from halon.gateway.console.links import LINK_KEY, Links  # noqa: PLC0415  # as above
    from halon.gateway.identity import operator_of, the_operator  # noqa: PLC0415  # as above

    page = f"{engine.gateway_url}/console/"
    if operator_of(settings) is None:
        return page
    try:
        key = sealer(settings).derived(LINK_KEY)
    except Misconfigured:
        return page  # the gateway tells it in its log
    return f"{page}sign-in?link={Links(lambda: key).make(the_operator(), datetime.now(UTC))}"


def _fact(name: str, value: str, style: str = "") -> None:
    say_whole(Text.assemble((f"  {name:<10} ", "dim"), styled(value, style)))


def _how_to_ask(settings: Settings, engine: Engine) -> str:
    """Say who may use the API, and how one asks who one is."""
    if settings.people or settings.auth.oidc:
        return f"{engine.gateway_url}/v1 for the people of halon.yaml, with a token of theirs"
    file = operator_token_file(settings.data_dir)
    return (
        f"curl -H \"Authorization: Bearer $(cat '{file}')\" {engine.gateway_url}/v1/me  (that token may do everything)"
    )


def _webhook(engine: Engine, source: str) -> str:
    return f"{engine.gateway_url}/v1/alerts/{source}"


def _proof(source: Source) -> str:
    """Say how a sender proves who it is, without the secret."""
    auth = source.auth
    if auth.bearer is not None:
        return f"with the bearer token of {_place(auth.bearer)}"
    if auth.hmac is not None:
        return f"with a signature in {auth.hmac.header}, by the secret of {_place(auth.hmac.secret)}"
    if auth.none:
        return "from anybody: authentication is off"
    return f"with {auth.ways[0]}, as `gateway.sources` says"


def _place(secret: SecretRef) -> str:
    first = secret.sources[0]
    return f"${first.env}" if first.env else str(first.file or first)


def _try_it(url: str, source: Source) -> str:
    token = source.auth.bearer.sources[0] if source.auth.bearer else None
    given = f"${token.env}" if token and token.env else f"$(cat '{token.file}')" if token and token.file else "TOKEN"
    header = f'-H "Authorization: Bearer {given}" ' if token else ""
    return f"curl {header}-H 'Content-Type: application/json' --data '{_TEST_ALERT}' {url}"


def _look_at_playbooks(settings: Settings) -> None:
    """Check before anything is started that there is something to serve.

    Raises:
        Misconfigured: a path in `playbooks` does not exist.
    """
    for path in settings.playbooks:
        if not path.exists():
            raise Misconfigured(f"there are no playbooks at {path}: name yours in `playbooks` of halon.yaml")


@contextmanager
def _stopping() -> Generator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
