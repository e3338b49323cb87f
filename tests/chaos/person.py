"""The person who is asked: approves or denies what the stories' scripts say, by every way that there is."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

from engine import Engine
from stage import NOT_NOW, Stage
from story import Story
from temporalio.client import WorkflowHandle

from halon.cli.decisions import decide
from halon.contracts.decision import Verdict
from halon.contracts.run import STATUS_QUERY, Decide, OpenGate, RunStatus
from halon.core.ids import incident_of

APPROVER = "ana@example.com"
LOOK = 0.15
_WAITING = "WorkflowType = 'Remediation' AND ExecutionStatus = 'Running' AND HalonWaiting = true"


class Person:
    """Looks at what waits and decides, again and again, until nobody needs it any more."""

    def __init__(self, stage: Stage, stories: Sequence[Story]) -> None:
        self._stage = stage
        self._stories = stories

    async def attend(self) -> None:
        """Attend until cancelled. What cannot be reached now is tried again."""
        while True:
            with contextlib.suppress(*NOT_NOW):
                async with asyncio.timeout(10):
                    await self._look()
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        waiting = [one.id async for one in self._stage.client.list_workflows(_WAITING)]
        for run in waiting:
            handle: WorkflowHandle[object, object] = self._stage.client.get_workflow_handle(run)
            async with asyncio.timeout(3):
                status = await handle.query(STATUS_QUERY, result_type=RunStatus)
            for gate in status.gates:
                story = self._story(status, gate)
                if story is not None:
                    story.comes("asked")
                    await self._answer(story, run, gate)

    def _story(self, status: RunStatus, gate: OpenGate) -> Story | None:
        """Whose question it is."""
        targets = {plan.target for plan in gate.plans}
        for story in self._stories:
            if story.scene.target in targets and story.scene.script.playbook == status.playbook:
                return story
        return None

    async def _answer(self, story: Story, run: str, gate: OpenGate) -> None:
        scene = story.scene
        # Whoever set other replicas meanwhile wants to keep them.
        undoing = gate.step.endswith(".undo")
        decision = "deny" if undoing else scene.script.decision
        if decision == "none":
            return
        await asyncio.sleep(0 if undoing else scene.thinks)
        verdict = Verdict(decision)
        if scene.way == "signal":
            given = {"by": APPROVER, "plan": gate.digest, "step": gate.step}
            await self._stage.client.get_workflow_handle(run).signal(decision, given)
        elif scene.way == "command":
            await _command(self._stage.engine, decision, incident_of(run), gate)
        else:
            decided = Decide(verdict=verdict, by=APPROVER, plan=gate.digest, step=gate.step)
            await decide(self._stage.engine.settings, incident_of(run), decided)
        story.comes("decided")


async def _command(engine: Engine, decision: str, incident: str, gate: OpenGate) -> None:
    """`halon approve` as a process of its own; its exit code says nothing when an answer was lost."""
    words = [decision, incident, "--plan", gate.digest, "--step", gate.step, "--by", APPROVER]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "halon.cli", "--config", str(engine.config)),
        *words,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
