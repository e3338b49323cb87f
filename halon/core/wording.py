"""The words of messages: the templates that Halon ships, and how any template is filled in. Pure.

A template that has no answer for an incident does not keep people from being told: the shipped one is taken.
"""

from collections.abc import Mapping

from halon.contracts.communication import Templates
from halon.core.audience import check_expression
from halon.core.expressions import EvaluationError, ScopeValue, render
from halon.core.template import scan
from halon.errors import Misconfigured

NAMES = frozenset({"incident", "news", "alert", "metadata", "environment", "now"})
"""What a template may use. `alert` is the first alert and is not there when a person started the incident."""
MAX_WORDS = 8000

SHIPPED: Mapping[str, str] = {
    "page_title": "${{ incident.severity == '' ? '' : '[' + incident.severity + '] ' }}${{ incident.title }}"
    "${{ incident.service == '' ? '' : ' (' + incident.service + ')' }}",
    "page_body": """\
An objective is threatened: ${{ incident.why }}
Incident ${{ incident.id }} in ${{ environment }}, since ${{ incident.opened }}.
${{ news.size() == 0 ? '' : 'So far:\\n- ' + news.join('\\n- ') }}
Runbook: ${{ metadata.runbook == '' ? 'none' : metadata.runbook }}
Acknowledge: halon ack ${{ incident.id }}
See: halon show ${{ incident.id }}""",
    "ticket_title": "${{ incident.title }}${{ incident.service == '' ? '' : ' (' + incident.service + ')' }}",
    "ticket_body": """\
No objective is threatened, so nobody was called.
Incident ${{ incident.id }} in ${{ environment }}, since ${{ incident.opened }}; playbook ${{ metadata.name }}.
${{ news.size() == 0 ? '' : 'So far:\\n- ' + news.join('\\n- ') }}
See: halon show ${{ incident.id }}""",
    "update_title": "${{ incident.title }}${{ incident.service == '' ? '' : ' (' + incident.service + ')' }}"
    ": ${{ incident.state }}",
    "update_body": """\
${{ news.size() == 0 ? incident.state : '- ' + news.join('\\n- ') }}

Incident ${{ incident.id }} in ${{ environment }}, since ${{ incident.opened }}\
${{ incident.commander == '' ? '; nobody commands it' : '; commander ' + incident.commander }}\
${{ incident.communication == '' ? '' : ', communication ' + incident.communication }}.""",
    "external_title": "Disruption${{ incident.service == '' ? '' : ' of ' + incident.service }}",
    "investigating": "We are investigating a disruption\
${{ incident.service == '' ? '' : ' of ' + incident.service }} and will tell you more as soon as we know it.",
    "identified": "We have found a cause and are working on the remedy.",
    "resolved": "The disruption is over. We apologise for it.",
}


class Wording:
    """The templates of one installation."""

    def __init__(self, templates: Templates) -> None:
        self._own: dict[str, str] = {name: text for name in SHIPPED if (text := getattr(templates, name)) is not None}

    def text(self, name: str, scope: Mapping[str, ScopeValue]) -> str:
        """Fill in a template; one line for a title."""
        for template in (self._own.get(name), SHIPPED[name]):
            if template is None:
                continue
            try:
                words = render(template, scope)
            except EvaluationError:
                continue
            text = words if isinstance(words, str) else str(words)
            return (" ".join(text.split()) if name.endswith("title") else text.strip())[:MAX_WORDS]
        return SHIPPED[name]


def check_templates(templates: Templates) -> None:
    """Compile every expression of every template.

    Raises:
        Misconfigured: one does not compile, or uses a name that templates do not have.
    """
    for name in SHIPPED:
        text: str | None = getattr(templates, name)
        for found in scan(text) if text is not None else ():
            place = f"communication.templates.{name}"
            if found.problem:
                raise Misconfigured(f"`{place}` in halon.yaml: {found.problem}")
            check_expression(found.source, NAMES, place, any_type=True)
