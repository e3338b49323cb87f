"""Tell how much of its resource quotas a namespace uses."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of
from activities.kubernetes._usage import share, total
from halon.clients.kubernetes.storage import QUOTAS, Quota
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_QUOTAS = 100
_RESOURCES = 200


class QuotaUse(Output):
    """One resource of one quota."""

    quota: str
    """The ResourceQuota's name."""
    resource: str
    """Such as `requests.cpu`, `limits.memory`, `pods` or `count/jobs.batch`."""
    hard: str
    """How much there may be, as a quantity such as `4` or `8Gi`."""
    used: str
    """How much there is, as a quantity."""
    share: float | None
    """The used part, to three places; null when the quota allows none."""
    left: float
    """How much may still come, in processors, bytes or pieces; never below 0."""


class QuotasSeen(Output):
    """How much of its quotas a namespace uses."""

    quotas: tuple[str, ...]
    """Names of the quotas that there are, at most 100; none is an answer too."""
    scopes: dict[str, tuple[str, ...]]
    """The scopes of those quotas that only count some of the pods, such as `BestEffort`."""
    resources: tuple[QuotaUse, ...]
    """Every resource of every quota, the fullest first, at most 200."""
    full: tuple[str, ...]
    """Resources of which nothing is left, as `compute: pods`; what asks for more of them is refused."""
    fullest: float
    """The largest used part; 0 when there is no quota."""


class GetQuota(Read[QuotasSeen]):
    """Tell how much of its ResourceQuotas a namespace uses, of one of them or of all, the fullest resource first."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("list",), "/resourcequotas", "to see what is used of them"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop"}

    namespace: Namespace
    """The namespace."""
    name: Name | Literal[""] = ""
    """Only this quota; without it, all of the namespace."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the namespace or the quota."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/resourcequota/{self.name or 'all'}"

    async def run(self, env: Env) -> QuotasSeen:
        """Look.

        Raises:
            NotFound: there is no quota of that name.
        """
        api = cluster_of(env, self.cluster)
        fields = f"metadata.name={self.name}" if self.name else ""
        found = await api.list(Quota, QUOTAS, self.namespace, fields=fields, most=_QUOTAS)
        if self.name and not found:
            raise NotFound(f"resourcequotas {self.namespace}/{self.name} does not exist in cluster {api.name}")
        uses = sorted((use for one in found for use in _uses(one)), key=_fullest_first)
        return QuotasSeen(
            quotas=tuple(one.metadata.name for one in found),
            scopes={one.metadata.name: one.spec.scopes for one in found if one.spec.scopes},
            resources=tuple(uses[:_RESOURCES]),
            full=tuple(f"{one.quota}: {one.resource}" for one in uses if not one.left),
            fullest=_fullest(uses),
        )


def _uses(quota: Quota) -> list[QuotaUse]:
    """What is enforced of a quota; the controller works it out soon after the quota is made."""
    found: list[QuotaUse] = []
    for resource, hard in sorted(quota.status.hard.items()):
        used = quota.status.used.get(resource, "0")
        there, most = total([used]), total([hard])
        left = max(most - there, 0.0)
        name = quota.metadata.name
        found.append(QuotaUse(quota=name, resource=resource, hard=hard, used=used, share=share(there, most), left=left))
    return found


def _part(use: QuotaUse) -> float:
    """The used part; of what allows none, all of it."""
    return 1.0 if use.share is None else use.share


def _fullest_first(use: QuotaUse) -> tuple[float, str, str]:
    return -_part(use), use.quota, use.resource


def _fullest(uses: Sequence[QuotaUse]) -> float:
    return max((_part(one) for one in uses), default=0.0)
