"""People and their programs at the HTTP API, against the whole engine: `halon up` with people, tokens and roles."""

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from halon.cli.app import execute
from halon.clients.embedded import free_port
from halon.clients.tokens import hash_of, new_token

T = TypeVar("T")
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
ASK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: restart-deployment, title: Ask before anything, owner: team-a}
trigger: {alerts: [Lab], group_by: [namespace]}
inputs:
  namespace: {type: string, default: "${{ alert != null ? alert.labels.namespace : 'shop' }}"}
  deployment: {type: string, default: cart}
steps:
  - id: gate
    approve: {within: 10m}
  - id: done
    stop: {outcome: unnecessary, reason: "nothing to do in ${{ inputs.namespace }}"}
"""
PEOPLE = ("ana", "ben", "cyd", "eve")
ROLES = {
    "shop": {"may": ["read", "decide"], "to": ["ana"], "where": {"team": "shop"}},
    "pay": {"may": ["read", "decide"], "to": ["ben"], "where": {"team": "pay"}},
    "chief": {"may": ["administer"], "to": ["cyd"]},
}


@dataclass(frozen=True)
class Installation:
    url: str
    config: Path
    tokens: dict[str, str]

    def client(self, person: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.tokens[person]}"}
        return httpx.Client(base_url=f"{self.url}/v1", headers=headers, timeout=30)

    def fire(self, namespace: str, team: str) -> None:
        labels = {"alertname": "Lab", "namespace": namespace, "team": team, "severity": "warning"}
        alert = {"status": "firing", "labels": labels, "startsAt": datetime.now(UTC).isoformat()}
        answer = httpx.post(f"{self.url}/v1/alerts/lab", json={"version": "4", "alerts": [alert]})
        assert answer.status_code == 202, answer.text


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    directory = tmp_path_factory.mktemp("api")
    (directory / "playbooks").mkdir()
    (directory / "playbooks" / "restart-deployment.yaml").write_text(ASK)
    tokens = {person: new_token() for person in PEOPLE}
    temporal, gateway = free_port(), free_port()
    settings = {
        "data_dir": "data",
        "environment": "production",
        "temporal": {"address": f"127.0.0.1:{temporal}"},
        "gateway": {"port": gateway, "sources": {"lab": {"type": "alertmanager", "auth": {"none": True}}}},
        "people": {person: {"tokens": [hash_of(token)]} for person, token in tokens.items()},
        "roles": ROLES,
    }
    config = directory / "halon.yaml"
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "halon.cli", "--config", str(config), "up", "--json"]
    with (
        (directory / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,  # noqa: S603  # our own
    ):
        try:
            url = f"http://127.0.0.1:{gateway}"
            until(lambda: '"gateway"' in (directory / "log").read_text() and process.poll() is None)
            yield Installation(url, config, tokens)
        finally:
            process.terminate()
            process.wait(timeout=60)


def until(look: Callable[[], T], within: float = 60) -> T:
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def waiting(http: httpx.Client, namespace: str) -> tuple[str, str]:
    """The incident that waits in a namespace, as somebody sees it, and the digest that a decision names."""

    def look() -> tuple[str, str] | None:
        for one in http.get("/incidents", params={"state": "waiting"}).json()["incidents"]:
            shown = http.get(f"/incidents/{one['id']}").json()
            if shown["incident"]["labels"].get("namespace") == namespace and shown["run"]["gates"]:
                return one["id"], shown["run"]["gates"][0]["digest"]
        return None

    return until(look)


def closed(http: httpx.Client, incident: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        shown: dict[str, Any] = http.get(f"/incidents/{incident}").json()
        return shown if shown["incident"]["state"] == "closed" else None

    return until(look)


def test_a_person_sees_and_decides_what_is_their_teams(installation: Installation) -> None:
    installation.fire("web", "shop")
    with installation.client("ana") as ana, installation.client("ben") as ben, installation.client("eve") as eve:
        incident, plan = waiting(ana, "web")
        assert ana.get("/me").json()["rights_for_some"] == ["read", "decide"]
        # Ben is of another team, and Eve of none.
        assert incident not in [one["id"] for one in ben.get("/incidents").json()["incidents"]]
        for somebody in (ben, eve):
            assert somebody.get(f"/incidents/{incident}").status_code == 403
            refused = somebody.post(f"/incidents/{incident}/decisions", json={"verdict": "approve", "plan": plan})
            assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
        assert eve.get("/incidents").status_code == 403

        other = ana.post(f"/incidents/{incident}/decisions", json={"verdict": "approve", "plan": "0" * 12})
        assert (other.status_code, "read it again" in other.json()["detail"]) == (409, True)
        said = {"verdict": "approve", "plan": plan[:12], "comment": "it \N{FIRE} burns"}
        taken = ana.post(f"/incidents/{incident}/decisions", json=said, headers={"Idempotency-Key": "the-first"})
        assert taken.status_code == 200, taken.text
        shown = closed(ana, incident)
        assert shown["incident"]["outcome"] == "unnecessary"
        again = ana.post(f"/incidents/{incident}/decisions", json=said, headers={"Idempotency-Key": "the-first"})
        assert again.json() == taken.json()
        late = ana.post(f"/incidents/{incident}/decisions", json=said)
        assert late.status_code == 409

        draft = ana.get(f"/incidents/{incident}/postmortem")
        assert draft.headers["content-type"] == "text/markdown; charset=utf-8"
        assert "ana said approve: it \N{FIRE} burns | token | it \N{FIRE} burns |" in draft.text
        assert ben.get(f"/incidents/{incident}/postmortem").status_code == 403
        records = ana.get(f"/incidents/{incident}/records", params={"limit": 1000}).json()["records"]
        decided = [one for one in records if one["kind"] == "decision.taken"]
        facts = [(one["actor"], one["data"]["comment"], one["data"]["authenticated"]) for one in decided]
        assert facts == [("ana", "it \N{FIRE} burns", "token")]
        denied = {(one["actor"], one["data"]["right"]) for one in records if one["kind"] == "access.denied"}
        assert denied == {("ben", "read"), ("ben", "decide")}  # Eve's are in the month's chain: she sees no incident


def test_who_may_not_start_pause_or_trip_does_not(installation: Installation) -> None:
    tries = {
        "/runs": {"playbook": "restart-deployment"},
        "/pauses": {"reason": "a test"},
        "/resumes": {},
        "/breakers/restart-deployment/trip": {"reason": "a test"},
        "/locks/k8s/eu-1/shop/unlock": {"reason": "a test"},
    }
    with installation.client("ana") as ana, installation.client("cyd") as cyd:
        for path, body in tries.items():
            assert ana.post(path, json=body).status_code == 403, path
        assert ana.get("/guards").json()["pauses"] == []
        # Nothing was changed: who may do it finds nothing to take back.
        assert cyd.post("/resumes", json={}).status_code == 409


def test_a_run_by_hand_is_started_once_however_often_it_is_asked_for(installation: Installation) -> None:
    with installation.client("cyd") as cyd:
        key = {"Idempotency-Key": "run-the-first"}
        first = cyd.post("/runs", json={"playbook": "restart-deployment"}, headers=key)
        again = cyd.post("/runs", json={"playbook": "restart-deployment"}, headers=key)
        other = cyd.post("/runs", json={"playbook": "restart-deployment"})
        assert [one.status_code for one in (first, again, other)] == [202, 202, 202]
        assert first.json() == again.json() != other.json()
        incidents = [first.json()["incident"], other.json()["incident"]]
        for incident in incidents:
            until(lambda one=incident: cyd.get(f"/incidents/{one}").status_code == 200)
            assert cyd.post(f"/incidents/{incident}/cancel", json={}).status_code == 202
            assert closed(cyd, incident)["incident"]["outcome"] == "cancelled"
            assert cyd.post(f"/incidents/{incident}/cancel", json={}).status_code == 409
        wrong = cyd.post("/runs", json={"playbook": "restart-deployment", "inputs": {"deployment": 7}})
        assert (wrong.status_code, wrong.json()["errors"]) == (422, ["inputs.deployment: expected string, got int"])


def test_every_incident_is_on_exactly_one_page(installation: Installation) -> None:
    with installation.client("cyd") as cyd:
        for number in range(5):
            installation.fire(f"page-{number}", "pay")
        for number in range(5):
            waiting(cyd, f"page-{number}")
        whole = [one["id"] for one in cyd.get("/incidents", params={"limit": 200}).json()["incidents"]]
        paged: list[str] = []
        page: dict[str, Any] = {"next": ""}
        while page["next"] is not None:
            params: dict[str, Any] = {"limit": 2} | ({"cursor": page["next"]} if page["next"] else {})
            page = cyd.get("/incidents", params=params).json()
            assert len(page["incidents"]) <= 2
            paged += [one["id"] for one in page["incidents"]]
        assert paged == whole
        assert len(whole) == len(set(whole)) >= 5
        with installation.client("ben") as ben:
            seen = ben.get("/incidents", params={"limit": 200}).json()["incidents"]
            assert {one["labels"]["team"] for one in seen} == {"pay"}


def test_the_command_asks_for_the_same_rights(installation: Installation, capsys: pytest.CaptureFixture[str]) -> None:
    def halon(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return execute(["--config", str(installation.config), *words]), *capsys.readouterr()

    installation.fire("cli", "pay")
    with installation.client("ben") as ben:
        incident, plan = waiting(ben, "cli")
    code, _, errors = halon("approve", incident, "--plan", plan, "--by", "ana")
    assert (code, "ana has no right to `decide` here" in errors) == (1, True), errors
    for words in (("pause", "--reason", "x"), ("unlock", "x", "--reason", "x"), ("run", "restart-deployment")):
        code, _, errors = halon(*words, "--by", "eve")
        assert (code, "eve has no right to" in errors) == (1, True), errors
    assert halon("cancel", incident, "--by", "ben")[0] == 1
    archive = str(installation.config.parent / "incident.tar")
    code, _, errors = halon("audit", "export", incident, "--output", archive, "--by", "ana")
    assert (code, "ana has no right to `read` here" in errors) == (1, True), errors
    assert halon("audit", "export", incident, "--output", archive, "--by", "ben")[0] == 0
    assert halon("approve", incident, "--plan", plan, "--by", "ben")[0] == 0
    _, month, _ = halon("audit", "show", f"access-{datetime.now(UTC):%Y-%m}", "--json")
    denied = {(one["actor"], one["data"]["right"], one["data"]["authenticated"]) for one in json.loads(month)}
    assert {("eve", "pause", "claimed"), ("eve", "trip", "claimed"), ("eve", "run", "claimed")} <= denied


def test_the_examples_of_the_page_do_what_they_say(installation: Installation) -> None:
    installation.fire("page", "shop")
    with installation.client("cyd") as cyd:
        incident, plan = waiting(cyd, "page")
    given = {
        "HALON": installation.url,
        "TOKEN": installation.tokens["cyd"],
        "INCIDENT": incident,
        "PLAN": plan,
    }
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    calls = [call for block in blocks for call in re.split(r"\n(?=curl)", block.strip()) if call.startswith("curl")]
    answers = [
        subprocess.run(  # noqa: S603  # what the page says
            ["/bin/bash", "-c", call.replace("curl -s", "curl -s -w '\\n%{http_code}'", 1)],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for call in calls
    ]
    statuses = [answer.rpartition("\n")[2] for answer in answers]
    # The run has its decision by the time that it is cancelled, so there may be nothing left to cancel.
    assert [one for one in statuses if one not in {"200", "202"}] in ([], ["409"]), list(
        zip(calls, answers, strict=True)
    )
    assert len(statuses) == blocks[0].count("\ncurl") + sum(block.count("curl -s") for block in blocks[1:])


def test_whatever_is_asked_is_answered_as_the_description_says(installation: Installation) -> None:
    headers = {"Authorization": f"Bearer {installation.tokens['cyd']}"}
    whole = schemathesis.openapi.from_url(f"{installation.url}/openapi.json")
    operations = [one.ok() for one in whole.include(tag="people").get_all_operations()]
    assert len(operations) == 14
    statuses: Counter[int] = Counter()
    for operation, mode in product(operations, GenerationMode):

        @settings(
            max_examples=12,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            # What a schema cannot say is refused all the same, such as a cursor that no list gave.
            answer = case.call_and_validate(
                installation.url, headers=headers, excluded_checks=[positive_data_acceptance]
            )
            statuses[answer.status_code] += 1

        ask()
    assert {200, 400, 404, 409, 422} <= statuses.keys()
