"""What telling people comes to in a worker: who they are, the message itself, and whose word counts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry import metrics
from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from halon.clients.asking import Asking
from halon.clients.credentials import Credentials
from halon.clients.environment import notifier_of
from halon.clients.links import link_maker
from halon.clients.notify import Message, Notifier
from halon.clients.oncall import OnCall
from halon.clients.people import ENVIRONMENT, console_of
from halon.clients.slack import Slack
from halon.clients.slack_channel import SlackChannel
from halon.clients.statuspage import status_page_of
from halon.contracts.communication import CHANNEL, OWNER, Communication
from halon.contracts.coordination import (
    ADD_SIGNAL,
    DELIVER,
    DIGEST_WORKFLOW,
    PUBLISH,
    RESOLVE,
    WHO,
    Delivered,
    DeliverRequest,
    DigestInput,
    DigestLine,
    Published,
    PublishRequest,
    Recipient,
    Recipients,
    ResolveRequest,
    WhoAnswer,
    WhoRequest,
)
from halon.contracts.people import GROUP, Right
from halon.core.audience import check_conditions
from halon.core.damping import WITHIN, Damper
from halon.core.directory import Directory
from halon.core.wording import check_templates
from halon.errors import HalonError, PermanentError, TransientError
from halon.kit.env import Env
from halon.settings import Settings

MAX_RECIPIENTS = 50
_sent = metrics.get_meter("halon.telling").create_counter(
    "halon.notices", description="Messages to people, by kind and result"
)


def communication_of(settings: Settings) -> Communication | None:
    """What an incident carries with it, made of the settings; None when nobody is to be told anything.

    Raises:
        Misconfigured: an expression or a template does not compile.
    """
    given = settings.communication
    if given.is_silent:
        return None
    spec = Communication(
        environment=settings.environment,
        threads=given.threads,
        tickets=given.tickets,
        fallback=given.fallback,
        page=given.page,
        deadlines=given.deadlines,
        status_page=given.status_page.incidents,
        templates=given.templates,
        gather=given.gather,
        patience=given.patience,
        keep_trying=given.keep_trying,
    )
    check_conditions(spec)
    check_templates(spec.templates)
    return spec


class Telling:
    """Tells people for this worker's workflows."""

    def __init__(
        self,
        client: Client,
        task_queue: str,
        settings: Settings | None = None,
        env: Env | None = None,
    ) -> None:
        """Check what the settings say.

        Raises:
            Misconfigured: an expression or a template does not compile.
        """
        self._settings = settings or Settings()
        communication_of(self._settings)
        self._client, self._task_queue = client, task_queue
        env, credentials = env or Env(), Credentials(self._settings.credentials)
        self._notifier = env.find(Notifier) or notifier_of(self._settings.notify, credentials)
        self._damper = Damper(self._settings.communication.per_minute)
        self._groups = env.find(OnCall) or OnCall(self._settings)
        self._slack = SlackChannel(self._settings, env.find(Slack))
        self._asking = Asking(client, link_maker(self._settings))
        self._page = status_page_of(self._settings.communication.status_page, credentials)

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activities, for a worker."""
        return (self.resolve, self.deliver, self.who, self.publish)

    @activity.defn(name=RESOLVE)
    async def resolve(self, request: ResolveRequest) -> Recipients:
        """Find whom references mean now. When that is nobody, it is the channels that everybody falls back to."""
        groups = {one.removeprefix(GROUP) for one in (*request.to, request.owner) if one.startswith(GROUP)}
        directory, gaps = await self._groups.directory(datetime.now(UTC), groups | {request.owner})
        found: dict[str, Recipient] = {}
        missing = [f"{GROUP}{name}: {why}" for name, why in gaps.items()]
        for reference in request.to:
            meant = self._meant(directory, request.owner if reference == OWNER else reference)
            if not meant:
                missing.append(f"{reference}: nobody is meant by it, or no channel leads there")
            for one in meant:
                found.setdefault(one.name, one)
        if not found:
            given = self._settings.communication
            fallback = given.fallback or given.threads or given.tickets
            if fallback:
                found["fallback"] = Recipient(name=f"{CHANNEL}{fallback[0]}", channels=fallback)
        return Recipients(found=tuple(found.values())[:MAX_RECIPIENTS], missing=tuple(missing)[:MAX_RECIPIENTS])

    @activity.defn(name=DELIVER)
    async def deliver(self, request: DeliverRequest) -> Delivered:
        """Tell one recipient through one channel. What an attempt has told, the next one does not tell again."""
        told: set[int] = set()
        for earlier in activity.info().heartbeat_details:
            told |= {int(one) for one in earlier}
        counted = request.damped and not told
        try:
            if counted and not self._damper.allows(request.channel, datetime.now(UTC)):
                counted = False
                await self._digest(request)
                return Delivered(digest=True)
            thread = await self._deliver(request, told)
        except TransientError as error:
            if counted:
                self._damper.take_back(request.channel)
            _sent.add(1, {"kind": request.notice.kind, "result": "failed"})
            raise _again(error) from error
        except PermanentError as error:
            if counted:
                self._damper.take_back(request.channel)
            _sent.add(1, {"kind": request.notice.kind, "result": "failed"})
            raise ApplicationError(str(error), type="permanent", non_retryable=True) from error
        _sent.add(1, {"kind": request.notice.kind, "result": "sent"})
        return Delivered(thread=thread)

    @activity.defn(name=WHO)
    async def who(self, request: WhoRequest) -> WhoAnswer:
        """Say who a name means, and whether they may take part."""
        directory, _ = await self._groups.directory(datetime.now(UTC))
        if directory.is_empty:
            return WhoAnswer(person=request.name.strip())
        person = directory.who(request.name)
        if person is None:
            return WhoAnswer(problem=f"nobody is called {request.name[:100]} under `people` in halon.yaml")
        labels = {**request.labels, ENVIRONMENT: self._settings.environment}
        if not directory.may(person, Right.DECIDE, labels):
            return WhoAnswer(problem=f"{person} has not the right `decide` for this incident")
        return WhoAnswer(person=person)

    @activity.defn(name=PUBLISH)
    async def publish(self, request: PublishRequest) -> Published:
        """Bring the status page to a state."""
        try:
            return await self._page.publish(request)
        except TransientError as error:
            raise _again(error) from error
        except HalonError as error:
            raise ApplicationError(str(error), type="permanent", non_retryable=True) from error

    async def _deliver(self, request: DeliverRequest, told: set[int]) -> str:
        notice = request.notice
        asked = await self._asking.look(notice.question) if notice.question else None
        if self._slack.takes(request.channel):
            return await self._slack.deliver(request, asked, console_of(self._settings, notice.incident))
        link = self._asking.link(asked, request.person) if asked else ""
        ends = (
            [f"Answer by {asked.until:%Y-%m-%d %H:%M} UTC; the link is yours alone: {link}"] if asked and link else []
        )
        console = console_of(self._settings, notice.incident) if notice.kind != "digest" else ""
        ends += [*([f"Console: {console}"] if console else []), f"Notice {notice.id}"]

        def on_told(number: int) -> None:
            told.add(number)
            activity.heartbeat(sorted(told))

        title = f"[{notice.incident}] {notice.title}" if notice.kind == "update" else notice.title
        message = Message(title, notice.body, notice.severity, "\n".join(ends))
        await self._notifier.send(request.channel, message, told=frozenset(told), on_told=on_told)
        return request.thread

    async def _digest(self, request: DeliverRequest) -> None:
        """Put the message to those that go out together. The channel is busy, and people read one list sooner."""
        notice, given = request.notice, self._settings.communication
        line = DigestLine(id=notice.id, incident=notice.incident, title=notice.title, severity=notice.severity)
        start = DigestInput(
            channel=request.channel,
            every=WITHIN,
            fallback=tuple(one for one in given.fallback if one != request.channel),
            patience=given.patience,
            keep_trying=given.keep_trying,
        )
        try:
            await self._client.start_workflow(
                DIGEST_WORKFLOW,
                start,
                id=f"halon-digest-{request.channel}",
                task_queue=self._task_queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                start_signal=ADD_SIGNAL,
                start_signal_args=[line],
                rpc_timeout=timedelta(seconds=10),
            )
        except RPCError as error:
            raise TransientError(f"Temporal does not take the digest of {request.channel}: {error.message}") from error

    def _meant(self, directory: Directory, reference: str) -> list[Recipient]:
        """Whom a reference means, each with the channels that lead there."""
        if reference.startswith(CHANNEL):
            return self._recipients([(reference, "", (reference.removeprefix(CHANNEL),))])
        name = reference.removeprefix(GROUP)
        person = None if reference.startswith(GROUP) else directory.who(reference)
        if person is not None:
            return self._recipients([(person, person, directory.people[person].channels)])
        group = self._settings.groups.get(name)
        if group is not None and group.channels:
            return self._recipients([(f"{GROUP}{name}", "", group.channels)])
        members = directory.members(f"{GROUP}{name}") or ()
        if not members and name in self._settings.notify.channels and not reference.startswith(GROUP):
            return self._recipients([(f"{CHANNEL}{name}", "", (name,))])
        return self._recipients([(one, one, directory.people[one].channels) for one in members])

    def _recipients(self, meant: Sequence[tuple[str, str, tuple[str, ...]]]) -> list[Recipient]:
        fallback = self._settings.communication.fallback
        made = [
            Recipient(name=name, person=person, channels=tuple(dict.fromkeys([*channels, *fallback])))
            for name, person, channels in meant
        ]
        return [one for one in made if one.channels]


def _again(error: TransientError) -> ApplicationError:
    """What the server tries again: no defect of a worker, so it does not cry out about it each time."""
    benign = ApplicationErrorCategory.BENIGN
    return ApplicationError(str(error), type="transient", next_retry_delay=error.retry_after, category=benign)
