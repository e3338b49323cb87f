"""What actions reach, made of the settings: the one place where clients are built."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

from halon.clients.http_check import HttpChecker
from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.clients.notify import Notifier
from halon.clients.oncall import OnCall
from halon.clients.prometheus import Prometheus
from halon.kit.env import Env
from halon.settings.model import NotifySettings, PrometheusSettings, Settings
from halon.settings.secrets import resolve


@asynccontextmanager
async def open_env(settings: Settings, *more: object) -> AsyncGenerator[Env]:
    """Give the environment of actions; its connections are made when they are used, and closed at the end.

    `more` are what comes from higher layers, such as the evidence store. Secrets are read when they are used, so a
    missing one is an error of the action that needs it.
    """
    clusters = {
        name: ClusterConfig(kubeconfig=one.kubeconfig, context=one.context)
        for name, one in settings.kubernetes.clusters.items()
    }
    kubernetes = KubernetesApi(KubernetesConfig(clusters, settings.kubernetes.default or ""))
    prometheus, on_call = _prometheus(settings.prometheus), OnCall(settings)
    try:
        yield Env(on_call, kubernetes, prometheus, HttpChecker(settings.http.allow), _notifier(settings.notify), *more)
    finally:
        await on_call.close()
        await prometheus.close()
        await kubernetes.close()


def _prometheus(settings: PrometheusSettings) -> Prometheus:
    token = partial(resolve, settings.auth, "prometheus.auth") if settings.auth else None
    return Prometheus(settings.url, token)


def _notifier(settings: NotifySettings) -> Notifier:
    return Notifier(
        {
            name: [partial(resolve, ref, f"notify.channels.{name}[{number}]") for number, ref in enumerate(refs)]
            for name, refs in settings.channels.items()
        }
    )
