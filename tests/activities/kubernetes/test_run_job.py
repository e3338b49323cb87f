"""A container that halon.yaml names is started as it says there, once, and followed to its end."""

from typing import Any

import pytest
from job_run_worlds import RUN, template, templates
from pydantic import ValidationError
from shop import Shop, until

from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.kubernetes.jobs import JobTemplates, job_name, manifest
from halon.demo.cluster import Fault, FaultKind
from halon.errors import Misconfigured, PermanentError, PermissionDenied, TransientError
from halon.kit.env import Env
from halon.settings.jobs import JobTemplate, check_jobs
from halon.settings.model import KubernetesSettings

NAME = job_name("clear-cache", "i-1")
RUN_JOB = "kubernetes.run_job"


def having(shop: Shop, **more: JobTemplate) -> Shop:
    return Shop(shop.cluster, Env(shop.env.get(KubernetesApi), JobTemplates(templates(**more))), shop.evidence)


def there(shop: Shop, name: str = NAME) -> Any:
    return shop.cluster.read("batch/v1", "Job", name, "shop")


async def test_it_runs_without_root_privileges_or_a_token_and_its_end_is_told(shop: Shop) -> None:
    shop = having(shop)
    plan = await shop.plan(RUN_JOB, **RUN)
    assert plan.effect == "destroy"
    assert plan.target == f"k8s/default/shop/job/{NAME}"
    assert [(row.field, row.after) for row in plan.rows] == [("image", "tools:1-done"), ("argument 1", "cart")]
    assert plan.notes == ("it gets no token of the cluster", "it is stopped after 0:05:00")
    assert (await shop.apply(plan)).status == "applied"
    settled = await shop.confirmed(plan)
    assert settled.state == "settled"
    assert "starting tools:1-done" in settled.observed["log"]
    made = there(shop)
    spec, pod = made["spec"], made["spec"]["template"]["spec"]
    limits = (spec["backoffLimit"], spec["activeDeadlineSeconds"], spec["ttlSecondsAfterFinished"])
    assert limits == (0, 300, 86400)
    assert pod["automountServiceAccountToken"] is False
    assert pod["restartPolicy"] == "Never"
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = pod["containers"]
    assert container["args"] == ["cart"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "256Mi"}


async def test_what_halon_yaml_does_not_name_is_not_started(shop: Shop) -> None:
    with pytest.raises(PermissionDenied, match=r"allows no job 'mine' .* it names: clear-cache, fill-cache"):
        await having(shop).plan(RUN_JOB, **{**RUN, "job": "mine"})
    with pytest.raises(Misconfigured):
        await shop.plan(RUN_JOB, **RUN)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"namespace": "other"}, "halon.yaml lets it run in shop, not in other"),
        ({"arguments": ["a", "b", "c"]}, "allows it 2 arguments, and the playbook gives 3"),
        ({"arguments": ["a", "--all"]}, "argument 2 is not as `kubernetes.jobs.clear-cache.argument` wants it"),
        ({"arguments": ["a; rm -rf /"]}, "argument 1 is not as"),
        ({"arguments": ["cart\n"]}, "argument 1 is not as"),
        ({"undoes": "fill-cache"}, "fill-cache was not started for this"),
    ],
)
async def test_what_the_template_does_not_allow_is_refused(shop: Shop, more: dict[str, Any], why: str) -> None:
    plan = await having(shop).plan(RUN_JOB, **{**RUN, **more})
    assert plan.kind == "refused"
    assert why in plan.reason


async def test_a_reference_is_one_run_and_another_one_another(shop: Shop) -> None:
    shop = having(shop)
    plan = await shop.plan(RUN_JOB, **RUN)
    await shop.apply(plan)
    assert (await shop.apply(plan)).status == "already"
    assert (await shop.plan(RUN_JOB, **RUN)).kind == "nothing"
    other = await shop.plan(RUN_JOB, **{**RUN, "reference": "i-2"})
    assert (await shop.apply(other)).status == "applied"
    assert len(shop.cluster.list("batch/v1", "Job", "shop")) == 2


async def test_one_that_fails_is_told_with_the_end_of_its_log_masked(shop: Shop) -> None:
    shop = having(shop, fails=template("tools:1-crash"))
    plan = await shop.plan(RUN_JOB, **{**RUN, "job": "fails"})
    await shop.apply(plan)
    broken = await shop.confirmed(plan)
    assert broken.state == "broken"
    assert "failed: BackoffLimitExceeded; the end of its log:" in broken.reason
    assert "fatal: database refused the connection" in broken.reason
    assert plan.undo.call is None
    assert "names no `undo`" in plan.undo.reason


async def test_one_that_does_not_end_is_stopped_by_its_deadline(shop: Shop) -> None:
    shop = having(shop, slow=template("tools:1", deadline="1s"))
    plan = await shop.plan(RUN_JOB, **{**RUN, "job": "slow"})
    await shop.apply(plan)
    assert "failed: DeadlineExceeded" in (await shop.confirmed(plan)).reason


async def test_one_that_is_gone_has_an_end_that_nobody_knows(shop: Shop) -> None:
    shop = having(shop)
    plan = await shop.plan(RUN_JOB, **RUN)
    await shop.apply(plan)
    await shop.confirmed(plan)
    await shop.cluster.remove("batch/v1", "Job", NAME, "shop")
    assert "how it ended is not known" in (await shop.confirmed(plan)).reason


async def test_a_job_of_somebody_else_under_its_name_is_refused(shop: Shop) -> None:
    shop = having(shop)
    foreign = manifest("other", template(), (), NAME, {})
    await shop.cluster.apply(dict(foreign))
    assert "was not made by Halon" in (await shop.plan(RUN_JOB, **RUN)).reason


async def test_it_is_taken_back_by_the_job_that_halon_yaml_names_and_not_done_again(shop: Shop) -> None:
    shop = having(shop)
    plan = await shop.plan(RUN_JOB, **RUN)
    await shop.apply(plan)
    await shop.confirmed(plan)
    back = await shop.taken_back(plan)
    assert back.summary == "Run job fill-cache in shop, which takes clear-cache back"
    assert back.undo.call is None
    assert (await shop.apply(back, "k-1/undo")).status == "applied"
    assert (await shop.confirmed(back)).state == "settled"
    assert there(shop, job_name("fill-cache", "i-1"))["spec"]["template"]["spec"]["containers"][0]["args"] == ["cart"]
    assert (await shop.apply(plan)).status == "already"
    with pytest.raises(PermanentError, match="taken back since"):
        await shop.apply(plan, "k-9")


async def test_what_kubernetes_would_put_into_an_argument_stays_text(shop: Shop) -> None:
    shop = having(shop, any=template(argument=".*"))
    await shop.apply(await shop.plan(RUN_JOB, **{**RUN, "job": "any", "arguments": ["$(PATH)"]}))
    made = there(shop, job_name("any", "i-1"))
    assert made["spec"]["template"]["spec"]["containers"][0]["args"] == ["$$(PATH)"]


async def test_a_service_account_scratch_space_a_user_and_variables_are_given_when_they_are_named(shop: Shop) -> None:
    full = template(
        service_account="ops", scratch=["/scratch"], user=1000, env={"MODE": "fast"}, command=["/bin/clear"]
    )
    shop = having(shop, full=full)
    plan = await shop.plan(RUN_JOB, **{**RUN, "job": "full"})
    assert plan.notes[0] == "it acts as service account ops"
    await shop.apply(plan)
    pod = there(shop, job_name("full", "i-1"))["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("ops", True)
    assert pod["securityContext"]["runAsUser"] == 1000
    assert pod["volumes"] == [{"name": "scratch-0", "emptyDir": {"sizeLimit": "64Mi"}}]
    (container,) = pod["containers"]
    assert container["volumeMounts"] == [{"name": "scratch-0", "mountPath": "/scratch"}]
    assert (container["env"], container["command"]) == ([{"name": "MODE", "value": "fast"}], ["/bin/clear"])


async def test_what_a_crash_left_is_found_and_not_started_again(shop: Shop) -> None:
    shop = having(shop)
    plan = await shop.plan(RUN_JOB, **RUN)
    shop.cluster.faults.inject(Fault(kind=FaultKind.LOSE_REPLY, method="POST", count=1))
    with pytest.raises(TransientError):
        await shop.apply(plan)
    await until(lambda: there(shop) is not None)
    assert (await shop.apply(plan)).ours
    assert [one.verb for one in shop.cluster.journal.changes()] == ["create"]


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"command": ["sh", "-c"], "max_arguments": 1}, "would be a script"),
        ({"env": {"DB_PASSWORD": "x"}}, "would be a secret"),
        ({"argument": "("}, "not a regular expression"),
        ({"keep": "5m"}, "greater than or equal"),
        ({"cpu": "lots"}, "pattern"),
        ({"user": 0}, "greater than or equal"),
    ],
)
def test_a_template_that_would_be_unsafe_is_no_setting(about: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        template(**about)


@pytest.mark.parametrize(
    "back", [{}, {"back": template(max_arguments=0)}, {"back": template().model_copy(update={"namespace": "x"})}]
)
def test_what_takes_a_job_back_is_there_and_gets_the_same_arguments(back: dict[str, JobTemplate]) -> None:
    with pytest.raises(ValueError, match=r"names back|takes it back|takes job back"):
        check_jobs({"job": template(undo="back"), **back})


def test_no_job_is_allowed_by_default() -> None:
    assert KubernetesSettings().jobs == {}
