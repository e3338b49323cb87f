"""What Jira's notices tell."""

from contextlib import AbstractAsyncContextManager

from jira_double import JiraDouble, jira
from notice import Opening, Telling, telling

from halon.contracts.base import JsonObject


def on_site(action: str, params: JsonObject) -> Opening:
    def opening() -> AbstractAsyncContextManager[Telling]:
        return telling(JiraDouble(), jira, f"jira.{action}", params)

    return opening


NOTICES: dict[str, Opening] = {
    "jira.create_issue": on_site("create_issue", {"project": "OPS", "reference": "i-1", "summary": "Down"}),
    "jira.add_comment": on_site("add_comment", {"issue": "OPS-1", "reference": "i-1/found", "text": "It grew"}),
    "jira.transition_issue": on_site("transition_issue", {"issue": "OPS-1", "to": "Done"}),
}
