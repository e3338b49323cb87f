"""Shipped playbooks, in a hurry: what they wait for is shortened, what they do stays as it is.

Waits between looks, the time that a verification must hold, the age from which a restart is taken for a remedy, and
what breakers and rates allow: with the shipped ones a run takes a minute, and the third failure stops them all.
"""

import json
from pathlib import Path
from typing import Any

import yaml
from scenes import SCRIPTS

import worker

SHIPPED = tuple(
    Path(worker.__file__).parent / "playbooks" / "kubernetes" / f"{name}.yaml"
    for name in sorted({script.playbook for script in SCRIPTS})
)
EVERY, WITHIN, HOLD, OLD_ENOUGH = "250ms", "2m", "700ms", "1ms"
OFTEN = 100


def hurried(playbook: dict[str, Any]) -> dict[str, Any]:
    """Shorten one playbook's waits."""
    steps = [
        step | {"every": EVERY, "within": WITHIN} | ({"hold": HOLD} if "hold" in step else {})
        if "verify" in step
        else step
        for step in playbook["steps"]
    ]
    guard = dict(playbook.get("guard", {}))
    if "breaker" in guard:
        guard["breaker"] = guard["breaker"] | {"failures": OFTEN}
    if "rate" in guard:
        guard["rate"] = guard["rate"] | {"runs": OFTEN}
    inputs = dict(playbook.get("inputs", {}))
    if "settles_within" in inputs:
        inputs["settles_within"] = inputs["settles_within"] | {"default": OLD_ENOUGH}
    return playbook | {"steps": steps, "guard": guard, "inputs": inputs, "tests": []}


def write_hurried(directory: Path) -> Path:
    """Write them all into a directory; gives it."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in SHIPPED:
        playbook = hurried(yaml.safe_load(file.read_text(encoding="utf-8")))
        (directory / file.name).write_text(json.dumps(playbook, indent=1), encoding="utf-8")
    return directory
