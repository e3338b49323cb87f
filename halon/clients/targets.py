"""The clusters and accounts of halon.yaml: what is needed where, and which of them a worker of their own reaches."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from halon.contracts.routes import Carrier, Reach, Routes
from halon.core.routing import queue_of
from halon.errors import Misconfigured
from halon.kit.privileges.iam import AwsAccount
from halon.kit.registry import Registry
from halon.settings import Settings
from halon.settings.aws import AwsAccount as AccountSettings
from halon.settings.model import Cluster

ALL = "all"
"""As an option of `halon worker`: the central worker and every other in one process."""
_KINDS = ("cluster", "account", "worker")
TargetT = TypeVar("TargetT", Cluster, AccountSettings)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a process carries out."""

    central: bool
    """Whether it is a central worker, which runs the playbooks and everything that nothing else is for."""
    carriers: Sequence[Carrier] = ()
    """The targets that it reaches as a worker of their own."""

    @property
    def queues(self) -> Mapping[str, str]:
        """The workers that it is, beside the central one, with their task queues."""
        return {one.worker: one.queue for one in self.carriers}


def default_cluster(settings: Settings) -> str:
    """Give the name of the cluster that is meant when a playbook names none; empty when it has no name."""
    return _default(settings.kubernetes.default, settings.kubernetes.clusters)


def accounts_of(settings: Settings) -> list[AwsAccount]:
    """Give the accounts; without any in halon.yaml the nameless one of the credentials that are found."""
    known = settings.aws.accounts
    default = _default(settings.aws.default, known)
    return [
        AwsAccount(
            name=name,
            account_id=one.account_id or (one.role.split(":")[4] if one.role else ""),
            region=one.region or "",
            regions=one.regions,
            is_default=name == default,
        )
        for name, one in known.items()
    ] or [AwsAccount()]


def carriers_of(settings: Settings) -> tuple[Carrier, ...]:
    """Give the clusters and accounts that have a worker of their own, clusters first."""
    queue = settings.temporal.task_queue
    found = [(f"{kind}:{name}", one.worker) for kind, name, one in _targets(settings) if one.worker]
    workers = [(target, target if own is True else f"worker:{own}") for target, own in found]
    return tuple(Carrier(target=target, worker=one, queue=queue_of(queue, one)) for target, one in workers)


def routes_of(settings: Settings, registry: Registry) -> Routes:
    """Give what runs are started with. Where all is central, that is nothing."""
    carriers = carriers_of(settings)
    if not carriers:
        return Routes()
    defaults: dict[Reach, str] = {
        "cluster": default_cluster(settings),
        "account": _default(settings.aws.default, settings.aws.accounts),
    }
    workers = {one.target: one.worker for one in carriers}
    numbered = {f"account:{number}": f"account:{name}" for number, name in settings.aws.numbers.items()}
    return Routes(
        queue=settings.temporal.task_queue,
        workers=workers | {called: workers[named] for called, named in numbered.items() if named in workers},
        reach=registry.reach,
        defaults={kind: name for kind, name in defaults.items() if name},
    )


def carried(settings: Settings, chosen: Sequence[str]) -> Carried:
    """Give what a process carries out that is started for these; without any it is a central worker.

    Raises:
        Misconfigured: one of them is not in halon.yaml, or has no worker of its own there.
    """
    carriers = carriers_of(settings)
    if not chosen:
        return Carried(central=True)
    if ALL in chosen:
        return Carried(central=True, carriers=carriers)
    wanted = {_worker(one, settings, carriers) for one in chosen}
    return Carried(central=False, carriers=tuple(one for one in carriers if one.worker in wanted))


def reaching(settings: Settings, wanted: Carried) -> Settings:
    """Give the settings of a process that reaches what it carries out, and no other cluster or account.

    Whatever only another worker reaches keeps its name, so that a call for it is told why it cannot be made here.
    """
    here = {one.target for one in wanted.carriers}
    kubernetes, aws = settings.kubernetes, settings.aws
    clusters = _reached(kubernetes.clusters, "cluster", here, central=wanted.central)
    accounts = _reached(aws.accounts, "account", here, central=wanted.central)
    return settings.model_copy(
        update={
            "kubernetes": kubernetes.model_copy(update={"clusters": clusters}),
            "aws": aws.model_copy(update={"accounts": accounts}),
        }
    )


def _reached(known: Mapping[str, TargetT], kind: Reach, here: Collection[str], *, central: bool) -> dict[str, TargetT]:
    def worker(name: str, one: TargetT) -> bool | str:
        return False if f"{kind}:{name}" in here else one.worker or not central

    return {name: one.model_copy(update={"worker": worker(name, one)}) for name, one in known.items()}


def _worker(chosen: str, settings: Settings, carriers: Sequence[Carrier]) -> str:
    """Give the worker that `--for` names."""
    kind, _, name = chosen.partition(":")
    if kind not in _KINDS or not name:
        raise Misconfigured(f"`{chosen}` is no target: write cluster:NAME, account:NAME, worker:NAME, or {ALL}")
    if chosen in {one.worker for one in carriers}:
        return chosen
    shared = next((one.worker for one in carriers if one.target == chosen), None)
    if shared is not None:
        raise Misconfigured(f"{kind} {name} shares its worker with others in halon.yaml: use `--for {shared}`")
    if any((kind, name) == (known, called) for known, called, _ in _targets(settings)):
        raise Misconfigured(
            f"{kind} {name} has no `worker: true` in halon.yaml, so nothing would be sent to its worker"
        )
    known = sorted({one.worker.partition(":")[2] for one in carriers if one.worker.startswith(f"{kind}:")})
    there = ", ".join(known) or "none"
    raise Misconfigured(f"halon.yaml has no {kind} {name}; those with a worker are: {there}")


def _targets(settings: Settings) -> Iterator[tuple[Reach, str, Cluster | AccountSettings]]:
    for cluster, reached in settings.kubernetes.clusters.items():
        yield "cluster", cluster, reached
    for account, known in settings.aws.accounts.items():
        yield "account", account, known


def _default(given: str | None, known: Mapping[str, Any]) -> str:
    return given or (next(iter(known)) if len(known) == 1 else "")
