"""Verification: look again and again until the effect shows, and hold it. No data is not success."""

import json
from datetime import datetime, timedelta
from typing import Any

from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, format_duration, is_object
from halon.contracts.plan import ActionCall
from halon.contracts.steps import VerifyStep
from halon.core.expressions import EvaluationError, condition
from halon.core.frame import Scope, StepFailed, hydrate, rendered
from halon.core.runtime import ActionFailed, Event, Runtime

_MAX_SEEN = 256
"""Characters of the last answer in a reason."""
MIN_LOOK = timedelta(seconds=5)
"""A last look is given at least this long."""


class Verification:
    """One `verify` step at work."""

    def __init__(self, step: VerifyStep, path: str, scope: Scope, runtime: Runtime) -> None:
        self._step = step
        self._path = path
        self._scope = scope
        self._runtime = runtime
        self._seen = "nothing yet"
        self._data = False
        """Whether the last look saw data."""
        self.answer: Json = None
        """The last answer, as it came over the wire."""
        self.output: Any = None
        """The last answer, as expressions see it."""

    async def run(self) -> str:
        """Look until it holds. Gives the sentence that says so.

        Raises:
            StepFailed: `unverified`, it did not hold in time; `no_data`, there was nothing to judge by.
        """
        step, runtime = self._step, self._runtime
        params = rendered(self._path, step.verify.with_, self._scope.names(runtime.now()))
        call = ActionCall(action=step.verify.uses, params=params)
        deadline = runtime.now() + step.within
        since: datetime | None = None
        while True:
            held = await self._look(call, max(deadline - runtime.now(), MIN_LOOK))
            now = runtime.now()
            since = (since or now) if held else None
            if since is not None and (step.hold is None or now - since >= step.hold):
                for_ = f" for {format_duration(step.hold)}" if step.hold else ""
                return f"{step.until} held{for_}"
            if now >= deadline:
                break
            pause = min(step.every, deadline - now)
            if since is not None and step.hold is not None:
                pause = min(pause, since + step.hold - now)
            await runtime.sleep(pause, f"look again for {self._path}")
        raise self._failure(since)

    def _failure(self, since: datetime | None) -> StepFailed:
        within = format_duration(self._step.within)
        if not self._data:
            self._tell(f"No data within {within}: {self._seen}")
            return StepFailed(self._path, "no_data", f"no data within {within}: {self._seen}")
        short = "held, but not for long enough" if since else "did not hold"
        reason = f"{self._step.until} {short} within {within}; last seen: {self._seen}"
        self._tell(reason)
        return StepFailed(self._path, "unverified", reason)

    async def _look(self, call: ActionCall, within: timedelta) -> bool:
        try:
            result = await self._runtime.read(call, self._path, within)
        except ActionFailed as failure:
            self._data, self._seen = False, failure.reason
            return False
        output = hydrate(result.output, result.hints)
        self.answer, self.output = result.output, output
        seen = json.dumps(result.output, ensure_ascii=False)
        self._seen = seen if len(seen) <= _MAX_SEEN else f"{seen[:_MAX_SEEN]}…"
        if output is None or (is_object(output) and output.get("no_data") is True):
            self._data, self._seen = False, "the query answered, but without data"
            return False
        try:
            held = condition(self._step.until, self._scope.names(self._runtime.now(), result=output))
        except EvaluationError as error:
            self._data, self._seen = False, str(error)
            return False
        self._data = True
        return held

    def _tell(self, message: str) -> None:
        self._runtime.emit(Event(AuditKind.UNVERIFIED, message, step=self._path))
