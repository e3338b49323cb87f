"""Workloads in the namespace `shop`, as people write them."""

from typing import Any

Manifest = dict[str, Any]


def template(name: str, image: str, **pod: Any) -> Manifest:
    container = {"name": name, "image": image, "env": [{"name": "PASSWORD", "value": "planted-in-the-template"}]}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **pod}}


def stateful_set(image: str = "db:1.0", *, replicas: int = 2, **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": template("db", image),
            **spec,
        },
    }


def daemon_set(image: str = "agent:1.0", **spec: Any) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", image), **spec},
    }


def job(image: str = "import:1.0", **spec: Any) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "import", "namespace": "shop"},
        "spec": {"template": template("import", image, restartPolicy="Never"), **spec},
    }


def cron_job(**spec: Any) -> Manifest:
    made = {"spec": {"template": template("import", "import:1.0", restartPolicy="Never")}}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "nightly", "namespace": "shop"},
        "spec": {"schedule": "0 3 * * *", "jobTemplate": made, **spec},
    }


def autoscaler(kind: str, name: str, low: int, high: int) -> Manifest:
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"scaleTargetRef": reference, "minReplicas": low, "maxReplicas": high},
    }
