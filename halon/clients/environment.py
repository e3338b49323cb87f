"""What actions reach, made of the settings: the one place where clients are built."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from halon.clients.aws.api import AwsApi
from halon.clients.credentials import Credentials
from halon.clients.http_check import HttpChecker
from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.clients.kubernetes.jobs import JobTemplates
from halon.clients.notify import Notifier
from halon.clients.oncall import OnCall
from halon.clients.prometheus import Prometheus
from halon.clients.services import clients_of, requester_of
from halon.clients.slack import Slack
from halon.clients.statuspage import status_page_of
from halon.kit.env import Env
from halon.settings.model import NotifySettings, PrometheusSettings, Settings


@asynccontextmanager
async def open_env(settings: Settings, *more: object) -> AsyncGenerator[Env]:
    """Give the environment of actions; its connections are made when they are used, and closed at the end.

    Clusters and accounts that have a worker of their own are not reached: `targets.reaching` gives that its settings.

    `more` are what comes from higher layers, such as the evidence store. Secrets are read when they are used, so a
    missing one is an error of the action that needs it.
    """
    kubernetes = clusters_of(settings)
    aws, credentials = AwsApi(settings.aws), Credentials(settings.credentials)
    prometheus, on_call = _prometheus(settings.prometheus, credentials), OnCall(settings)
    checker, notifier = HttpChecker(settings.http.allow), notifier_of(settings.notify, credentials)
    requester = requester_of(settings.http, credentials)
    products = list(clients_of(settings, credentials))
    chat = settings.slack
    slack = Slack(chat, credentials.named(chat.token, "slack.token")) if chat else None
    try:
        page = status_page_of(settings.communication.status_page, credentials)
        own = (on_call, kubernetes, prometheus, checker, requester, notifier, page)
        yield Env(*own, JobTemplates(settings.kubernetes.jobs), aws, *products, *((slack,) if slack else ()), *more)
    finally:
        for one in products:
            await one.close()
        if slack is not None:
            await slack.close()
        await on_call.close()
        await prometheus.close()
        await aws.close()
        await kubernetes.close()


def clusters_of(settings: Settings) -> KubernetesApi:
    """Give the clusters of halon.yaml; those that have a worker of their own are not reached from here."""
    named = settings.kubernetes.clusters
    clusters = {name: ClusterConfig(kubeconfig=one.kubeconfig, context=one.context) for name, one in named.items()}
    elsewhere = frozenset(name for name, one in named.items() if one.worker)
    return KubernetesApi(KubernetesConfig(clusters, settings.kubernetes.default or "", elsewhere))


def _prometheus(settings: PrometheusSettings, credentials: Credentials) -> Prometheus:
    token = credentials.named(settings.auth, "prometheus.auth") if settings.auth else None
    return Prometheus(settings.url, token)


def notifier_of(settings: NotifySettings, credentials: Credentials) -> Notifier:
    """Give what tells people by the channels of halon.yaml."""
    return Notifier(
        {
            name: [credentials.named(ref, f"notify.channels.{name}[{number}]") for number, ref in enumerate(refs)]
            for name, refs in settings.channels.items()
        }
    )
