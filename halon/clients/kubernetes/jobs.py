"""What Halon starts in a cluster: the jobs of halon.yaml, as manifests that give a container no more than it needs."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from halon.contracts.base import JsonObject, digest
from halon.errors import PermissionDenied
from halon.settings.jobs import JobTemplate

LABEL = "halon.dev/job"
"""Label of a Job: which one of halon.yaml it is."""
TEMPLATE = "halon.dev/job-template"
"""Annotation of a Job: digest of what was started, so that it can be compared with what was approved."""
CONTAINER = "job"
"""Name of its one container."""
OF_JOB = "batch.kubernetes.io/job-name"
_SCRATCH = "64Mi"


class JobTemplates:
    """The jobs that playbooks may start."""

    def __init__(self, templates: Mapping[str, JobTemplate]) -> None:
        """`templates` is `kubernetes.jobs` of halon.yaml."""
        self._templates = templates

    def named(self, name: str) -> JobTemplate:
        """Give the template of this name.

        Raises:
            PermissionDenied: there is none, so nothing may be started.
        """
        if name not in self._templates:
            offered = ", ".join(sorted(self._templates)) or "none"
            raise PermissionDenied(f"halon.yaml allows no job '{name}' under kubernetes.jobs; it names: {offered}")
        return self._templates[name]


def job_name(job: str, reference: str) -> str:
    """Name the Job of a reference: the same one every time, so that it can exist only once."""
    return f"{job}-{hashlib.sha256(reference.encode()).hexdigest()[:16]}"


def fingerprint(template: JobTemplate, arguments: Sequence[str]) -> str:
    """Give the digest of what would be started."""
    return digest(_spec(template, arguments))


def manifest(
    job: str, template: JobTemplate, arguments: Sequence[str], name: str, annotations: Mapping[str, str]
) -> JsonObject:
    """Give the Job: no root, no privileges, no writable root, no token unless a service account is named, one try."""
    spec = _spec(template, arguments)
    spec["template"] |= {"metadata": {"labels": {LABEL: job}}}
    meta: dict[str, Any] = {"name": name, "namespace": template.namespace, "labels": {LABEL: job}}
    meta["annotations"] = {**annotations, TEMPLATE: fingerprint(template, arguments)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def _spec(template: JobTemplate, arguments: Sequence[str]) -> dict[str, Any]:
    scratch = [(f"scratch-{number}", path) for number, path in enumerate(template.scratch)]
    bounds = {"cpu": template.cpu, "memory": template.memory}
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": template.image,
        "resources": {"limits": bounds, "requests": bounds},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if template.command:
        container["command"] = list(template.command)
    if arguments:
        container["args"] = [_literal(one) for one in arguments]
    if template.env:
        container["env"] = [{"name": name, "value": value} for name, value in sorted(template.env.items())]
    if scratch:
        container["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in scratch]
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": template.service_account is not None,
        "enableServiceLinks": False,
        "securityContext": security | ({"runAsUser": template.user} if template.user else {}),
        "containers": [container],
    }
    if template.service_account:
        pod["serviceAccountName"] = template.service_account
    if scratch:
        pod["volumes"] = [{"name": name, "emptyDir": {"sizeLimit": _SCRATCH}} for name, _ in scratch]
    return {
        "backoffLimit": 0,
        "activeDeadlineSeconds": int(template.deadline.total_seconds()),
        "ttlSecondsAfterFinished": int(template.keep.total_seconds()),
        "template": {"spec": pod},
    }


def _literal(text: str) -> str:
    """Keep Kubernetes from putting variables into it: `$(NAME)` is one, `$$(NAME)` is that text."""
    return text.replace("$(", "$$(")
