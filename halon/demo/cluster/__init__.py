"""A small Kubernetes cluster for demonstrations and tests: a real API over TLS, with controllers that live fast.

`DemoCluster` is the way in for Python; `python -m halon.demo.cluster --kubeconfig FILE` runs one by itself. It serves
what the engine calls and kubectl shows, as Kubernetes 1.36 answers; it is no cluster to keep anything in.
"""

from halon.demo.cluster.access import EVERYTHING, READ_VERBS, Rule
from halon.demo.cluster.faults import Fault, FaultKind
from halon.demo.cluster.journal import Entry, Journal
from halon.demo.cluster.server import DemoCluster
from halon.demo.cluster.status import ApiError
from halon.demo.cluster.timing import Timing

__all__ = [
    "EVERYTHING",
    "READ_VERBS",
    "ApiError",
    "DemoCluster",
    "Entry",
    "Fault",
    "FaultKind",
    "Journal",
    "Rule",
    "Timing",
]
