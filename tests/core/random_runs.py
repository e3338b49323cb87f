"""Playbooks and worlds that hypothesis makes up, with a world that keeps the truth about what is there."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json, JsonObject
from halon.contracts.decision import Verdict
from halon.contracts.ledger import Admission, AdmissionRequest, Release
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Effect, Plan, ReadResult, Settlement, Undo
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.core.ledger import Ledger
from halon.core.runtime import ActionFailed
from halon.core.virtual import START, Answer, Course, Reply

PAUSES = ("1s", "40s", "3m", "20m")
Made: TypeAlias = dict[str, Any]
"""A part of a playbook."""

# What each call may come to; the first is what it mostly comes to.
_TAKES = (0, 7, 90, 400)
_READS = ("yes", "no", "no data", "error")
_PLANS = ("change", "refused", "error")
_APPLIES = ("done", "unsent", "lost", "late", "drift", "refused", "held")
_CLEARANCES = ("yes", "no")
_ELECTORATES = ("found", "found", "found", "unreachable")
_CONFIRMS = ("settled", "waiting", "broken", "error")
_UNDOS = ("plan", "error", "refused")


@dataclass
class TrueWorld:
    """Keeps what every target is, what it would be without the run, and how each call goes: by chance, from a list."""

    chances: list[int]
    there: dict[str, Json] = field(default_factory=dict[str, Json])
    without_us: dict[str, Json] = field(default_factory=dict[str, Json])
    keys: list[str] = field(default_factory=list[str])
    """Keys of everything that took effect."""
    ledger: Ledger = field(default_factory=Ledger)
    _drawn: int = 0

    @property
    def restored(self) -> bool:
        return self.there == self.without_us

    def _draw(self, options: tuple[Any, ...]) -> Any:
        self._drawn += 1
        chance = self.chances[self._drawn % len(self.chances)]
        return options[0] if chance % 6 else options[chance // 6 % len(options)]

    @property
    def _takes(self) -> timedelta:
        return timedelta(seconds=self._draw(_TAKES))

    def read(self, call: ActionCall, step: str) -> Answer[ReadResult]:
        drawn = self._draw(_READS)
        if drawn == "error":
            return Answer(ActionFailed("nobody answers"), self._takes)
        return Answer(ReadResult(output=None if drawn == "no data" else {"ok": drawn == "yes"}), self._takes)

    def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Answer[Plan]:
        drawn = self._draw(_PLANS if undoing is None else _UNDOS)
        if drawn == "error":
            return Answer(ActionFailed("cannot look"), self._takes)
        target = str(call.params["name"])
        is_, wanted = self.there.get(target, 0), call.params["to"]
        theirs = undoing is not None and is_ not in (undoing.after["to"], wanted)
        kind = "refused" if drawn == "refused" or theirs else "nothing" if is_ == wanted else "change"
        plan = self._planned(target, is_, wanted, kind)
        return Answer(plan.model_copy(update={"overtaken": theirs}), self._takes)

    def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
        return Answer(self.ledger.admit(request, now), self._takes)

    def electorate(self, request: ElectorateRequest) -> Answer[Electorate]:
        if self._draw(_ELECTORATES) == "unreachable":
            return Answer(ActionFailed("the schedule does not answer"), self._takes)
        return Answer(Electorate(anyone=True), self._takes)

    def release(self, report: Release, now: datetime) -> None:
        self.ledger.release(report, now)

    def clearance(self, plan: Plan, step: str) -> Answer[None]:
        if self._draw(_CLEARANCES) == "no":
            return Answer(ActionFailed("still paused", kind="held"), self._takes)
        return Answer(None, self._takes)

    def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
        target, drawn = plan.target, self._draw(_APPLIES)
        if key in self.keys and self.there.get(target, 0) == plan.after["to"]:
            return Answer(Applied(status="already"), self._takes)
        if drawn == "drift":
            moved = 1000 + self._drawn
            self.there[target] = self.without_us[target] = moved
            return Answer(Applied(status="drift", drift=self._planned(target, moved, plan.after["to"], "change")))
        if drawn in {"refused", "held"}:
            return Answer(Applied(status=drawn, reason="locked"), self._takes)
        if drawn == "unsent":
            return Answer(ActionFailed("no such field", kind="invalid_input"), self._takes)
        if drawn != "lost":
            assert self.there.get(target, 0) == plan.before["to"], "applied to what was not planned"
            self.there[target] = plan.after["to"]
            self.without_us.setdefault(target, plan.before["to"])
            self.keys.append(key)
        if drawn in {"lost", "late"}:
            return Answer(ActionFailed("the connection broke"), self._takes)
        return Answer(Applied(status="applied"), self._takes)

    def confirm(self, plan: Plan, step: str) -> Answer[Settlement]:
        drawn = self._draw(_CONFIRMS)
        return Answer(ActionFailed("blind") if drawn == "error" else Settlement(state=drawn, reason=drawn), self._takes)

    def _planned(self, target: str, before: Json, after: Json, kind: Any) -> Plan:
        params: JsonObject = {"name": target, "to": after}
        back = ActionCall(action="world.set", params={"name": target, "to": before})
        return Plan(
            kind=kind,
            action="world.set",
            params=params,
            effect=Effect.CHANGE,
            target=target,
            summary=f"Set {target} to {after}",
            reason="" if kind == "change" else kind,
            before={"to": before},
            after={"to": after},
            undo=Undo(call=back),
        )


def _change(name: str) -> Made:
    return {"uses": "world.set", "with": {"name": name, "to": 1}, "within": "2m"}


_GUARDS: list[Made] = [
    {},
    {"lock": "one"},
    {
        "lock": "two",
        "breaker": {"failures": 1, "within": "1h", "cooldown": "1m"},
        "rate": {"runs": 1, "per": "1h"},
        "budget": {"scope": "all", "max_targets": 2, "per": "1h"},
    },
]
_LOOK: Made = {"uses": "world.look"}
_VERIFY: Made = {"verify": {"uses": "world.look"}, "until": "${{ result.ok }}", "every": "20s", "within": "2m"}


@st.composite
def _steps(draw: st.DrawFn, depth: int = 2, item: str = "") -> list[Made]:
    return [draw(_step(depth, item)) for _ in range(draw(st.integers(1, 3)))]


@st.composite
def _step(draw: st.DrawFn, depth: int, item: str) -> Made:
    kinds = ["change", "change", "look", "verify", "wait", "gate", "stop"] + (
        ["parallel", "each", "switch"] * (depth > 0)
    )
    kind = draw(st.sampled_from(kinds))
    name = f"t{item}"
    pause = st.sampled_from(PAUSES)
    step: Made = {
        "change": lambda: _change(name) | draw(st.sampled_from([{}, {}, {"expires": "30m"}])),
        "look": lambda: dict(_LOOK),
        "verify": lambda: dict(_VERIFY, **draw(st.sampled_from([{}, {"hold": "1m"}]))),
        "wait": lambda: {"wait": draw(st.sampled_from([*PAUSES, {"until": "resolved", "within": "10m"}]))},
        "gate": lambda: {"approve": {"within": "5m"}},
        "stop": lambda: {
            "if": "${{ now.getSeconds() > 30 }}",
            "stop": {"outcome": draw(st.sampled_from(["refused", "remediated"])), "reason": "enough"},
        },
        "parallel": lambda: {
            "parallel": {
                branch: {
                    "steps": draw(_steps(depth - 1, item)),
                    "on_failure": draw(st.sampled_from(["fail", "continue"])),
                }
                for branch in ("a", "b")
            }
        },
        "each": lambda: {
            "for_each": {
                "in": "${{ ['x', 'y', 'z'] }}",
                "as": f"i{depth}",
                "max_items": 3,
                "max_parallel": draw(st.integers(1, 3)),
                "max_failures": draw(st.integers(1, 3)),
                "steps": draw(_steps(depth - 1, f"{item}-${{{{ i{depth} }}}}")),
            }
        },
        "switch": lambda: {
            "switch": {
                "cases": [{"if": "${{ now.getMinutes() % 2 == 0 }}", "steps": draw(_steps(depth - 1, item))}],
                "default": draw(_steps(depth - 1, item)),
            }
        },
    }[kind]()
    if draw(st.integers(0, 3)) == 0 and kind != "stop":
        more: list[Made] = [{"timeout": draw(pause)}, {"retry": {"attempts": 3, "interval": "5s"}}]
        more += [{"on_failure": "continue"}, {"on_failure": [dict(_LOOK)]}, {"on_failure": [_change(name)]}]
        more += [{"approve": {"within": "5m"}}, {"expires": "30m"}] * (kind not in {"look", "verify", "wait", "gate"})
        step |= draw(st.sampled_from(more))
    return step


@st.composite
def specs(draw: st.DrawFn, *, dry_run: bool = False) -> RunSpec:
    """A run of a playbook."""
    steps = [*draw(_steps()), *draw(st.sampled_from([[], [dict(_VERIFY)]]))]
    body: Made = {"steps": steps, "timeout": draw(st.sampled_from(["10m", "1h", "1d"]))}
    if draw(st.booleans()):
        body |= {"on_failure": [dict(_LOOK)], "finally": [dict(_LOOK)]}
    body["guard"] = draw(st.sampled_from(_GUARDS))
    _numbered(body, itertools.count())
    head: Made = {"apiVersion": "halon/v1", "kind": "Playbook"}
    head["metadata"] = {"name": "any", "title": "Any", "owner": "team"}
    return RunSpec(
        incident="any",
        playbook=Playbook.model_validate(head | body),
        effects={"world.set": Effect.CHANGE, "world.look": Effect.READ},
        alerts=(_ALERT,),
        dry_run=dry_run,
    )


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """People who mostly agree, and sometimes a cancellation or the end of the alert."""
    seconds = st.integers(0, 2000).map(lambda number: timedelta(seconds=number))
    steps = [path for path in _gates() for _ in range(3)]
    verdicts = draw(st.lists(st.sampled_from([Verdict.APPROVE] * 5 + [Verdict.DENY]), min_size=1, max_size=8))
    return Course(
        replies=[
            Reply(step, verdicts[index % len(verdicts)], f"p{index}", timedelta(seconds=index * 7 % 60))
            for index, step in enumerate(steps)
        ],
        resolves_after=draw(st.none() | seconds),
        cancels=draw(st.lists(seconds, max_size=2)),
    )


def _numbered(value: Made | list[Any] | str, count: Iterator[int]) -> None:
    """Give each change a target of its own, so that what is there tells which step made it."""
    if isinstance(value, list):
        for one in value:
            _numbered(one, count)
    elif isinstance(value, dict):
        if value.get("uses") == "world.set":
            value["with"]["name"] = f"{next(count)}{value['with']['name']}"
        for one in value.values():
            _numbered(one, count)


def _gates() -> list[str]:
    """The last names that a question may have: those of steps without an id."""
    kinds = ("approve", "uses", "parallel", "for_each", "switch")
    return [f"{kind}_{number}" for kind in kinds for number in (1, 2, 3)]


_ALERT = Alert(
    source="test", name="Any", fingerprint="any", status=AlertStatus.FIRING, severity="", labels={}, starts_at=START
)
