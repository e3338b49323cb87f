"""The table of cases: playbooks, what the world answers, what comes from outside, and how it must end."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Contract, Duration, Json, JsonObject, format_duration
from halon.contracts.decision import Decision, Verdict
from halon.contracts.outcome import RunResult
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook, TestDecision
from halon.contracts.run import RunSpec
from halon.core.virtual import START, Course, Reply
from halon.documents import Document, parse
from halon.playbook.actions import ActionSchema
from halon.playbook.given import read_scripts
from halon.playbook.scripted import ScriptedWorld, people_of

DIRECTORY = Path(__file__).parent / "cases"
_ANY: JsonObject = {"type": "object"}
_SETS: JsonObject = {
    "type": "object",
    "properties": {"to": {"type": "integer"}, "name": {"type": "string"}},
    "required": ["to"],
    "additionalProperties": False,
}
ACTIONS = {
    one.name: one
    for one in (
        ActionSchema("world.look", Effect.READ, _ANY, hints={"age": "duration"}),
        ActionSchema("world.tell", Effect.NOTIFY, _ANY),
        ActionSchema("world.set", Effect.CHANGE, _SETS),
        ActionSchema("world.burn", Effect.DESTROY, _ANY, undoable=False),
    )
}


class Arrival(Contract):
    """A decision that comes at a time of its own."""

    after: Duration
    by: str
    approve: bool = True
    step: str = ""
    plan: str = ""


class Expected(Contract):
    """What both runtimes must come to; only what is written is compared."""

    outcome: str
    reason: str = ""
    applied: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    steps: dict[str, str] = {}
    """What became of each of these steps, at last."""
    story: tuple[str, ...] = ()
    """Events that are told, in this order: kind and step, with others between them."""
    never: tuple[str, ...] = ()
    """Events that are not told."""
    took: Duration | None = None
    """Time of the run, in full seconds. Temporal may take a little longer: its clock goes on while work is done."""


class Case(Contract):
    """One run."""

    name: str
    playbook: JsonObject
    """Without the head, which is the same for all."""
    library: dict[str, JsonObject] = {}
    given: dict[str, Json] = {}
    inputs: JsonObject = {}
    alert: bool = True
    """Whether an alert started it; otherwise ana did."""
    dry_run: bool = False
    groups: dict[str, tuple[str, ...]] = {}
    decide: tuple[TestDecision, ...] = ()
    arrive: tuple[Arrival, ...] = ()
    resolves_after: Duration | None = None
    cancel_after: Duration | None = None
    expect: Expected

    @property
    def spec(self) -> RunSpec:
        """What the run is started with."""
        return RunSpec(
            incident=self.name.replace(" ", "-"),
            playbook=_book("case", self.playbook),
            library={name: _book(name, body) for name, body in self.library.items()},
            effects={one.name: one.effect for one in ACTIONS.values()},
            alerts=(_ALERT,) if self.alert else (),
            inputs=self.inputs,
            dry_run=self.dry_run,
            started_by="" if self.alert else "ana@example.com",
        )

    def world(self) -> ScriptedWorld:
        """A fresh world that answers as the case says."""
        document = Document(self.name, "", None, None)
        scripts, problems = read_scripts(self.given, {"world.set", "world.burn"}, document, ())
        assert not problems, problems
        return ScriptedWorld(scripts, ACTIONS, lambda _: False, people_of(self.groups, self.decide))

    @property
    def course(self) -> Course:
        """What comes from outside."""
        arrivals = [(one.after, _decision(one)) for one in self.arrive]
        return Course(
            replies=[
                Reply(
                    one.step,
                    _verdict(one.approve),
                    one.by,
                    one.after or timedelta(),
                    one.comment,
                    break_glass=one.break_glass,
                )
                for one in self.decide
            ],
            arrivals=arrivals,
            resolves_after=self.resolves_after,
            cancels=() if self.cancel_after is None else (self.cancel_after,),
        )


class Ran(Contract):
    """How a run went, on either runtime."""

    result: RunResult
    story: tuple[tuple[str, str, str, str], ...]
    """Kind, step, actor and message of every event."""
    took: Duration

    def held_against(self, expected: Expected, late: timedelta = timedelta()) -> tuple[JsonObject, JsonObject]:
        """What was expected and what came, in the same shape, so that a test shows the difference.

        `late` is how much longer than expected the run may have taken.
        """
        kinds = [f"{kind} {step}".strip() for kind, step, _, _ in self.story]
        steps = {one.path: one.outcome for one in self.result.steps}
        story = list(expected.story)
        wanted: JsonObject = {
            "outcome": expected.outcome,
            "applied": list(expected.applied),
            "undone": list(expected.undone),
            "left": list(expected.left),
            "steps": dict(expected.steps),
            "story": list(story),
            "never": [],
        }
        got: JsonObject = {
            "outcome": self.result.outcome.value,
            "applied": list(self.result.applied),
            "undone": list(self.result.undone),
            "left": [one.step for one in self.result.left],
            "steps": {path: steps.get(path) for path in expected.steps},
            "story": list(story if _in_order(story, kinds) else kinds),
            "never": [kind for kind in kinds if kind in expected.never],
        }
        if expected.reason not in self.result.reason:
            wanted["reason"], got["reason"] = expected.reason, self.result.reason
        took = timedelta(seconds=int(self.took.total_seconds()))
        early = min(late, timedelta(seconds=1))  # a server's timers are not the run's clock
        if expected.took is not None and not expected.took - early <= took <= expected.took + late:
            wanted["took"], got["took"] = format_duration(expected.took), format_duration(took)
        return wanted, got


def cases() -> Iterator[tuple[str, Case]]:
    """Every case with its id: file and name."""
    for file in sorted(DIRECTORY.glob("*.yaml")):
        document = parse(file.read_text(), file.name)
        listed: Any = document.value
        for one in listed:
            yield f"{file.stem}: {one['name']}", Case.model_validate(one)


def _in_order(wanted: list[str], told: list[str]) -> bool:
    rest = iter(told)
    return all(one in rest for one in wanted)


def _book(name: str, body: JsonObject) -> Playbook:
    metadata: JsonObject = {"name": name, "title": name, "owner": "team"}
    return Playbook.model_validate({"apiVersion": "halon/v1", "kind": "Playbook", "metadata": metadata, **body})


def _verdict(approve: bool) -> Verdict:  # noqa: FBT001  # as the case says it
    return Verdict.APPROVE if approve else Verdict.DENY


def _decision(one: Arrival) -> Decision:
    return Decision(verdict=_verdict(one.approve), by=one.by, at=START, step=one.step, plan=one.plan, via="signal")


_ALERT = Alert(
    source="test",
    name="Broken",
    fingerprint="broken",
    status=AlertStatus.FIRING,
    severity="warning",
    labels={"place": "here"},
    starts_at=START,
)
