"""Secrets from AWS Secrets Manager, as moto's server has it."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from halon.clients.credentials import Credentials
from halon.errors import Misconfigured, TransientError
from halon.settings import CredentialSettings, SecretRef


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client: Any = boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=url)
        client.create_secret(Name="halon/plain", SecretString="planted-plain")
        client.create_secret(Name="halon/fields", SecretString=json.dumps({"token": "planted-field", "port": 1}))
        client.create_secret(Name="halon/binary", SecretBinary=b"\x00")
        client.close()
        yield url
    server.stop()


def resolve(endpoint: str, given: Any, **aws: Any) -> str:
    settings = CredentialSettings.model_validate({"aws": {"endpoint": endpoint, "region": "eu-central-1", **aws}})
    return Credentials(settings).resolve(SecretRef(aws=given), "prometheus.auth").get_secret_value()


def test_a_secret_is_read_whole_or_by_field(endpoint: str) -> None:
    assert resolve(endpoint, {"name": "halon/plain"}) == "planted-plain"
    assert resolve(endpoint, {"name": "halon/fields", "key": "token"}) == "planted-field"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "halon/none"}, "AWS Secrets Manager's halon/none, which is not there"),
        ({"name": "halon/plain", "region": "us-east-1"}, "which is not there"),
        ({"name": "halon/fields", "key": "tokn"}, "has no such field"),
        ({"name": "halon/fields", "key": "port"}, "something else than text"),
        ({"name": "halon/plain", "key": "token"}, "is no JSON object"),
        ({"name": "halon/binary"}, "is binary, not text"),
    ],
)
def test_what_aws_has_not_got_is_told_without_a_value(endpoint: str, given: Any, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        resolve(endpoint, given)
    assert said in str(caught.value)
    assert "planted" not in str(caught.value)


def test_a_region_that_nobody_names_is_asked_for(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Misconfigured, match=r"set `credentials\.aws\.region`"):
        resolve(endpoint, {"name": "halon/plain"}, region=None)


@pytest.mark.usefixtures("endpoint")
def test_aws_that_does_not_answer_is_transient(unused_tcp_port: int) -> None:
    with pytest.raises(TransientError, match=r"AWS does not answer \(EndpointConnectionError\)"):
        resolve(f"http://127.0.0.1:{unused_tcp_port}", {"name": "halon/plain"})
