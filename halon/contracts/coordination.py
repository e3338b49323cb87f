"""What the workflow that tells people is started with, hears, is asked, and answers."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Contract, Duration, JsonObject
from halon.contracts.communication import Communication, Impact
from halon.contracts.playbook import Metadata

COORDINATION_WORKFLOW = "Coordination"
DIGEST_WORKFLOW = "Digest"
NEWS_SIGNAL = "news"
ADD_SIGNAL = "add"
ACKNOWLEDGE_UPDATE = "acknowledge"
ROLE_UPDATE = "role"
DONE_UPDATE = "done"
PUBLISH_UPDATE = "publish"
RESOLVE = "halon.notice.resolve"
DELIVER = "halon.notice.deliver"
WHO = "halon.notice.who"
PUBLISH = "halon.status_page.publish"

MAX_NEWS = 50
"""News a signal."""
MAX_ALERTS = 50
MAX_KEPT = 200
"""Notices whose state is kept; the audit has all of them."""


Part: TypeAlias = Literal["commander", "communication"]
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=320, strip_whitespace=True)]
Remark: TypeAlias = Annotated[str, StringConstraints(max_length=4096)]


class News(Contract):
    """Something that people may want to know. `id` is the same however often it is told."""

    id: str
    kind: AuditKind
    at: datetime
    message: str
    step: str = ""
    actor: str = "halon"
    data: JsonObject = {}
    alert: Alert | None = None
    run: str = ""
    """Workflow id of the run that tells it; empty when the incident does."""


class NewsBatch(Contract):
    """What the signal `news` carries."""

    news: Annotated[tuple[News, ...], Field(min_length=1, max_length=MAX_NEWS)]
    dropped: int = 0
    """News before these that found no room."""


class Person(Contract):
    """Somebody who says something."""

    by: Name
    comment: Remark = ""
    authenticated: Annotated[str, StringConstraints(max_length=32)] = "claimed"
    """How they proved who they are."""


class AcknowledgeInput(Person):
    """What the update `acknowledge` carries: somebody has seen the incident and looks after it."""


class RoleInput(Person):
    """What the update `role` carries: somebody takes a part, or gives it to `to`, or up when that is `-`."""

    role: Part
    to: Annotated[str, StringConstraints(max_length=320, strip_whitespace=True)] = ""


class DoneInput(Person):
    """What the update `done` carries: a duty was done."""

    deadline: Name


class PublishInput(Person):
    """What the update `publish` carries: release what waits, or say something on the status page in own words."""

    status: Literal["", "investigating", "identified", "monitoring", "resolved"] = ""
    message: Annotated[str, StringConstraints(max_length=4096)] = ""


class Answer(Contract):
    """What a person is answered."""

    message: str


class WhoRequest(Contract):
    """Ask who a name means, and whether they may take part in an incident with these labels."""

    name: str
    labels: dict[str, str] = {}


class WhoAnswer(Contract):
    """A person's id, or why they may not."""

    person: str = ""
    problem: str = ""


class ResolveRequest(Contract):
    """Ask whom references mean now."""

    to: tuple[str, ...]
    owner: str = ""
    """The playbook's owner, for the reference `owner`."""


class Recipient(Contract):
    """Somebody who is told, and through which channels, in the order in which they are tried."""

    name: str
    person: str = ""
    channels: tuple[str, ...] = ()


class Recipients(Contract):
    """Whom references mean, and those that mean nobody, with the reason."""

    found: tuple[Recipient, ...] = ()
    missing: tuple[str, ...] = ()


class Question(Contract):
    """An open question of a run, so that a message can carry ways to answer it."""

    run: str
    step: str
    plan: str
    within: Duration | None = None


class Notice(Contract):
    """One message to people. Its id is the same in every attempt and on every channel."""

    id: str
    incident: str
    kind: Literal["page", "ticket", "update", "question", "duty", "digest"]
    title: str
    body: str
    severity: Literal["info", "warning", "critical"] = "info"
    question: Question | None = None
    closed: bool = False
    """Whether the incident is over, so that nothing can be answered any more."""


class DeliverRequest(Contract):
    """Tell one recipient through one channel."""

    notice: Notice
    channel: str
    person: str = ""
    thread: str = ""
    """What an earlier message to this channel gave, so that this one continues or replaces it."""
    damped: bool = True
    """Whether it goes into a digest when the channel had too many messages in this minute."""


class Delivered(Contract):
    """How it was told."""

    thread: str = ""
    digest: bool = False


class PublishRequest(Contract):
    """Bring the status page to this state. The same request twice says it once."""

    incident: str
    mark: str
    """Which update this is, so that one that was written is not written again."""
    page_incident: str = ""
    """Id on the status page, when it is known."""
    name: str
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    body: str
    impact: Impact
    components: tuple[str, ...] = ()


class Published(Contract):
    """Where it stands on the status page."""

    page_incident: str
    url: str = ""


class NoticeState(Contract):
    """How far a notice has come to one recipient."""

    id: str
    to: str
    title: str
    state: Literal["waiting", "sent", "failing", "failed"]
    channel: str = ""
    """Through which it was told, or is tried now."""
    reason: str = ""
    at: datetime


class RoleState(Contract):
    """Who has a part since when."""

    person: str
    since: datetime


class AckState(Contract):
    """Where the call stands."""

    level: int = 0
    """How often it went to further people."""
    asked_at: datetime
    due: datetime | None = None
    """When it goes on to the next; None when there are no further people."""
    by: str = ""
    at: datetime | None = None
    given_up: bool = False


class DeadlineState(Contract):
    """One duty and its clock."""

    name: str
    title: str
    due: datetime
    reminded: int = 0
    missed: bool = False
    done_by: str = ""
    done_at: datetime | None = None
    comment: str = ""


class Wanted(Contract):
    """What the status page shall say."""

    status: Literal["investigating", "identified", "monitoring", "resolved"]
    body: str
    name: str


class StatusPageState(Contract):
    """What is on the status page."""

    wanted: Wanted | None = None
    """What waits to be said there."""

    state: Literal["held", "open", "resolved"] = "held"
    """`held` until a person releases it."""
    page_incident: str = ""
    status: str = ""
    said: int = 0
    """How many updates were written."""
    url: str = ""
    problem: str = ""


class ThreadState(Contract):
    """The incident's one thread in a channel."""

    channel: str
    thread: str = ""
    told: int = 0


class AskedQuestion(Contract):
    """An open question, whom it was put to, and in which words."""

    question: Question
    to: tuple[str, ...]
    words: str


class CoordinationStatus(Contract):
    """Answer of the query `status` of a Coordination workflow."""

    incident: str
    urgency: Literal["page", "ticket"]
    reason: str
    closed: bool
    acknowledgement: AckState | None = None
    roles: dict[str, RoleState] = {}
    deadlines: tuple[DeadlineState, ...] = ()
    status_page: StatusPageState | None = None
    notices: tuple[NoticeState, ...] = ()


class CoordinationState(Contract):
    """All that goes on when the workflow is continued as new."""

    rule: int = -1
    """Which rule of `page` holds; -1 for none."""
    reason: str = ""
    acknowledgement: AckState | None = None
    roles: dict[str, RoleState] = {}
    deadlines: tuple[DeadlineState, ...] = ()
    status_page: StatusPageState | None = None
    status_rule: int = -1
    threads: tuple[ThreadState, ...] = ()
    lines: tuple[str, ...] = ()
    """The last news, each with its time, oldest first."""
    first_line: int = 0
    """Number of the first of them."""
    alerts: tuple[Alert, ...] = ()
    questions: tuple[AskedQuestion, ...] = ()
    notices: tuple[NoticeState, ...] = ()
    count: int = 0
    """Notices so far, which names the next one."""
    heard: tuple[str, ...] = ()
    """Ids of the last news, so that one that comes twice is told once."""
    at_work: bool = False
    """Whether something was changed."""
    outcome: str = ""
    outcome_reason: str = ""
    closed_at: datetime | None = None
    unwritten: tuple[AuditRecord, ...] = ()


class CoordinationInput(Contract):
    """Input of the Coordination workflow. Its workflow id is the incident's with `-coordination`."""

    incident: str
    communication: Communication
    metadata: Metadata
    alerts: Annotated[tuple[Alert, ...], Field(max_length=MAX_ALERTS)] = ()
    service: str = ""
    severity: str = ""
    opened_at: datetime
    started_by: str = ""
    linger: Duration | None = None
    """How long it stays after the end, because the incident may be reopened."""
    state: CoordinationState | None = None


class DigestLine(Contract):
    """One notice that found its channel busy."""

    id: str
    incident: str
    title: str
    severity: Literal["info", "warning", "critical"] = "info"


class DigestInput(Contract):
    """Input of the Digest workflow: one a channel, while the channel is busy."""

    channel: str
    every: Duration
    fallback: tuple[str, ...] = ()
    patience: Duration
    keep_trying: Duration
    lines: tuple[DigestLine, ...] = ()
    more: int = 0
    count: int = 0
