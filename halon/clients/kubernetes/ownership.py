"""Who else writes to an object: GitOps controllers and release tools, told by their labels and annotations. Pure."""

from halon.clients.kubernetes.objects import Metadata

_ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
_ARGO_INSTANCE = "argocd.argoproj.io/instance"
_FLUX = {"kustomize.toolkit.fluxcd.io": "Flux Kustomization", "helm.toolkit.fluxcd.io": "Flux HelmRelease"}
_INSTANCE = "app.kubernetes.io/instance"
_MANAGED_BY = "app.kubernetes.io/managed-by"
_HELM_RELEASE = "meta.helm.sh/release-name"


def managers(meta: Metadata) -> tuple[str, ...]:
    """Say, one sentence each, who manages the object and what that means for a change made here."""
    marks = {**meta.labels, **meta.annotations}
    notes: list[str] = []
    application = marks.get(_ARGO_TRACKING, "").partition(":")[0] or marks.get(_ARGO_INSTANCE, "")
    if application:
        notes.append(f"managed by Argo CD application {application}, which may revert this: change its source as well")
    for prefix, what in _FLUX.items():
        name = marks.get(f"{prefix}/name", "")
        if name:
            namespace = marks.get(f"{prefix}/namespace", "")
            who = f"{namespace}/{name}" if namespace else name
            notes.append(f"managed by {what} {who}, which may revert this: change its source as well")
    release = marks.get(_HELM_RELEASE, "")
    if release and not notes:
        notes.append(f"installed by Helm release {release}: its next upgrade brings its own version back")
    elif not notes and marks.get(_INSTANCE) and marks.get(_MANAGED_BY, "") != "Helm":
        label = f"{_INSTANCE}={marks[_INSTANCE]}"
        notes.append(f"labelled {label}: if Argo CD tracks that application by this label, it may revert this")
    return tuple(notes)
