"""Set the images of containers."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, StringConstraints

from activities.kubernetes._object import Part
from activities.kubernetes._templated import Templated
from activities.kubernetes._workload import LOOK, PATCH, Kind, OfTemplate
from halon.clients.kubernetes.rollout import images
from halon.contracts.base import JsonObject, is_list, is_object
from halon.contracts.plan import Row, Settlement
from halon.errors import NotFound
from halon.kit.action import Nothing, Permission, Proposal, Refusal

Container: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
]
"""A container's name."""
Image: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$")
]
"""An image with its tag or digest."""


class SetImage(OfTemplate):
    """Set the images of containers of a Deployment, StatefulSet or DaemonSet, as `kubectl set image` does.

    Its undo sets the images that were there. Errors: a container that is not there, a paused Deployment, the update
    strategy OnDelete and a partition that leaves no pod to update are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, *PATCH)
    example: ClassVar[JsonObject] = {
        "namespace": "shop",
        "name": "cart",
        "images": {"cart": "example.org/cart:1.8"},
    }
    part: ClassVar[Part] = "images"

    kind: Kind = "Deployment"
    """The kind of workload."""
    images: Annotated[dict[Container, Image], Field(min_length=1, max_length=10)]
    """Image by container, those that initialise the pod included; at most ten."""

    @property
    def of_kind(self) -> Kind:
        """The kind that the call names."""
        return self.kind

    def plan(self, state: Templated, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare the images."""
        there = images(state.template)
        unknown = sorted({*self.images} - {*there})
        if unknown:
            return Refusal(f"{state.title} has no container {', '.join(unknown)}; it has {', '.join(there)}")
        changed = {name: image for name, image in self.images.items() if there[name] != image}
        if not changed:
            return Nothing(f"{state.title} has {_listed(self.images)} already")
        if state.objection:
            return Refusal(state.objection)
        moving = sorted(image for image in changed.values() if _moves(image))
        notes = [f"{image} names no version: what runs is what the registry gives at that time" for image in moving]
        return Proposal(
            summary=f"Set the image of {state.title}: {_listed(changed)}",
            before=self.owned(state),
            after={"images": {name: self.images[name] for name in sorted(self.images)}},
            rows=[Row(field=f"image of {name}", before=there[name], after=changed[name]) for name in sorted(changed)],
            notes=(*state.notes, *notes),
        )

    def operations(self, after: JsonObject, state: Templated) -> list[JsonObject]:
        """Write the images, each guarded by its container's name.

        Raises:
            NotFound: a container is not there any more.
        """
        made: list[JsonObject] = []
        for name, image in sorted(self.images.items()):
            place = _place(state.template, name)
            if not place:
                raise NotFound(f"{state.title} has no container {name} any more")
            made.append({"op": "test", "path": f"{place}/name", "value": name})
            made.append({"op": "replace", "path": f"{place}/image", "value": image})
        return made

    def asked(self, state: Templated) -> JsonObject:
        """The images of the containers that the call names."""
        there = images(state.template)
        return {"images": {name: there.get(name) for name in sorted(self.images)}}

    def settled(self, state: Templated, after: JsonObject) -> Settlement:
        """Whether the rollout of the images is complete."""
        if self.asked(state) != after:
            return Settlement(state="broken", reason="somebody changed the images meanwhile")
        return state.progress()

    def undo(self, before: JsonObject, after: JsonObject) -> "SetImage":
        """Set the images that were there."""
        call = {"namespace": self.namespace, "name": self.name, "cluster": self.cluster, "kind": self.kind}
        return SetImage.model_validate({**call, "images": before["images"]})


def _listed(chosen: dict[str, str]) -> str:
    return ", ".join(f"{name} {image}" for name, image in sorted(chosen.items()))


def _moves(image: str) -> bool:
    """Whether the name may mean another image tomorrow: no digest, and the tag `latest` or none."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@" not in image and tag in {"", "latest"}


def _place(template: JsonObject, name: str) -> str:
    """Where a container stands, as a JSON pointer; empty when it is not there."""
    spec = template.get("spec")
    for group in ("containers", "initContainers"):
        found = spec.get(group) if is_object(spec) else None
        for index, one in enumerate(found if is_list(found) else []):
            if is_object(one) and one.get("name") == name:
                return f"/spec/template/spec/{group}/{index}"
    return ""
