from datetime import timedelta
from pathlib import Path

import certifi
import pytest
from aiohttp import web

from halon.clients.argocd import ArgoCd
from halon.clients.environment import open_env
from halon.clients.flagd import FlagDocuments
from halon.clients.github import GitHub
from halon.clients.gitlab import GitLab
from halon.clients.http_check import HttpChecker
from halon.clients.jira import Jira
from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.launchdarkly import LaunchDarkly
from halon.clients.logs import Logs
from halon.clients.loki import Loki
from halon.clients.opsgenie import Opsgenie
from halon.clients.pagerduty import PagerDuty
from halon.clients.pinned import HttpAnswer
from halon.clients.prometheus import Prometheus
from halon.clients.servicenow import ServiceNow
from halon.clients.unleash import Unleash
from halon.errors import Misconfigured
from halon.settings import SecretRef
from halon.settings.model import Cluster, KubernetesSettings, PrometheusSettings, Settings
from halon.settings.services import HttpSettings


async def test_settings_reach_every_client_and_a_secret_is_read_anew_each_time(tmp_path: Path) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": []}})

    application = web.Application()
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    token = tmp_path / "token"
    settings = Settings(
        prometheus=PrometheusSettings(url=url, auth=SecretRef(file=token)), http=HttpSettings(allow=("127.0.0.1",))
    )
    async with open_env(settings) as env:
        with pytest.raises(Misconfigured, match=r"prometheus\.auth"):
            await env.get(Prometheus).query("up")
        for text in ("first", "second"):
            token.write_text(text)
            await env.get(Prometheus).query("up")
        assert isinstance(await env.get(HttpChecker).check("GET", url, timedelta(seconds=5)), HttpAnswer)
    await runner.cleanup()
    assert seen == ["Bearer first", "Bearer second", ""]


async def test_clusters_have_the_names_of_the_settings(tmp_path: Path) -> None:
    clusters = {"eu-1": Cluster(kubeconfig=tmp_path / "eu"), "us-1": Cluster(kubeconfig=tmp_path / "us")}
    async with open_env(Settings(kubernetes=KubernetesSettings(clusters=clusters, default="us-1"))) as env:
        api = env.get(KubernetesApi)
        assert api.cluster("").name == "us-1"
        assert api.cluster("eu-1").name == "eu-1"
        with pytest.raises(Misconfigured, match="eu-1, us-1"):
            api.cluster("ap-1")
        with pytest.raises(Misconfigured, match="eu"):
            await api.cluster("eu-1").deployment("shop", "cart")


async def test_what_higher_layers_bring_is_found_by_its_type() -> None:
    class Evidence:
        pass

    brought = Evidence()
    async with open_env(Settings(), brought) as env:
        assert env.get(Evidence) is brought
        with pytest.raises(Misconfigured, match="no Path"):
            env.get(Path)


async def test_products_are_there_when_the_settings_name_them(tmp_path: Path) -> None:
    ca = Path(certifi.where())
    token = {"token": {"file": tmp_path / "token"}}
    url = {"url": "https://x.example.com", "ca": ca}
    settings = Settings.model_validate(
        {
            "loki": url,
            "logs": {**url, "allow": ["logs-*"]},
            "launchdarkly": {**token, "allow": ["shop/*"]},
            "unleash": {**url, **token, "allow": ["default/*"]},
            "flagd": {"documents": {"shop": {"url": "https://x.example.com/flags.json"}}},
            "github": {**token, "allow": ["acme/*"]},
            "argocd": {**url, **token, "allow": ["cart"]},
            "gitlab": {**token, "allow": ["acme/*"]},
            "pagerduty": {"services": {"shop": {"routing_key": {"env": "KEY"}}}},
            "opsgenie": token,
            "jira": {**url, **token, "allow": ["OPS"]},
            "servicenow": {**url, **token},
        }
    )
    async with open_env(settings) as env:
        for product in (
            Loki,
            Logs,
            LaunchDarkly,
            Unleash,
            FlagDocuments,
            GitHub,
            GitLab,
            ArgoCd,
            PagerDuty,
            Opsgenie,
            Jira,
            ServiceNow,
        ):
            assert isinstance(env.get(product), product)
    async with open_env(Settings()) as env:
        with pytest.raises(Misconfigured, match="no GitHub"):
            env.get(GitHub)
    with pytest.raises(Misconfigured, match="authorities"):
        async with open_env(Settings.model_validate({"loki": {**url, "ca": tmp_path / "none"}})):
            pass
