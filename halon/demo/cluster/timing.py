"""How fast the demonstration cluster lives."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of what takes minutes on a real cluster. The defaults roll four pods over in about a second."""

    tick: timedelta = timedelta(milliseconds=20)
    """The controllers' rest between two rounds, so that clients see states in between."""
    start: timedelta = timedelta(milliseconds=80)
    """From a pod's place on a node to its running containers."""
    ready: timedelta = timedelta(milliseconds=80)
    """From a running container to a ready one."""
    stop: timedelta = timedelta(milliseconds=80)
    """From a pod's deletion until it is gone."""
    crash: timedelta = timedelta(milliseconds=80)
    """From a container's start to its crash."""
    backoff: timedelta = timedelta(milliseconds=300)
    """The first wait before a crashed container is started again; it doubles with each crash."""
    backoff_limit: timedelta = timedelta(seconds=4)
    """The longest such wait."""
