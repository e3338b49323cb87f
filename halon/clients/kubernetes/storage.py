"""Views of what a namespace may use and keeps: resource quotas and volume claims."""

from typing import Annotated, Any

from pydantic import BeforeValidator

from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Condition, Metadata, Resources, Texts, View

QUOTAS = Resource("", "v1", "resourcequotas")
CLAIMS = Resource("", "v1", "persistentvolumeclaims")


def _or_empty(value: Any) -> Any:
    return () if value is None else value


class QuotaSpec(View):
    """What the namespace may have."""

    scopes: Annotated[tuple[str, ...], BeforeValidator(_or_empty)] = ()


class QuotaStatus(View):
    """What is enforced, and what there is, as quantities by resource."""

    hard: Texts = {}
    used: Texts = {}


class Quota(View):
    """A ResourceQuota."""

    metadata: Metadata
    spec: QuotaSpec = QuotaSpec()
    status: QuotaStatus = QuotaStatus()


class ClaimSpec(View):
    """What is wanted."""

    access_modes: Annotated[tuple[str, ...], BeforeValidator(_or_empty)] = ()
    resources: Resources = Resources()
    storage_class_name: str | None = None
    volume_name: str = ""
    volume_mode: str = "Filesystem"


class ClaimStatus(View):
    """What is there."""

    phase: str = ""
    capacity: Texts = {}
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty)] = ()


class Claim(View):
    """A PersistentVolumeClaim."""

    metadata: Metadata
    spec: ClaimSpec = ClaimSpec()
    status: ClaimStatus = ClaimStatus()
