"""What kubectl sends in protobuf, byte for byte: it does so for what it makes itself, whatever the server offers."""

import httpx
import pytest
from demo_cluster import Api

from halon.demo.cluster import DemoCluster

CREATE_NAMESPACE_LAB = (
    "6b3873000a0f0a02763112094e616d657370616365121b0a130a036c616212001a0022002a0032003800420012001a020a001a002200"
)
CAN_I_PATCH_DEPLOYMENTS_IN_SHOP = (
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696577"
    "12470a100a0012001a0022002a0032003800420012290a270a0473686f70120570617463681a0022002a106465706c6f796d656e74732e61"
    "70707332003a001a08080012001a0020001a002200"
)
WHO_AM_I = (
    "6b3873000a2d0a1861757468656e7469636174696f6e2e6b38732e696f2f7631121153656c665375626a656374526576696577121a0a100a"
    "0012001a0022002a0032003800420012060a040a0012001a002200"
)
AUTHORIZATION = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
AUTHENTICATION = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


async def post(api: Api, path: str, body: bytes) -> httpx.Response:
    return await api.http.post(path, content=body, headers={"Content-Type": "application/vnd.kubernetes.protobuf"})


async def test_a_namespace_is_created(api: Api, cluster: DemoCluster) -> None:
    answer = await post(api, "/api/v1/namespaces", bytes.fromhex(CREATE_NAMESPACE_LAB))
    assert answer.status_code == 201, answer.text
    assert cluster.read("v1", "Namespace", "lab") is not None


async def test_it_is_told_what_it_may_and_who_it_is(api: Api) -> None:
    asked = await post(api, AUTHORIZATION, bytes.fromhex(CAN_I_PATCH_DEPLOYMENTS_IN_SHOP))
    assert asked.json()["status"]["allowed"] is True
    assert asked.json()["spec"]["resourceAttributes"]["namespace"] == "shop"
    who = await post(api, AUTHENTICATION, bytes.fromhex(WHO_AM_I))
    assert who.json()["status"]["userInfo"]["username"] == "admin"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"k8s", 400),
        (b"k8s\0\xff\xff\xff", 400),
        (bytes.fromhex(CREATE_NAMESPACE_LAB)[:-9], 400),
        (bytes.fromhex(CREATE_NAMESPACE_LAB.replace(b"Namespace".hex(), b"ConfigMap".hex())), 415),
    ],
)
async def test_what_is_no_protobuf_or_of_another_kind_is_refused(api: Api, body: bytes, status: int) -> None:
    assert (await post(api, "/api/v1/namespaces", body)).status_code == status
