"""One container's life, as a state machine with timers. What it does is decided by its image's name.

| image contains | what it does                                                        |
|----------------|---------------------------------------------------------------------|
| `crash`        | exits with 1 soon after its start, again and again                  |
| `oomkill`      | the same, killed for its memory: exit code 137, reason `OOMKilled`  |
| `missing`      | cannot be pulled: `ErrImagePull`, then `ImagePullBackOff`           |
| `unready`      | runs, but never becomes ready                                       |
| `done`         | exits with 0 soon after it has become ready                         |
| anything else  | runs and becomes ready                                              |
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Literal

from halon.demo.cluster.objects import Json, timestamp
from halon.demo.cluster.timing import Timing


class Phase(Enum):
    """Where a container is in its life."""

    CREATING = auto()
    UNPULLED = auto()
    RUNNING = auto()
    READY = auto()
    BACKING_OFF = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Notice:
    """An event that a step asks to have recorded."""

    kind: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(slots=True)
class Container:
    """A container of a running pod. `due` is when it takes its next step, None when it stays as it is."""

    name: str
    image: str
    restart: str
    """The pod's restartPolicy."""
    due: datetime | None
    phase: Phase = Phase.CREATING
    restarts: int = 0
    started: datetime | None = None
    ended: Json | None = None
    """How its last run ended."""
    log: list[tuple[datetime, str]] = field(default_factory=list[tuple[datetime, str]])
    previous_log: list[tuple[datetime, str]] | None = None

    @property
    def identity(self) -> str:
        """The container runtime's id, a new one for each run."""
        digest = hashlib.sha256(f"{id(self)}/{self.image}/{self.restarts}".encode()).hexdigest()
        return f"containerd://{digest}"

    @property
    def image_identity(self) -> str:
        """The image's digest."""
        return f"{self.image.partition(':')[0]}@sha256:{hashlib.sha256(self.image.encode()).hexdigest()}"

    @property
    def fails(self) -> bool:
        """Whether its image is one that exits."""
        return "crash" in self.image or "oomkill" in self.image

    @property
    def succeeded(self) -> bool:
        """Whether it has ended for good, with exit code 0."""
        return self.phase is Phase.ENDED and self.ended is not None and self.ended["exitCode"] == 0

    def step(self, now: datetime, timing: Timing) -> list[Notice]:
        """Take the step that is due."""
        if self.phase is Phase.CREATING and "missing" in self.image:
            self.phase, self.due = Phase.UNPULLED, None
            text = f'Failed to pull image "{self.image}": not found'
            return [
                Notice("Warning", "Failed", text),
                Notice("Warning", "BackOff", f'Back-off pulling image "{self.image}"'),
            ]
        if self.phase in {Phase.CREATING, Phase.BACKING_OFF}:
            return self._start(now, timing)
        if self.phase is Phase.RUNNING and self.fails:
            return self._crash(now, timing)
        if self.phase is Phase.RUNNING:
            self.phase, self.due = Phase.READY, now + timing.ready if "done" in self.image else None
            return []
        return self._end(now, timing, code=0, reason="Completed") if self.phase is Phase.READY else []

    def _start(self, now: datetime, timing: Timing) -> list[Notice]:
        if self.phase is Phase.BACKING_OFF:
            self.restarts += 1
            self.previous_log = self.log
        self.phase, self.started = Phase.RUNNING, now
        self.log = [(now, f"starting {self.image}")]
        pulled = f'Container image "{self.image}" already present on machine'
        notices = [
            Notice("Normal", "Pulled", pulled),
            Notice("Normal", "Created", f"Created container: {self.name}"),
            Notice("Normal", "Started", f"Started container {self.name}"),
        ]
        if self.fails:
            self.due = now + timing.crash
            self.log.append((now, "connecting to the database"))
        elif "unready" in self.image:
            self.due = None
            notices.append(
                Notice("Warning", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
            )
        else:
            self.due = now + timing.ready
            self.log.append((now, "listening on :8080"))
        return notices

    def _crash(self, now: datetime, timing: Timing) -> list[Notice]:
        killed = "oomkill" in self.image
        self.log.append((now, "allocating a cache of 64 GiB" if killed else "fatal: database refused the connection"))
        code, reason = (137, "OOMKilled") if killed else (1, "Error")
        return self._end(now, timing, code=code, reason=reason)

    def _end(self, now: datetime, timing: Timing, *, code: int, reason: str) -> list[Notice]:
        """End a run: for good, or to start again after a while, as the pod's restartPolicy says."""
        self.ended = {
            "exitCode": code,
            "reason": reason,
            "startedAt": timestamp(self.started or now),
            "finishedAt": timestamp(now),
            "containerID": self.identity,
        }
        if self.restart == "Never" or (self.restart == "OnFailure" and code == 0):
            self.phase, self.due = Phase.ENDED, None
            return []
        wait: timedelta = min(timing.backoff * 2 ** min(self.restarts, 16), timing.backoff_limit)
        self.phase, self.due = Phase.BACKING_OFF, now + wait
        return [Notice("Warning", "BackOff", f"Back-off restarting failed container {self.name}")]

    def replace_image(self, image: str, now: datetime, timing: Timing) -> None:
        """Restart with another image, as the kubelet does when a pod's spec changes."""
        self.image, self.previous_log = image, self.log
        self.restarts += 1
        self.phase, self.due = Phase.CREATING, now + timing.start

    def status(self) -> Json:
        """Write the container's part of the pod's status."""
        status: Json = {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_identity if self.started else "",
            "ready": self.phase is Phase.READY,
            "started": self.phase in {Phase.RUNNING, Phase.READY},
            "restartCount": self.restarts,
            "state": self._state(),
            "lastState": {},
        }
        if self.started:
            status["containerID"] = self.identity
        if self.ended and self.phase is not Phase.ENDED:
            status["lastState"] = {"terminated": self.ended}
        return status

    def _state(self) -> Json:
        if self.phase in {Phase.RUNNING, Phase.READY}:
            return {"running": {"startedAt": timestamp(self.started)}} if self.started else {"running": {}}
        if self.phase is Phase.ENDED:
            return {"terminated": self.ended}
        if self.phase is Phase.UNPULLED:
            message = f'Back-off pulling image "{self.image}"'
            return {"waiting": {"reason": "ImagePullBackOff", "message": message}}
        if self.phase is Phase.BACKING_OFF:
            message = f"back-off restarting failed container={self.name}"
            return {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
        return {"waiting": {"reason": "ContainerCreating"}}
