"""A first draft of a playbook: from a template, and from an alert when there is one.

What is filled in is what the alert shows: its name, the labels that the draft relies on, what makes two alerts one
incident, and the alert itself for the tests. The rest is for the author to say.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from glob import escape
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from halon.contracts.alert import Alert
from halon.contracts.base import Json
from halon.errors import InvalidInput

TEMPLATES = ("diagnose", "restart", "rollback", "scale", "contain")
_ONE_CAUSE = (
    "cluster",
    "account",
    "account_id",
    "region",
    "namespace",
    "exported_namespace",
    "service",
    "project",
    "job",
    "deployment",
    "statefulset",
    "daemonset",
    "job_name",
    "cronjob",
    "consumergroup",
    "container",
    "node",
    "resource",
    "resource_type",
    "dbinstanceidentifier",
    "function_name",
    "db_instance",
    "db_cluster",
    "cluster_name",
    "auto_scaling_group",
    "cache_cluster",
    "bucket_name",
    "QueueName",
)
"""Labels that name a cause rather than one of the many things that show it, such as a pod or an instance."""
_MAX_GROUP = 4
_PLAIN = re.compile(r"[\w.-]{1,64}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_SYSTEM = "kube-"
"""How the namespaces of Kubernetes itself begin."""

Workload = Literal["", "deployment", "pod"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a draft is to be."""

    name: str
    template: str
    schema: str
    """Where an editor finds the schema: a path from the playbook's file, or an address."""
    owner: str = "team-platform"
    title: str = ""
    alert: Alert | None = None
    sources: tuple[str, ...] = ()
    """Sources that its alerts come from; none: all."""


def draft(wish: Wish) -> str:
    """Write a playbook.

    Raises:
        InvalidInput: its name is none, there is no such template, or the alert names nothing that the template acts on.
    """
    if _NAME.fullmatch(wish.name) is None:
        raise InvalidInput(f"'{wish.name}' cannot name a playbook: lower-case letters, digits and hyphens, at most 63")
    if wish.template not in TEMPLATES:
        raise InvalidInput(f"there is no template {wish.template}; there are {', '.join(TEMPLATES)}")
    name = wish.alert.name if wish.alert else _camel(wish.name)
    labels = _labels(wish.alert)
    workload = _workload(labels)
    if not workload and wish.template != "diagnose":
        shown = ", ".join(sorted(labels)) or "none"
        raise InvalidInput(
            f"the template {wish.template} acts on a Deployment, and this alert does not name one: it has neither "
            f"`namespace` and `deployment` nor `namespace` and `pod`, but {shown}; use the template diagnose instead"
        )
    environment = Environment(
        loader=PackageLoader("halon.playbook", "templates"),
        autoescape=False,  # noqa: S701  # YAML, whose values are quoted by the filter
        block_start_string="[%",
        block_end_string="%]",
        variable_start_string="[[",
        variable_end_string="]]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["quoted"] = _quoted
    text = environment.get_template(f"{wish.template}.yaml").render(
        name=wish.name,
        title=wish.title or _spaced(wish.name),
        owner=wish.owner,
        schema=wish.schema,
        alerts=[escape(name)],
        sources=list(wish.sources),
        labels=_promised(labels, workload),
        group_by=[label for label in _ONE_CAUSE if label in labels][:_MAX_GROUP],
        workload=workload,
        deployment="alert.labels.deployment" if workload == "deployment" else "steps.owner.output.deployment",
        owner_given="      kubernetes.get_owner: {deployment: cart}" if workload == "pod" else "",
        alert=_tested(name, wish, labels),
    )
    return "\n".join(line.rstrip() for line in _squeezed(text.splitlines())) + "\n"


def _labels(alert: Alert | None) -> dict[str, str]:
    """The alert's labels; without an alert those of one that names a Deployment."""
    if alert is None:
        return {"namespace": "shop", "deployment": "cart", "severity": "warning"}
    return {name: value for name, value in alert.labels.items() if name != "alertname" and value}


def _workload(labels: Mapping[str, str]) -> Workload:
    if "namespace" not in labels:
        return ""
    return "deployment" if "deployment" in labels else "pod" if "pod" in labels else ""


def _promised(labels: Mapping[str, str], workload: Workload) -> dict[str, Json]:
    """The labels that the trigger asks for: those that the playbook uses, and the severity."""
    found: dict[str, Json] = {}
    if workload:
        system = labels["namespace"].startswith(_SYSTEM)
        found["namespace"] = "*" if system else ["*", f"!{_SYSTEM}*"]
        found[workload] = "*"
    severity = labels.get("severity", "")
    if _PLAIN.fullmatch(severity):
        found["severity"] = severity
    return found


def _tested(name: str, wish: Wish, labels: Mapping[str, str]) -> dict[str, Json]:
    """The alert of the tests: the real one, without what only its sender can read."""
    tested: dict[str, Json] = {"name": name, "labels": dict(sorted(labels.items()))}
    if wish.alert is not None and wish.alert.severity and wish.alert.severity != labels.get("severity"):
        tested["severity"] = wish.alert.severity
    if wish.sources:
        tested["source"] = wish.sources[0]
    return tested


def _quoted(value: Json) -> str:
    """A value as YAML on one line: plain words as such, all else as JSON, which YAML reads."""
    if isinstance(value, str):
        return value if _is_plain(value) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(key)}: {_quoted(inner)}' for key, inner in value.items())}}}"
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    """Whether YAML reads it as this text without quotes, in flow and in block."""
    words = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return bool(re.fullmatch(r"[A-Za-z][\w .-]*[\w.-]|[A-Za-z]", text)) and text.casefold() not in words


def _squeezed(lines: Sequence[str]) -> list[str]:
    """Without the empty lines that a template leaves, but for those within a text."""
    return [line for line in lines if line.strip()]


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _spaced(name: str) -> str:
    return name.replace("-", " ").capitalize()
