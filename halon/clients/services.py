"""The clients of others' systems, made of the settings: those that halon.yaml names, and no others."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from halon.clients.argocd import ArgoCd
from halon.clients.credentials import Credentials
from halon.clients.flagd import FlagDocuments
from halon.clients.github import HEADERS as GITHUB_HEADERS
from halon.clients.github import GitHub
from halon.clients.gitlab import GitLab
from halon.clients.http_request import Destination, HttpRequester
from halon.clients.jira import Jira
from halon.clients.json_api import Access, JsonApi
from halon.clients.launchdarkly import LaunchDarkly
from halon.clients.logs import Logs
from halon.clients.loki import Loki
from halon.clients.opsgenie import Opsgenie
from halon.clients.pagerduty import PagerDuty
from halon.clients.servicenow import ServiceNow
from halon.clients.unleash import Unleash
from halon.settings.credentials import SecretRef
from halon.settings.services import HttpSettings, Service, ServiceSettings


class Client(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""
        ...


def requester_of(settings: HttpSettings, credentials: Credentials) -> HttpRequester:
    """Give what sends requests to the destinations of `http.requests`."""
    destinations = {
        name: Destination(
            one,
            credentials.named(one.credential.secret, f"http.requests.{name}.credential.secret")
            if one.credential
            else None,
        )
        for name, one in settings.requests.items()
    }
    return HttpRequester(destinations, settings.allow)


def clients_of(settings: ServiceSettings, credentials: Credentials) -> Iterator[Client]:
    """Give the clients of the products that the settings name. Connections are made when they are used.

    Raises:
        Misconfigured: the authorities that one of them shall trust cannot be read.
    """

    def access(who: str, setting: str, service: Service, token: SecretRef | None) -> Access:
        named = credentials.named(token, f"{setting}.token") if token else None
        return Access(who, service.url, setting, named, ca=service.ca)

    if (loki := settings.loki) is not None:
        headers = {"X-Scope-OrgID": loki.tenant} if loki.tenant else {}
        yield Loki(replace(access("Loki", "loki", loki, loki.token), user=loki.user, headers=headers))
    if (logs := settings.logs) is not None:
        way = replace(access("the store of logs", "logs", logs, logs.token), user=logs.user, prefix="ApiKey ")
        yield Logs(way, logs)
    if (flags := settings.launchdarkly) is not None:
        way = access("LaunchDarkly", "launchdarkly", flags, flags.token)
        yield LaunchDarkly(replace(way, prefix="", headers={"LD-API-Version": "20240415"}), flags)
    if (unleash := settings.unleash) is not None:
        yield Unleash(replace(access("Unleash", "unleash", unleash, unleash.token), prefix=""), unleash)
    if documents := settings.flagd.documents:
        ways = {
            name: replace(access(f"the document {name}", f"flagd.documents.{name}", one, one.token), user=one.user)
            for name, one in documents.items()
        }
        yield FlagDocuments({name: JsonApi(way) for name, way in ways.items()})
    if (github := settings.github) is not None:
        yield GitHub(replace(access("GitHub", "github", github, github.token), headers=GITHUB_HEADERS), github)
    if (argocd := settings.argocd) is not None:
        yield ArgoCd(access("Argo CD", "argocd", argocd, argocd.token), argocd)
    if (gitlab := settings.gitlab) is not None:
        way = access("GitLab", "gitlab", gitlab, gitlab.token)
        yield GitLab(replace(way, header="PRIVATE-TOKEN", prefix=""), gitlab)
    yield from _desks_of(settings, credentials, access)


def _desks_of(
    settings: ServiceSettings,
    credentials: Credentials,
    access: Callable[[str, str, Service, SecretRef | None], Access],
) -> Iterator[Client]:
    """Where people are paged, and where work is written down."""
    if (duty := settings.pagerduty) is not None:
        keys = {
            name: credentials.named(one.routing_key, f"pagerduty.services.{name}.routing_key")
            for name, one in duty.services.items()
        }
        way = replace(access("PagerDuty", "pagerduty", duty, duty.token), prefix="Token token=")
        yield PagerDuty(way, duty, keys)
    if (genie := settings.opsgenie) is not None:
        yield Opsgenie(replace(access("Opsgenie", "opsgenie", genie, genie.token), prefix="GenieKey "))
    if (jira := settings.jira) is not None:
        yield Jira(replace(access("Jira", "jira", jira, jira.token), user=jira.user), jira)
    if (now := settings.servicenow) is not None:
        way = access("ServiceNow", "servicenow", now, now.token)
        yield ServiceNow(replace(way, user=now.user, headers={"Accept": "application/json"}), now)
