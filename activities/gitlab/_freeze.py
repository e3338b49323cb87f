"""What freezing and letting go on share: Halon's own freeze period."""

from activities.gitlab._project import READ
from halon.clients.gitlab import GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Permission, Proposal, State
from halon.kit.env import Env

START, END = "0 0 1 1 *", "59 23 31 12 *"
"""From the beginning of each year to its end, in UTC. So it needs no clock, and nobody else writes one like it."""
PERMISSIONS = (
    READ,
    Permission("http", ("POST", "DELETE"), "/api/v4/projects/{project}/freeze_periods", "scope `api`, role Maintainer"),
)


class FreezeState(State):
    """The freeze periods of a project."""

    ours: tuple[int, ...]
    """Those that are Halon's."""
    others: int
    """How many there are beside them."""


async def look(env: Env, project: str) -> FreezeState:
    """Look at them."""
    found = await env.get(GitLab).freezes(project)
    ours = tuple(one.id for one in found if (one.freeze_start, one.freeze_end) == (START, END))
    return FreezeState(ours=ours, others=len(found) - len(ours))


def proposed(state: FreezeState, project: str, *, frozen: bool) -> Proposal | Nothing:
    """Compare with what is wanted."""
    there = bool(state.ours)
    if there == frozen:
        return Nothing(f"deployments of {project} are {_word(frozen=frozen)} by Halon already")
    respected = "only jobs whose rules ask for `$CI_DEPLOY_FREEZE` are left out, of pipelines that begin from now on"
    left = f"{state.others} other freeze periods of the project stay as they are" if state.others else ""
    return Proposal(
        summary=f"{'Freeze' if frozen else 'Unfreeze'} the deployments of {project}",
        before={"frozen": there, "others": state.others},
        after={"frozen": frozen, "others": state.others},
        rows=[Row(field="deploy freeze", before=_word(frozen=there), after=_word(frozen=frozen))],
        notes=[note for note in (respected if frozen else "", left) if note],
    )


def owned(state: FreezeState) -> JsonObject:
    """Whether Halon's is there, and how many others are."""
    return {"frozen": bool(state.ours), "others": state.others}


def settled(state: FreezeState, after: JsonObject) -> Settlement:
    """Whether it is as it should be."""
    if bool(state.ours) == after["frozen"]:
        return Settlement(state="settled", observed={"frozen": bool(state.ours)})
    return Settlement(state="broken", reason=f"deployments are {_word(frozen=bool(state.ours))} again")


def _word(*, frozen: bool) -> str:
    return "frozen" if frozen else "not frozen"
