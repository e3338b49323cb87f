"""What enabling and disabling a workflow share."""

from halon.clients.github import GitHub
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Proposal, Refusal, State
from halon.kit.env import Env

OFF = frozenset({"disabled_manually", "disabled_inactivity", "disabled_fork"})


class WorkflowState(State):
    """A workflow."""

    name: str
    state: str


async def look(env: Env, repository: str, workflow: str) -> WorkflowState:
    """Look at it."""
    there = await env.get(GitHub).workflow(repository, workflow)
    return WorkflowState(name=there.name or workflow, state=there.state)


def proposed(state: WorkflowState, repository: str, *, enabled: bool) -> Proposal | Nothing | Refusal:
    """Compare with what is wanted."""
    after = "active" if enabled else "disabled_manually"
    title = f"the workflow {state.name} of {repository}"
    if state.state == "deleted":
        return Refusal(f"{title} is deleted")
    if state.state == after or (not enabled and state.state in OFF):
        return Nothing(f"{title} is {state.state} already")
    note = () if enabled else ("runs that are under way go on: cancel them with github.cancel_run",)
    return Proposal(
        summary=f"{'Enable' if enabled else 'Disable'} {title}",
        before={"state": state.state},
        after={"state": after},
        rows=[Row(field=state.name, before=state.state, after=after)],
        notes=note,
    )


def settled(state: WorkflowState, after: JsonObject) -> Settlement:
    """Whether it is as it should be."""
    if state.state == after["state"]:
        return Settlement(state="settled", observed={"state": state.state})
    return Settlement(state="broken", reason=f"the workflow {state.name} is {state.state} again")
