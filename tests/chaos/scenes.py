"""What happens to a target and what people do about it, drawn from a seed: the scripts that a run's stories follow."""

import random
from dataclasses import dataclass, replace
from typing import Literal

MOMENTS = ("begin", "accepted", "asked", "decided", "written")
Moment = Literal["begin", "accepted", "asked", "decided", "written"]
"""Points of a story that are seen from outside: the trouble is there, the alert has its 2xx, a person is asked, the
decision is given, the cluster has accepted a write."""
Broken = Literal["crashes", "always_crashes", "wedged", "hopeless", "harmful"]
"""Its new release crash-loops, and so did the one before; its pods lost something that a restart brings back, or that
no restart brings back; nothing is wrong with it, it only does harm."""
Deed = Literal["cancel", "resolve", "rescale"]
"""Somebody cancels the run, the alert clears, a colleague sets other replicas and the run is cancelled."""

CRASHLOOP, WEDGED, SUSPECT = "crashloop-rollback", "restart-wedged", "scale-down-suspect"


@dataclass(frozen=True, slots=True)
class Script:
    """One kind of story, and every outcome that it may come to."""

    name: str
    playbook: str
    broken: Broken
    expects: frozenset[str]
    weight: int = 1
    decision: Literal["approve", "deny", "none"] = "approve"
    deed: Deed | None = None
    at: Moment = "asked"
    patience: int = 600
    """Seconds after which the Deployment calls a rollout hopeless."""


def _script(name: str, playbook: str, broken: Broken, *expects: str, **more: object) -> Script:
    return Script(name, playbook, broken, frozenset(expects), **more)  # type: ignore[arg-type]  # fields by name


SCRIPTS = (
    _script("rollback", CRASHLOOP, "crashes", "remediated", weight=6),
    _script("rollback denied", CRASHLOOP, "crashes", "denied", decision="deny"),
    _script("rollback to another crash loop", CRASHLOOP, "always_crashes", "failed", weight=2),
    _script(
        "rollback cancelled", CRASHLOOP, "crashes", "cancelled", "failed", "remediated", deed="cancel", at="decided"
    ),
    _script(
        "rollback taken back", CRASHLOOP, "crashes", "cancelled", "failed", "remediated", deed="cancel", at="written"
    ),
    _script("restart", WEDGED, "wedged", "remediated", weight=5),
    _script("restart denied", WEDGED, "wedged", "denied", decision="deny"),
    _script("restart in vain", WEDGED, "hopeless", "failed", weight=2, patience=2),
    _script("restart not needed any more", WEDGED, "wedged", "resolved", decision="none", deed="resolve", at="asked"),
    _script("restart or not", WEDGED, "wedged", "resolved", "remediated", deed="resolve", at="accepted"),
    # Back to what was there, which does not serve: that is told as not confirmed.
    _script(
        "restart taken back",
        WEDGED,
        "wedged",
        *("cancelled", "remediated", "failed"),
        weight=2,
        deed="cancel",
        at="written",
        patience=4,
    ),
    _script("scale down", SUSPECT, "harmful", "remediated", weight=5),
    _script("scale down denied", SUSPECT, "harmful", "denied", decision="deny"),
    _script("scale down cancelled", SUSPECT, "harmful", "cancelled", decision="none", deed="cancel", at="asked"),
    _script(
        "scale down taken back", SUSPECT, "harmful", "cancelled", "remediated", weight=2, deed="cancel", at="written"
    ),
    _script("scale down overruled", SUSPECT, "harmful", "failed", "remediated", deed="rescale", at="written"),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One story's beginning: the target, the script, and everything about it that the dice decide."""

    number: int
    namespace: str
    name: str
    script: Script
    replicas: int
    left: int
    """Replicas that a scaling down leaves."""
    delay: float
    """Seconds from the moment of the deed to the deed."""
    thinks: float
    """Seconds that a person takes before deciding."""
    way: Literal["update", "signal", "command"]
    """How the decision is given; `command` is `halon approve` as a process."""
    repeats: int
    """How often the sender sends the alert again, while the story goes on and after its end."""
    touched: Moment | None
    """When a colleague labels the Deployment: nothing of Halon's business, but a new version of it."""

    @property
    def target(self) -> str:
        """What Halon calls it."""
        return f"k8s/default/{self.namespace}/deployment/{self.name}"

    @property
    def title(self) -> str:
        """What reports call it."""
        return f"{self.namespace}: {self.script.name}"


def drawn(dice: random.Random, seed: int) -> list[Scene]:
    """Draw the scenes of a run; they are played at the same time. Sometimes two are about the same target."""
    scenes = [_scene(dice, number, f"chaos-{seed}-{number}") for number in range(dice.choice((1, 2, 2, 3)))]
    first = scenes[0]
    if first.script.name == "rollback" and dice.random() < 0.3:
        # Whoever comes second finds the target locked.
        scenes[0] = replace(first, script=_script("rollback in a crowd", CRASHLOOP, "crashes", "remediated", "refused"))
        crowd = _script("scale down in a crowd", SUSPECT, "crashes", "remediated", "refused", "failed")
        scenes.append(_scene(dice, len(scenes), first.namespace, crowd, first.replicas))
    return scenes


def _scene(
    dice: random.Random, number: int, namespace: str, script: Script | None = None, replicas: int | None = None
) -> Scene:
    chosen = dice.choices(SCRIPTS, [one.weight for one in SCRIPTS])[0]
    return Scene(
        number=number,
        namespace=namespace,
        name="cart",
        script=script or chosen,
        replicas=replicas or dice.choice((2, 3)),
        left=dice.choice((0, 0, 1)),
        delay=round(dice.choice((0.0, dice.uniform(0, 0.3), dice.uniform(0, 2))), 2),
        thinks=round(dice.choice((0.0, dice.uniform(0, 1.5))), 2),
        way=dice.choice(("update", "update", "update", "signal", "signal", "command")),
        repeats=dice.choice((0, 0, 1, 2)),
        touched=dice.choice((None, None, *MOMENTS)),
    )
