"""What halon.yaml may say. Every section has defaults, so that Halon works without a file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from halon.contracts.base import Duration
from halon.contracts.people import MAX_GROUPS, MAX_PEOPLE, MAX_ROLES, GroupName, Person, PersonId, PublicKey, Role
from halon.contracts.policy import Policy
from halon.settings.audit import AuditSettings
from halon.settings.auth import AuthSettings
from halon.settings.aws import AwsAccounts
from halon.settings.communication import CommunicationSettings, check_communication
from halon.settings.credentials import CredentialSettings, SecretRef
from halon.settings.encryption import EncryptionSettings
from halon.settings.jobs import JobName, JobTemplate, check_jobs
from halon.settings.people import Group, check_people
from halon.settings.retention import RetentionSettings
from halon.settings.section import HttpUrl, Name, OwnWorker, Section, TimeZone
from halon.settings.services import ServiceSettings
from halon.settings.slack import SlackSettings
from halon.settings.sources import Source
from halon.settings.store import StoreSettings

MIB = 1024 * 1024
_LAST_PORT = 65535
Port: TypeAlias = Annotated[int, Field(ge=0, le=_LAST_PORT)]


class Tls(Section):
    """TLS towards a server. Without `ca` the system's authorities are trusted."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    @model_validator(mode="after")
    def _pair(self) -> "Tls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` belong together")
        return self


class TemporalSettings(Section):
    """The Temporal server that carries every run."""

    address: Annotated[str, StringConstraints(pattern=r"^[^\s/:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$")] = (
        "127.0.0.1:7233"
    )
    """`host:port`."""
    namespace: str = "default"
    task_queue: str = "halon"
    tls: Tls | bool = False
    """`true`, or the files to use."""
    api_key: SecretRef | None = None
    encryption: EncryptionSettings | None = None
    """Without it Temporal keeps payloads in clear."""
    ui_url: HttpUrl | None = None
    """Where people open Temporal's web UI; links in messages begin so."""

    @field_validator("address")
    @classmethod
    def _port(cls, address: str) -> str:
        if not 0 < int(address.rpartition(":")[2]) <= _LAST_PORT:
            raise ValueError(f"a port is a number from 1 to {_LAST_PORT}")
        return address


class EvidenceSettings(Section):
    """Where evidence is kept. Without `dir`: `evidence` below `data_dir`."""

    dir: Path | None = None


class GatewaySettings(Section):
    """The HTTP gateway."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: HttpUrl | None = None
    """Where people reach the gateway, such as https://halon.example.com: links that are sent to them begin so."""
    max_body: Annotated[int, Field(ge=1024, le=16 * MIB)] = MIB
    """Bytes of a request's body."""
    max_requests: Annotated[int, Field(ge=1, le=10_000)] = 512
    """Webhooks at the same time; more are told to come back."""
    body_timeout: Duration = timedelta(seconds=10)
    """How long a sender may take to send its body."""
    dispatch_timeout: Duration = timedelta(seconds=8)
    """How long Temporal may take to accept. Keep it below the senders' own time-outs, 10 s in Alertmanager."""
    sources: dict[Name, Source] = {}


class Cluster(Section):
    """How to reach a Kubernetes cluster. Without `kubeconfig`: in-cluster credentials, or the user's own file."""

    kubeconfig: Path | None = None
    context: str | None = None
    worker: OwnWorker = False
    """`true`: it is reached by a worker of its own and by no other; a name: by one that several targets share."""


class KubernetesSettings(Section):
    """The clusters that actions may reach, by the name that playbooks use."""

    default: Name | None = None
    clusters: dict[Name, Cluster] = {}
    jobs: Annotated[dict[JobName, JobTemplate], Field(max_length=50), AfterValidator(check_jobs)] = {}
    """What `kubernetes.run_job` may start; nothing by default."""

    @model_validator(mode="after")
    def _default_exists(self) -> "KubernetesSettings":
        if self.default is not None and self.default not in self.clusters:
            raise ValueError(f"`default` names cluster {self.default}, which is not under `clusters`")
        return self


class PrometheusSettings(Section):
    """The Prometheus that verifications ask."""

    url: HttpUrl | None = None
    auth: SecretRef | None = None
    """Bearer token."""


class NotifySettings(Section):
    """Channels that playbooks notify. An Apprise URL holds a credential, so each is a secret."""

    channels: dict[Name, tuple[SecretRef, ...]] = {}


class TelemetrySettings(Section):
    """Logs, traces and metrics."""

    otlp: HttpUrl | None = None
    """Base address of an OTLP/HTTP collector, such as http://127.0.0.1:4318. Without it no traces are sent."""
    log_format: Literal["json", "console"] | None = None
    """Without it: console on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_host: str = "127.0.0.1"
    metrics_port: Port | None = None
    """Where a worker serves `/metrics`; the gateway serves them on its own address. Without it a worker serves none."""


class ApprovalSettings(Section):
    """How decisions are taken."""

    trust: Literal["namespace", "signed"] = "namespace"
    """`namespace`: whoever may signal in Temporal's namespace is trusted to be who they say. `signed`: a decision
    counts only with a seal; others are recorded and ignored."""
    signing_key: SecretRef | None = None
    """The gateway's Ed25519 key, PEM, that it seals decisions with. Without it one is made in `data_dir`."""
    trusted_keys: Annotated[tuple[PublicKey, ...], Field(max_length=10)] = ()
    """Public keys of gateways whose seals count, beside that of `signing_key`: for workers that do not have it, and
    while a key is being changed."""


class StormSettings(Section):
    """When there are so many new incidents that people decide: docs/guards.md."""

    incidents: Annotated[int, Field(ge=1, le=1000)] = 20
    """More new incidents than this within the time are a storm."""
    within: Duration = timedelta(minutes=1)
    notify: Annotated[tuple[Name, ...], Field(max_length=10)] = ()
    """Channels from `notify.channels` that are told once when a storm begins."""


def _cron(value: str) -> str:
    try:
        CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"not the five fields of cron: {error}") from error
    return value


class FreezeWindow(Section):
    """When nothing is changed: from one time to another, by cron, or by the events of a calendar."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    reason: Annotated[str, StringConstraints(max_length=300)] = ""
    cron: Annotated[str, StringConstraints(max_length=100), AfterValidator(_cron)] | None = None
    """When a window begins, in the five fields of cron."""
    duration: Annotated[Duration, Field(gt=timedelta(), le=timedelta(days=90))] | None = None
    """How long each of them lasts."""
    from_: Annotated[AwareDatetime | None, Field(alias="from")] = None
    until: AwareDatetime | None = None
    calendar: Path | None = None
    """An iCalendar file, each event of which is a freeze."""
    timezone: TimeZone = "UTC"
    """For `cron`, and for a calendar's whole days."""
    targets: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Prefixes or globs of targets; without them everything is frozen."""
    playbooks: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    """Names or globs of playbooks; without them all."""

    @model_validator(mode="after")
    def _one_kind(self) -> "FreezeWindow":
        ways = (self.cron or self.duration, self.from_ or self.until, self.calendar)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("a freeze is exactly one of `cron` with `duration`, `from` with `until`, and `calendar`")
        if (self.cron is None) != (self.duration is None):
            raise ValueError("`cron` and `duration` belong together")
        if (self.from_ is None) != (self.until is None):
            raise ValueError("`from` and `until` belong together")
        if self.from_ is not None and self.until is not None and self.from_ >= self.until:
            raise ValueError("`until` must come after `from`")
        return self


class Settings(ServiceSettings):
    """All of halon.yaml."""

    environment: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "default"
    """Such as `production`; shown in logs, traces and messages."""
    data_dir: Path = Path(".halon")
    playbooks: tuple[Path, ...] = (Path("playbooks"),)
    temporal: TemporalSettings = TemporalSettings()
    credentials: CredentialSettings = CredentialSettings()
    store: StoreSettings = StoreSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    audit: AuditSettings = AuditSettings()
    retention: RetentionSettings = RetentionSettings()
    gateway: GatewaySettings = GatewaySettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    aws: AwsAccounts = AwsAccounts()
    prometheus: PrometheusSettings = PrometheusSettings()
    notify: NotifySettings = NotifySettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    approvals: ApprovalSettings = ApprovalSettings()
    storm: StormSettings = StormSettings()
    freeze: Annotated[tuple[FreezeWindow, ...], Field(max_length=100)] = ()
    policy: Policy = ()
    auth: AuthSettings = AuthSettings()
    slack: SlackSettings | None = None
    """Without it nobody is told or asked in Slack."""
    people: Annotated[dict[PersonId, Person], Field(max_length=MAX_PEOPLE)] = {}
    """Who may decide and what they may do; without people a name is what it claims to be."""
    groups: Annotated[dict[GroupName, Group], Field(max_length=MAX_GROUPS)] = {}
    roles: Annotated[dict[GroupName, Role], Field(max_length=MAX_ROLES)] = {}
    communication: CommunicationSettings = CommunicationSettings()

    @model_validator(mode="after")
    def _people_are_known(self) -> "Settings":
        check_people(self.people, self.groups, self.roles)
        channels = {*self.notify.channels, *(("slack",) if self.slack else ())}
        check_communication(self.communication, channels, self.people, self.groups)
        for group in self.auth.oidc.groups.values() if self.auth.oidc else ():
            if group not in self.groups:
                raise ValueError(f"`auth.oidc.groups` names {group}, which is not under `groups`")
        return self

    @property
    def store_url(self) -> str:
        """The database's URL, without a password."""
        return self.store.url or f"sqlite+aiosqlite:///{self.data_dir / 'halon.db'}"

    @property
    def evidence_dir(self) -> Path:
        """Where evidence is kept."""
        return self.evidence.dir or self.data_dir / "evidence"
