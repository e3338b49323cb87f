"""What a gate shows: the changes that the steps behind it would make, planned before anybody is asked."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from halon.contracts.base import is_list
from halon.contracts.plan import ActionCall, Effect, Plan
from halon.contracts.steps import ApproveStep, ForEachStep, ParallelStep, PlaybookStep, Step, SwitchStep, UsesStep
from halon.core.frame import Scope, StepFailed, holds, rendered
from halon.core.runtime import Runtime

MAX_SHOWN = 50
"""Plans that one gate shows; what lies beyond is named, and asked for when its turn comes."""
OWN_GATES_ASK = "own-gates-ask"
"""Name of a patch."""


@dataclass(slots=True)
class Outlook:
    """Plans in the order of the steps, and what could not be planned yet with the reason."""

    plans: list[Plan] = field(default_factory=list[Plan])
    unplanned: list[str] = field(default_factory=list[str])


class Lookout:
    """Plans ahead. What depends on a step that has not run cannot be planned and is asked for in its turn."""

    def __init__(
        self,
        effects: dict[str, Effect],
        runtime: Runtime,
        plan: Callable[[ActionCall, str], Awaitable[Plan]],
        path: Callable[[Step, int, str], str],
    ) -> None:
        self._effects = effects
        self._runtime = runtime
        self._plan = plan
        self._path = path

    async def survey(self, steps: Sequence[Step], scope: Scope, prefix: str, first_index: int = 0) -> Outlook:
        """Plan the changes within `steps`, up to the next gate.

        Raises:
            StepFailed: a change is refused, or its target cannot be looked at.
        """
        outlook = Outlook()
        await self._walk(steps, scope, prefix, first_index, outlook)
        return outlook

    async def survey_step(self, step: Step, path: str, scope: Scope) -> Outlook:
        """Plan the changes within one step, whose own `if` has been asked already.

        Raises:
            StepFailed: a change is refused, or its target cannot be looked at.
        """
        outlook = Outlook()
        await self._look(step, path, scope, outlook)
        return outlook

    async def _walk(self, steps: Sequence[Step], scope: Scope, prefix: str, first_index: int, outlook: Outlook) -> None:
        for index, step in enumerate(steps, first_index):
            if isinstance(step, ApproveStep):
                return
            if step.approve is not None and self._runtime.patched(OWN_GATES_ASK):
                continue  # it is asked about in its turn, perhaps of other people
            path = self._path(step, index, prefix)
            try:
                if step.if_ is not None and not holds(path, step.if_, scope.names(self._runtime.now())):
                    continue
                await self._look(step, path, scope, outlook)
            except StepFailed as failure:
                if failure.kind != "expression":
                    raise
                outlook.unplanned.append(f"{path}: {failure.reason}")

    async def _look(self, step: Step, path: str, scope: Scope, outlook: Outlook) -> None:
        if isinstance(step, UsesStep):
            await self._change(step, path, scope, outlook)
        elif isinstance(step, ParallelStep):
            for name, branch in step.parallel.items():
                await self._walk(branch.steps, scope.fork(), f"{path}.{name}", 0, outlook)
        elif isinstance(step, SwitchStep):
            names = scope.names(self._runtime.now())
            chosen = next(
                (case.steps for case in step.switch.cases if holds(path, case.if_, names)), step.switch.default
            )
            await self._walk(chosen or (), scope.fork(), path, 0, outlook)
        elif isinstance(step, ForEachStep):
            loop = step.for_each
            items: Any = rendered(path, loop.in_, scope.names(self._runtime.now()))
            for index, item in enumerate(items[:MAX_SHOWN] if is_list(items) else []):
                await self._walk(loop.steps, scope.fork(**{loop.as_: item}), f"{path}[{index}]", 0, outlook)
        elif isinstance(step, PlaybookStep):
            outlook.unplanned.append(f"{path}: what playbook {step.playbook} changes is asked for when it runs")

    async def _change(self, step: UsesStep, path: str, scope: Scope, outlook: Outlook) -> None:
        if self._effects.get(step.uses) not in {Effect.CHANGE, Effect.DESTROY}:
            return
        params = rendered(path, step.with_, scope.names(self._runtime.now()))
        if len(outlook.plans) >= MAX_SHOWN:
            outlook.unplanned.append(f"{path}: more than {MAX_SHOWN} changes; asked for in its turn")
            return
        call = ActionCall(action=step.uses, params=params)
        plan = await self._plan(call, path)
        if plan.kind == "change":
            outlook.plans.append(plan)
