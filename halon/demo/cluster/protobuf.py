"""The few objects that kubectl sends in Kubernetes' protobuf whatever the server offers: `create namespace`, `auth`."""

from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message, message_factory

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
_PACKAGE = "halon.demo"
_Message: TypeAlias = type[message.Message]

_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "TypeMeta": {"apiVersion": (1, ""), "kind": (2, "")},
    "Unknown": {"typeMeta": (1, "TypeMeta"), "raw": (2, "bytes")},
    "ObjectMeta": {"name": (1, "")},
    "Namespace": {"metadata": (1, "ObjectMeta")},
    "SelfSubjectReview": {},
    "RulesSpec": {"namespace": (1, "")},
    "SelfSubjectRulesReview": {"spec": (2, "RulesSpec")},
    "ResourceAttributes": {
        name: (number, "")
        for number, name in enumerate(("namespace", "verb", "group", "version", "resource", "subresource", "name"), 1)
    },
    "NonResourceAttributes": {"path": (1, ""), "verb": (2, "")},
    "AccessSpec": {
        "resourceAttributes": (1, "ResourceAttributes"),
        "nonResourceAttributes": (2, "NonResourceAttributes"),
    },
    "SelfSubjectAccessReview": {"spec": (2, "AccessSpec")},
}
"""Fields by message, each with its number and its type; without a type it is text. What is not named is passed over."""
_KINDS = ("Namespace", "SelfSubjectAccessReview", "SelfSubjectReview", "SelfSubjectRulesReview")


def decoded(raw: bytes) -> dict[str, Any] | None:
    """Give the object of a body; None when it is none of those kinds.

    Raises:
        ValueError: it is not well-formed.
    """
    if not raw.startswith(_MAGIC):
        raise ValueError("it does not begin as Kubernetes' protobuf does")
    try:
        envelope: Any = _CLASSES["Unknown"].FromString(raw[len(_MAGIC) :])
        kind = str(envelope.typeMeta.kind)
        if kind not in _KINDS:
            return None
        held = _CLASSES[kind].FromString(envelope.raw)
    except message.DecodeError as error:
        raise ValueError("it is not protobuf") from error
    return {"apiVersion": str(envelope.typeMeta.apiVersion), "kind": kind, **json_format.MessageToDict(held)}


def _classes() -> dict[str, _Message]:
    described = descriptor_pb2.FileDescriptorProto(name="kubernetes.proto", package=_PACKAGE, syntax="proto3")
    types = descriptor_pb2.FieldDescriptorProto
    for name, fields in _MESSAGES.items():
        one = described.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            added = one.field.add(name=field, json_name=field, number=number, label=types.LABEL_OPTIONAL)
            added.type = {"": types.TYPE_STRING, "bytes": types.TYPE_BYTES}.get(kind, types.TYPE_MESSAGE)
            if added.type == types.TYPE_MESSAGE:
                added.type_name = f".{_PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)  # pyright: ignore[reportUnknownMemberType]
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _classes()
