"""The senders of alerts: who they are, how each proves it, and how what it sends is read."""

from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from halon.contracts.base import Duration, is_list
from halon.settings.credentials import Region, SecretRef
from halon.settings.section import HeaderName, HttpUrl, Section


class Hmac(Section):
    """A signature over the raw body with a shared secret."""

    secret: SecretRef
    header: HeaderName = "X-Signature-256"
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: Annotated[str, StringConstraints(max_length=32)] = ""
    """What stands before the signature in the header, such as `sha256=`."""
    timestamp_header: HeaderName | None = None
    """Seconds since 1970. It is signed together with the body and bounds replays."""
    timestamp_format: Annotated[str, StringConstraints(max_length=64)] = "{timestamp}."
    """With `timestamp_header`: what is signed before the body. Slack has `v0:{timestamp}:`."""
    tolerance: Duration = timedelta(minutes=5)
    """How far the timestamp may lie from now, on either side."""

    @field_validator("timestamp_format")
    @classmethod
    def _has_timestamp(cls, value: str) -> str:
        if value.count("{timestamp}") != 1:
            raise ValueError("must hold `{timestamp}` once: a timestamp that is not signed proves nothing")
        return value


class Basic(Section):
    """A user and a password, as HTTP has it."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^:]+$")]
    password: SecretRef


class Header(Section):
    """A secret in a header of its own."""

    name: HeaderName = "X-Api-Key"
    value: SecretRef


MAX_TOPICS = 100
TopicArn: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^arn:(aws|aws-cn|aws-us-gov):sns:[a-z]{2}(-[a-z]{1,20}){1,3}-[0-9]{1,2}:[0-9]{12}:[A-Za-z0-9_-]{1,256}$"
    ),
]
"""A standard topic; those that keep an order cannot send over HTTPS."""


def _as_tuple(value: Any) -> Any:
    """Take a list for a tuple, also where a check of the whole source came first and its types are strict."""
    return tuple(value) if is_list(value) else value


class Auth(Section):
    """How a source proves who it is: exactly one way. `none: true` switches it off by name.

    What a sender cannot do is refused when the gateway starts: docs/sources.md says what each can.
    """

    bearer: SecretRef | None = None
    basic: Basic | None = None
    header: Header | None = None
    signature: SecretRef | None = None
    """The secret of the sender's own signature scheme, which the type of the source knows."""
    hmac: Hmac | None = None
    topics: Annotated[tuple[TopicArn, ...], Field(max_length=MAX_TOPICS), BeforeValidator(_as_tuple)] = ()
    """Topics of Amazon SNS, which signs with certificates of its own: anybody's topic would pass if none were named."""
    iam: Literal[True] | None = None
    """For a queue of Amazon SQS: who may write to it, and that Halon may read it, is AWS's to say."""
    cluster: Literal[True] | None = None
    """For events of a cluster: its API server proves who it is, and says what Halon may read."""
    none: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Auth":
        if len(self.ways) != 1:
            raise ValueError(f"name exactly one of {', '.join(f'`{name}`' for name in type(self).model_fields)}")
        return self

    @property
    def ways(self) -> list[str]:
        """The ways that are named."""
        return [name for name in type(self).model_fields if getattr(self, name) not in (None, ())]


Template: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
"""Text with `${{ }}` in it, as in playbooks."""


class GenericMap(Section):
    """Where the fields of an alert are in a body. Expressions see `body`, `item` (one of `items`) and `headers`."""

    items: Template | None = None
    """The list in the body, such as `${{ body.events }}`; without it the body is one alert."""
    name: Template
    fingerprint: Template | None = None
    """The sender's own identity of the condition; without it a digest of name and labels."""
    status: Template | None = None
    """`firing` or `resolved`, or a boolean that is true while it fires; without it always firing."""
    severity: Template | None = None
    labels: dict[Annotated[str, StringConstraints(min_length=1, max_length=256)], Template] | Template = {}
    """One expression for each label, or one that gives a map."""
    annotations: dict[Annotated[str, StringConstraints(min_length=1, max_length=256)], Template] | Template = {}
    starts_at: Template
    """When the condition began, as RFC 3339 text or seconds since 1970. With the fingerprint it names the episode, so
    it must be the same in every repeat."""
    ends_at: Template | None = None
    url: Template | None = None


POLLED = "sqs"
"""The type of source that is asked for its messages."""
WATCHED = "kubernetes_events"
"""The type of source that is watched."""
PLAIN = "cloudwatch"
"""The format of messages that are what was published, with nothing around it."""


class QueueSettings(Section):
    """A queue of Amazon SQS, and what is in it."""

    url: HttpUrl | None = None
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}(\.fifo)?$")] | None = None
    """Its name, instead of its address."""
    account: Annotated[str, StringConstraints(max_length=63)] = ""
    """One of `aws.accounts`; without it the default one."""
    region: Region | None = None
    """Without it that of the address, or of the account."""
    format: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")] = "sns"
    """The type of source whose bodies its messages are, or `cloudwatch` for what is published as it is."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "QueueSettings":
        if (self.url is None) == (self.name is None):
            raise ValueError("name exactly one of `url` and `name`")
        if self.format in {POLLED, WATCHED, "generic"}:
            raise ValueError(f"`format` cannot be {self.format}: it is another type of source, or {PLAIN}")
        return self


EventReason: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,127}$")]
Namespace: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class WatchSettings(Section):
    """Events of a cluster, and which of them are alerts."""

    cluster: Annotated[str, StringConstraints(max_length=63)] = ""
    """One of `kubernetes.clusters`; without it the default one."""
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=20), BeforeValidator(_as_tuple)] = ()
    """Without any: those of the whole cluster."""
    reasons: Annotated[tuple[EventReason, ...], Field(max_length=100), BeforeValidator(_as_tuple)] = ()
    """Such as `FailedScheduling`. Without any: whatever has the type `Warning`."""
    at_least: Annotated[int, Field(ge=1, le=1000)] = 1
    """How often an event must have happened."""
    look_back: Duration = timedelta(minutes=15)
    """How old an event may be that happened while nobody watched."""

    @field_validator("look_back")
    @classmethod
    def _is_kept(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= timedelta(hours=24):
            raise ValueError(
                "`look_back` is at most 24h: clusters keep events for an hour, or as long as they are told to"
            )
        return value


class Source(Section):
    """One sender of alerts: `POST /v1/alerts/<its name>`, or a queue or a cluster that is asked for them."""

    type: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
    """Such as `alertmanager`, `grafana` or `generic`: docs/sources.md has all of them."""
    auth: Auth
    map: GenericMap | None = None
    queue: QueueSettings | None = None
    watch: WatchSettings | None = None

    @property
    def posts(self) -> bool:
        """Whether it sends its alerts itself."""
        return self.queue is None and self.watch is None

    @model_validator(mode="before")
    @classmethod
    def _auth_is_on(cls, value: Any) -> Any:
        if isinstance(value, dict) and not value.get("auth"):  # pyright: ignore[reportUnknownMemberType]  # raw YAML
            raise ValueError(
                "a source needs `auth`: add `auth: {bearer: {env: NAME}}` or `auth: {hmac: {secret: {env: NAME}}}`, "
                "or switch it off by name with `auth: {none: true}`"
            )
        return value  # pyright: ignore[reportUnknownVariableType]  # raw YAML

    @model_validator(mode="after")
    def _map_belongs(self) -> "Source":
        if (self.type == "generic") != (self.map is not None):
            raise ValueError("a source of type `generic` needs `map`, and no other one takes it")
        return self

    @model_validator(mode="after")
    def _queue_belongs(self) -> "Source":
        if (self.type == POLLED) != (self.queue is not None):
            raise ValueError("a source of type `sqs` needs `queue`, and no other one takes it")
        if self.queue is not None and self.auth.iam is None:
            raise ValueError("a source of type `sqs` has `auth: {iam: true}`: AWS says who may write to the queue")
        return self

    @model_validator(mode="after")
    def _watch_belongs(self) -> "Source":
        if (self.type == WATCHED) != (self.watch is not None):
            raise ValueError(
                "a source of type `kubernetes_events` needs `watch`, which may be `{}`; no other one takes it"
            )
        if self.watch is not None and self.auth.cluster is None:
            raise ValueError("a source of type `kubernetes_events` has `auth: {cluster: true}`: nobody sends to it")
        return self
