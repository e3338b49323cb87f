"""Who else writes to an object is told by the marks that they leave."""

import pytest

from halon.clients.kubernetes.objects import Metadata
from halon.clients.kubernetes.ownership import managers


@pytest.mark.parametrize(
    ("labels", "annotations", "told"),
    [
        ({}, {"argocd.argoproj.io/tracking-id": "shop-app:apps/Deployment:shop/cart"}, "Argo CD application shop-app,"),
        ({"argocd.argoproj.io/instance": "shop-app"}, {}, "Argo CD application shop-app,"),
        ({"app.kubernetes.io/instance": "shop-app"}, {}, "if Argo CD tracks that application"),
        (
            {"kustomize.toolkit.fluxcd.io/name": "shop", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
            {},
            "Flux Kustomization flux-system/shop,",
        ),
        ({"helm.toolkit.fluxcd.io/name": "cart"}, {}, "Flux HelmRelease cart,"),
        (
            {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "cart"},
            {"meta.helm.sh/release-name": "cart"},
            "installed by Helm release cart",
        ),
    ],
)
def test_each_is_recognised(labels: dict[str, str], annotations: dict[str, str], told: str) -> None:
    notes = managers(Metadata(name="cart", labels=labels, annotations=annotations))
    assert len(notes) == 1
    assert told in notes[0]


def test_nobody_else_is_no_note() -> None:
    assert managers(Metadata(name="cart", labels={"app": "cart"})) == ()
