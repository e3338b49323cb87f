"""The systems of others that actions reach: where each is, what lets Halon in, and what may be touched there."""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from halon.settings.credentials import SecretRef
from halon.settings.section import HeaderName, HttpUrl, Name, Section, is_safe_url

Globs: TypeAlias = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...], Field(min_length=1, max_length=100)
]
"""Names or globs of what may be touched; at least one, for without any nothing could be done."""
Email: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\s@:]+@[^\s@:]+$", max_length=254)]
HttpMethod: TypeAlias = Literal["POST", "PUT", "PATCH", "DELETE"]


class HttpCredential(Section):
    """A secret that goes along in a header."""

    secret: SecretRef
    header: HeaderName = "Authorization"
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9=_. -]{0,40}$")] = "Bearer "
    """What stands before the secret in the header; empty for none."""


class HttpDestination(Section):
    """Something that `http.request` may change."""

    url: HttpUrl
    """What addresses must begin with, such as `https://deploy.example.com/api/`."""
    methods: Annotated[tuple[HttpMethod, ...], Field(min_length=1, max_length=4)] = ("POST", "PUT", "PATCH")
    credential: HttpCredential | None = None
    idempotency_header: HeaderName = "Idempotency-Key"
    """The header that carries the key by which a repetition is known."""

    @model_validator(mode="after")
    def _safe(self) -> "HttpDestination":
        if self.credential is not None and not is_safe_url(self.url):
            raise ValueError("a credential is only sent to https://, or to this machine")
        if "?" in self.url or "#" in self.url:
            raise ValueError("`url` is what addresses begin with: leave out what follows a ? or #")
        return self


class HttpSettings(Section):
    """What `http.check` and `http.request` may reach; nothing by default."""

    allow: tuple[str, ...] = ()
    """Host names or globs, such as `shop.example.com` or `*.example.com`, and networks, such as `10.0.0.0/8`: an
    address that is not public is only reached when a network here has it. Metadata services are never reached."""
    requests: Annotated[dict[Name, HttpDestination], Field(max_length=100)] = {}
    """What `http.request` may change, by a name for people."""


class Service(Section):
    """How a system is reached."""

    url: HttpUrl
    ca: Path | None = None
    """Authorities to trust instead of the system's."""

    @model_validator(mode="after")
    def _safe(self) -> "Service":
        secrets = [name for name, value in self if isinstance(value, SecretRef)]
        if secrets and not is_safe_url(self.url):
            raise ValueError(f"`{secrets[0]}` is only sent to https://, or to this machine")
        return self


class LokiSettings(Service):
    """A Loki."""

    token: SecretRef | None = None
    """Bearer token; with `user`, the password."""
    user: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    tenant: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!._*'()|-]{1,150}$")] | None = None
    """What `X-Scope-OrgID` says."""


class LogsSettings(Service):
    """An Elasticsearch or OpenSearch with logs."""

    token: SecretRef | None = None
    """With `user` the password; otherwise an Elasticsearch API key."""
    user: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    allow: Globs
    """Indices, data streams or aliases that may be searched."""
    time_field: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,100}$")] = "@timestamp"
    message_field: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.@-]{1,100}$")] = "message"


class LaunchDarklySettings(Service):
    """An account of LaunchDarkly."""

    url: HttpUrl = "https://app.launchdarkly.com"
    token: SecretRef
    """An access token whose role may read the flags and turn them."""
    allow: Globs
    """Which flags may be touched, as `project/environment`."""


class UnleashSettings(Service):
    """An Unleash."""

    token: SecretRef
    """A service account's token, or a personal one."""
    allow: Globs
    """Which flags may be touched, as `project/environment`."""


class FlagDocument(Service):
    """A document of flags that flagd fetches over HTTP."""

    token: SecretRef | None = None
    """Bearer token; with `user`, the password."""
    user: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class FlagdSettings(Section):
    """Where flagd's flags lie, beside those in Kubernetes."""

    documents: Annotated[dict[Name, FlagDocument], Field(max_length=100)] = {}
    """Documents that may be changed, by a name for people."""


class GitHubSettings(Service):
    """A GitHub."""

    url: HttpUrl = "https://api.github.com"
    """Address of the REST API; of an Enterprise Server `https://HOST/api/v3`."""
    token: SecretRef
    """A fine-grained token, or an app's installation token."""
    allow: Globs
    """Which repositories may be touched, as `owner/name`."""


class ArgoCdSettings(Service):
    """An Argo CD."""

    token: SecretRef
    """The token of an account or a project's role."""
    allow: Globs
    """Which applications may be touched: `name`, or `namespace/name` outside of Argo CD's own namespace."""


class GitLabSettings(Service):
    """A GitLab."""

    url: HttpUrl = "https://gitlab.com"
    """Its address, without `/api`."""
    token: SecretRef
    """A project's or group's access token, or a personal one."""
    allow: Globs
    """Which projects may be touched, as `group/name`."""
    variables: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_*?]+$", max_length=100)], ...],
        Field(max_length=100),
    ] = ()
    """Names or globs of variables that `gitlab.run_pipeline` may give a pipeline."""


class PagerDutyService(Section):
    """A service of PagerDuty."""

    routing_key: SecretRef
    """The integration key of its Events API v2 integration."""


class PagerDutySettings(Service):
    """An account of PagerDuty."""

    url: HttpUrl = "https://api.pagerduty.com"
    """Address of the REST API, for notes and for incidents by their ids; in Europe https://api.eu.pagerduty.com."""
    events_url: HttpUrl = "https://events.pagerduty.com"
    """Address of the Events API; in Europe https://events.eu.pagerduty.com."""
    services: Annotated[dict[Name, PagerDutyService], Field(max_length=100)] = {}
    """Services that incidents may be triggered for, by a name for people."""
    token: SecretRef | None = None
    """A REST API key."""
    user: Email | None = None
    """Mail address of the user in whose name that is done."""

    @model_validator(mode="after")
    def _whole(self) -> "PagerDutySettings":
        if self.services and not is_safe_url(self.events_url):
            raise ValueError("`services` are only sent to https://, or to this machine")
        if (self.token is None) != (self.user is None):
            raise ValueError("`token` and `user` belong together: the REST API writes in somebody's name")
        return self


class OpsgenieSettings(Service):
    """An account of Opsgenie, or of what speaks as it does in Jira Service Management."""

    url: HttpUrl = "https://api.opsgenie.com"
    """In Europe https://api.eu.opsgenie.com; of Jira Service Management
    https://api.atlassian.com/jsm/ops/integration."""
    token: SecretRef
    """Key of an API integration that may create and update alerts."""


class JiraSettings(Service):
    """A site of Jira Cloud."""

    token: SecretRef
    """An API token; with `user` it goes as a password, without it as a bearer token."""
    user: Email | None = None
    """Mail address of the account that the token belongs to."""
    allow: Globs
    """Which projects may be touched, by their keys."""


class ServiceNowSettings(Service):
    """An instance of ServiceNow."""

    token: SecretRef
    """The password of `user`; without it an OAuth access token."""
    user: Annotated[str, StringConstraints(pattern=r"^[^\s:]+$", max_length=100)] | None = None
    """Name of the account that Halon works as."""
    allow: Globs = ("incident",)
    """Which tables may be touched."""


class ServiceSettings(Section):
    """All of them, by their products' names; without one, its actions do not work."""

    http: HttpSettings = HttpSettings()
    loki: LokiSettings | None = None
    logs: LogsSettings | None = None
    launchdarkly: LaunchDarklySettings | None = None
    unleash: UnleashSettings | None = None
    flagd: FlagdSettings = FlagdSettings()
    github: GitHubSettings | None = None
    argocd: ArgoCdSettings | None = None
    gitlab: GitLabSettings | None = None
    pagerduty: PagerDutySettings | None = None
    opsgenie: OpsgenieSettings | None = None
    jira: JiraSettings | None = None
    servicenow: ServiceNowSettings | None = None
