"""Working with incidents from the command line, against a real Temporal server, worker, gateway and store."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from command import Answer, Shell, configure, free_port, process, stopped, temporal, until_logged

from halon.cli.app import execute


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker and a gateway, then the Temporal that they wait for, made ready by `halon setup`. Gives halon.yaml."""
    directory = tmp_path_factory.mktemp("engine")
    port = free_port()
    config = configure(
        directory,
        f'temporal: {{address: "127.0.0.1:{port}"}}\n'
        f"gateway: {{port: 0, sources: {{lab: {{type: alertmanager, auth: {{none: true}}}}}}}}\n"
        "notify: {channels: {gone: [{file: gone}]}}\ncommunication: {threads: [gone], gather: 1s, patience: 1s}\n",
    )
    (directory / "gone").write_text(f"json://127.0.0.1:{free_port()}/nobody-listens")
    worker_log, gateway_log = directory / "worker.log", directory / "gateway.log"
    with (
        process(config, "worker", "--json", log=worker_log) as worker,
        process(config, "gateway", "--json", log=gateway_log) as gateway,
    ):
        until_logged(gateway_log, "gateway.listening", gateway)
        with temporal(port):
            deadline = time.monotonic() + 30
            while execute(["--config", str(config), "setup", "--json"]) != 0:
                assert time.monotonic() < deadline
            until_logged(worker_log, "worker.started", worker)
            yield config
            assert (stopped(gateway), stopped(worker)) == (0, 0)
    assert "worker.stopped" in worker_log.read_text()


@pytest.fixture
def halon(engine: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(engine, capsys)


def until(look: Callable[[], Answer], wanted: Callable[[Answer], bool]) -> Answer:
    deadline = time.monotonic() + 20
    while not wanted(answer := look()):
        assert time.monotonic() < deadline, answer
    return answer


def started(halon: Shell, *more: str) -> str:
    """Start a run, and give its incident once it waits for a decision."""
    answer = halon("run", "ask-first", "--by", "bob@example.com", "--json", *more)
    assert answer.code == 0, answer
    incident: str = answer.json["incident"]

    def waits(shown: Answer) -> bool:
        return shown.code == 0 and bool((shown.json["run"] or {}).get("gates"))

    until(lambda: halon("show", incident, "--json"), waits)
    return incident


def closed(halon: Shell, incident: str) -> Answer:
    return until(lambda: halon("show", incident, "--json"), lambda shown: shown.json["incident"]["state"] == "closed")


def test_setup_done_again_changes_nothing(halon: Shell) -> None:
    answer = halon("setup")
    assert answer.code == 0
    assert "search attributes are registered" in answer.out


def test_a_run_waits_is_approved_and_is_shown(halon: Shell) -> None:
    incident = started(halon, "--input", "namespace=web", "--input", "size=5")
    waiting = halon("show", incident)
    assert "waiting for a decision at step gate: 0 of 1 approvals" in waiting.out
    plan = halon("show", incident, "--json").json["run"]["gates"][0]["digest"]
    assert f"halon approve {incident} --step gate --plan {plan[:12]}" in waiting.out

    own = halon("approve", incident, "--by", "bob@example.com")
    assert (own.code, own.out) == (1, "")
    assert own.err == "error: this decision does not count: bob@example.com started this run and cannot approve it\n"
    other = halon("approve", incident, "--by", "ana@example.com", "--plan", "0123456789ab")
    assert other.code == 1
    assert "read it again" in other.err
    unknown = halon("approve", incident, "--by", "ana@example.com", "--step", "nowhere")
    assert "no step nowhere waits; open: gate" in unknown.err

    taken = halon("approve", incident[:-4], "--by", "ana@example.com", "--plan", plan[:8], "--comment", "go", "--json")
    assert taken.code == 0, taken
    assert taken.json["incident"] == incident
    shown = closed(halon, incident)
    assert shown.json["incident"]["outcome"] == "unnecessary"
    assert shown.json["incident"]["reason"] == "nothing to do in web, size 5"
    kinds = [one["kind"] for one in shown.json["records"]]
    assert kinds[0] == "incident.opened"
    after = kinds[kinds.index("incident.closed") + 1 :]
    assert all(one.startswith("notice.") or one == "ticketed" for one in after), "only telling people goes on"
    assert "decision.refused" in kinds
    draft = halon("postmortem", incident[:-4])
    assert (draft.code, draft.err) == (0, "")
    assert "| outcome | unnecessary |" in draft.out
    assert "ana@example.com said approve: go | claimed | go |" in draft.out

    late = halon("approve", incident, "--by", "ana@example.com")
    assert (late.code, late.err) == (1, f"error: a run of incident {incident} is not there, or has ended\n")


def test_a_denial_ends_a_run(halon: Shell) -> None:
    incident = started(halon)
    assert halon("deny", incident, "--by", "ana@example.com", "--comment", "not now").code == 0
    shown = closed(halon, incident)
    assert shown.json["incident"]["outcome"] == "denied"
    assert "not now" in halon("audit", "show", incident).out


def test_a_cancel_ends_a_run_and_only_once(halon: Shell) -> None:
    incident = started(halon)
    answer = halon("cancel", incident, "--by", "ana@example.com")
    assert (answer.code, incident in answer.out) == (0, True)
    assert closed(halon, incident).json["incident"]["outcome"] == "cancelled"
    again = halon("cancel", incident)
    assert (again.code, again.err) == (1, f"error: incident {incident} has ended: there is nothing to cancel\n")


@pytest.mark.parametrize("text", ["nosuch", "no-such-incident", "-", "ask-first-0123456789-manual"])
def test_an_incident_that_is_nowhere_is_told_at_once(halon: Shell, text: str) -> None:
    for command in ("show", "approve", "cancel"):
        answer = halon(command, "--", text)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err == f"error: no incident's id begins with '{text}': `halon incidents` lists them\n"


def test_incidents_lists_what_waits_and_what_has_closed(halon: Shell) -> None:
    incident = started(halon)

    def listed(*options: str) -> list[str]:
        return [one["id"] for one in halon("incidents", "--json", *options).json]

    until(lambda: halon("incidents", "--state", "waiting"), lambda answer: incident in answer.out)
    assert incident in listed("--state", "open", "--playbook", "ask-first")
    assert listed("--playbook", "other") == []
    assert incident not in listed("--state", "closed")
    halon("deny", incident, "--by", "ana@example.com")
    closed(halon, incident)
    assert incident in listed("--state", "closed", "--outcome", "denied")
    assert listed("--limit", "1") == [incident]
    plain = halon("incidents").out
    assert plain.splitlines()[0].split() == ["incident", "state", "opened", "(UTC)", "severity", "service", "title"]
    assert "\033" not in plain


def test_a_dry_run_is_followed_to_its_end(halon: Shell, tmp_path: Path) -> None:
    alert = tmp_path / "alert.json"
    alert.write_text(json.dumps({"name": "Lab", "labels": {"namespace": "from-the-alert"}}))
    answer = halon("run", "names", "--alert", str(alert), "--dry-run", "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "dry_run"), answer
    told = halon("run", "names", "--alert", str(alert), "--dry-run", "--by", "bob")
    assert told.code == 0
    assert "Alert Lab received from alertmanager" in told.out
    assert told.out.splitlines()[-1].startswith("dry_run: ")
    incident = {"rule": "Lab", "output": "a shell", "time": "2026-01-02T03:04:05Z", "output_fields": {}}
    alert.write_text(json.dumps(incident | {"output_fields": {"k8s.ns.name": "from-falco"}}))
    falco = halon("run", "names", "--alert", str(alert), "--source", "falco", "--dry-run")
    assert falco.code == 0, falco
    unknown = halon("run", "names", "--alert", str(alert), "--source", "facol", "--dry-run")
    assert (unknown.code, unknown.err) == (2, "error: there is no source facol; did you mean `falco`?\n")


def send(engine: Path, namespace: str, *, minute: int = 0, status: str = "firing") -> "httpx.Response":
    """Send an alert to the gateway."""
    log = (engine.parent / "gateway.log").read_text()
    url = next(json.loads(one)["url"] for one in log.splitlines() if "gateway.listening" in one)
    alert = {
        "status": status,
        "labels": {"alertname": "Lab", "namespace": namespace},
        "startsAt": f"2026-01-02T03:{minute:02}:00Z",
    }
    with httpx.Client(base_url=url, timeout=20) as http:
        assert http.get("/readyz").json()["ready"] is True
        return http.post("/v1/alerts/lab", json={"version": "4", "alerts": [alert]})


def test_an_alert_at_the_gateway_becomes_an_incident(halon: Shell, engine: Path) -> None:
    accepted = send(engine, "sent")
    assert accepted.status_code == 202, accepted.text
    group = accepted.json()["incidents"][0]
    until(lambda: halon("show", group, "--json"), lambda shown: shown.code == 0 and shown.json["run"] is not None)
    assert halon("deny", group, "--by", "ana@example.com").code == 0
    assert closed(halon, group).json["incident"]["alert_count"] == 1


def test_an_alert_that_comes_back_is_the_same_incident_with_another_run(halon: Shell, engine: Path) -> None:
    group = send(engine, "again").json()["incidents"][0]

    def asked(times: int) -> Answer:
        def asks(shown: Answer) -> bool:
            known = shown.code == 0 and shown.json["incident"]["runs"] in {0, times}
            return known and bool((shown.json["run"] or {}).get("gates"))

        return until(lambda: halon("show", group, "--json"), asks)

    incident = asked(1).json["incident"]["id"]
    assert halon("approve", incident, "--by", "ana@example.com").code == 0
    assert closed(halon, incident).json["incident"]["cleared_at"] is None
    assert send(engine, "again", status="resolved").json()["suppressed"] == 1
    assert halon("show", incident, "--json").json["incident"]["cleared_at"]

    send(engine, "again", minute=5)
    assert asked(2).json["incident"]["id"] == incident
    (listed,) = [one for one in halon("incidents", "--json").json if one["id"].startswith(group)]
    assert (listed["state"], listed["waiting"], listed["reopened"]) == ("open", True, 1)
    lines = halon("incidents").out.splitlines()
    assert lines[0].split()[4] == "again"
    assert "once, 20" in next(line for line in lines if incident in line)
    assert "reopened  once, last 20" in halon("show", incident).out
    assert halon("approve", f"{incident}-run-2", "--by", "ana@example.com").code == 0
    shown = closed(halon, incident)
    assert (shown.json["incident"]["outcome"], shown.json["incident"]["runs"]) == ("unnecessary", 2)
    assert f"run {incident}-run-2" in halon("show", incident).out
    kinds = [one["kind"] for one in shown.json["records"]]
    assert [kind for kind in kinds if kind in {"incident.opened", "incident.reopened", "run.finished"}] == [
        "incident.opened",
        "run.finished",
        "incident.reopened",
        "run.finished",
    ]


def test_the_chain_of_all_that_is_whole(halon: Shell) -> None:
    answer = halon("audit", "verify", "--json")
    assert (answer.code, answer.json["ok"], answer.json["problems"]) == (0, True, [])
    assert halon("audit", "verify", "--anchor", answer.json["anchor"]).out.startswith("whole: ")


def test_guards_are_shown_and_turned_by_hand(halon: Shell) -> None:
    assert halon("pause", "--by", "ana").err == "error: --reason is missing\n"
    paused = halon("pause", "--by", "ana", "--reason", "cluster upgrade", "--target", "k8s/none/", "--json")
    assert paused.json["message"].startswith("targets under k8s/none/ is paused by ana since ")
    assert halon("guards").out.startswith("PAUSED: targets under k8s/none/ is paused by ana since ")
    wrong = halon("resume", "--by", "ana")
    assert (wrong.code, wrong.err.startswith("error: no pause of everything: targets under k8s/none/")) == (1, True)
    assert halon("resume", "--all", "--by", "ana").out == "resumed: targets under k8s/none/\n"

    key = ("breaker", "trip", "no-such-playbook", "--by", "ana")
    assert halon(*key, "--reason", "it went wrong").code == 0
    assert "open until reset" in halon("breaker", "list").out
    assert halon("breaker", "show", "no-such-playbook", "--json").json["state"] == "open"
    assert halon("breaker", "show", "no-such-playbook").out.endswith("why: tripped by ana: it went wrong\n")
    assert halon("breaker", "show", "other").err.startswith("error: no circuit breaker of other has anything to say")
    assert halon("breaker", "reset", "no-such-playbook", "--by", "ana", "--reason", "mended").code == 0
    assert halon("breaker", "list", "--json").json == []
    assert halon("unlock", "k8s/none", "--by", "ana", "--reason", "x").err.startswith("error: no lock k8s/none is held")
    assert halon("guards", "--json").json["freezes"] == []


def test_people_acknowledge_take_parts_and_see_what_was_not_told(halon: Shell) -> None:
    incident = started(halon)
    assert halon("ack", incident, "--by", "ana", "--comment", "looking").out.startswith("Acknowledged by ana after ")
    again = halon("ack", incident, "--by", "ben")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("error: ana acknowledged it at ")
    answer = halon("role", incident, "communication", "--by", "ana", "--to", "ben", "--json")
    assert answer.json == {"incident": incident, "by": "ana", "answer": "ben is communication lead"}
    assert halon("role", incident, "commander", "--by", "ana", "--leave").out == "ana is no longer incident commander\n"
    for wrong in (("role", incident, "king"), ("role", incident, "commander", "--leave", "--to", "ben")):
        assert halon(*wrong, "--by", "ana").code == 2
    for refused, why in (
        (("done", incident, "gdpr"), "this incident has no deadline gdpr"),
        (("publish", incident), "no rule of `communication.status_page` is for this incident"),
    ):
        answer = halon(*refused, "--by", "ana")
        assert (answer.code, answer.out) == (1, "")
        assert why in answer.err
    shown = until(lambda: halon("show", incident), lambda one: "NOT TOLD: channel:gone" in one.out)
    assert "acknowledged  by ana" in shown.out
    assert "communication ben, since " in shown.out
    assert halon("show", incident, "--json").json["people"]["roles"]["communication"]["person"] == "ben"
    assert halon("deny", incident, "--by", "ana").code == 0


def test_an_incident_that_tells_nobody_says_so(halon: Shell) -> None:
    answer = halon("run", "names", "--dry-run", "--by", "bob", "--json")
    said = halon("ack", answer.json["incident"], "--by", "ana")
    assert said.code == 1
    assert "tells nobody: see `communication` in halon.yaml" in said.err
