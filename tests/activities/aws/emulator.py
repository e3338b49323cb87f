"""AWS in this process: moto's application behind a thin layer, on a port of its own.

The layer knows which operation a request is, by botocore's own models, and does what moto does not:

- it keeps a journal of the calls that changed something;
- it loses the answer of a call that was carried out, throttles, and denies;
- it holds the credentials of an assumed role to the IAM actions that the role has (not to their resources);
- it answers operations that moto has not, or has wrongly: `Layer`s, in files of their own.

Whoever holds the key `admin` is held to nothing, and leaves no trace in the journal: tests set things up with it.
"""

import io
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from socket import SHUT_RDWR
from typing import Any, TypeAlias
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import boto3
import botocore.session
from botocore.config import Config
from moto.moto_api._internal.models import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from halon.clients.aws.iam import iam_action
from halon.clients.aws.sessions import same_host

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
"""Without the 1,291 images that moto otherwise reads for each EC2, and again when it forgets one."""
ACCOUNT = "123456789012"
REGION = "eu-west-1"
ADMIN = "admin"
_SERVICES = {
    "monitoring": "cloudwatch",
    "states": "stepfunctions",
    "elasticmapreduce": "emr",
    "elasticloadbalancing": "elbv2",
}
"""boto3's name of a service by the one that requests are signed for."""
_READS = re.compile(r"(Batch)?(Get|List|Describe|Head|Lookup|Simulate|Query|Filter|Search|AssumeRole|StartQuery|Check)")
_FREE = {"sts:GetCallerIdentity", "sts:AssumeRole"}
_TOKENS = re.compile(r"(Client|Request|Idempotency|Creation|Caller|ClientRequest)(Token|Reference)$", re.IGNORECASE)

Start: TypeAlias = Callable[..., Any]


@dataclass
class Answer:
    """What is sent back."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Call:
    """One request, understood."""

    service: str
    """boto3's name."""
    operation: str
    """As AWS writes it."""
    key_id: str
    region: str
    protocol: str
    path: str
    query: dict[str, str]
    body: bytes
    environ: dict[str, Any]
    emulator: "Emulator"

    @property
    def action(self) -> str:
        return iam_action(self.service, self.operation)

    @property
    def data(self) -> dict[str, Any]:
        """The parameters: of a form as they are written there, of JSON as an object, otherwise nothing."""
        if self.protocol in {"query", "ec2"}:
            return dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        if self.protocol in {"json", "rest-json"} and self.body:
            return dict(json.loads(self.body))
        return {}

    @property
    def changes(self) -> bool:
        return not _READS.match(self.operation)

    @property
    def rehearsal(self) -> bool:
        return self.protocol == "ec2" and self.data.get("DryRun") == "true"

    @property
    def needs(self) -> set[str]:
        """The IAM actions that it needs."""
        found = {self.action}
        if self.protocol == "ec2" and any(name.startswith("TagSpecification") for name in self.data):
            found.add("ec2:CreateTags")
        if self.environ.get("HTTP_X_AMZ_OBJECT_LOCK_MODE"):
            found.add("s3:PutObjectRetention")
        if self.operation == "CopyObject":
            found.add("s3:GetObject")
        return found

    def line(self) -> str:
        """How it stands in the journal: without tokens, so that a call that is made twice is there twice."""
        if self.data:
            named = {k: v for k, v in self.data.items() if not _TOKENS.search(k) and k not in {"Action", "Version"}}
            return f"{self.action} {json.dumps(named, sort_keys=True)[:2000]}"
        return f"{self.action} {self.path} {self.body[:2000].decode(errors='replace')}".rstrip()

    def forward(self) -> Answer:
        """Let moto answer."""
        status, headers = 500, list[tuple[str, str]]()

        def start(text: str, given: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
            nonlocal status, headers
            status, headers = int(text.split(maxsplit=1)[0]), given
            return lambda _: None

        chunks: Iterable[bytes] = _moto()({**self.environ, "wsgi.input": io.BytesIO(self.body)}, start)
        return Answer(status, b"".join(chunks), headers)

    def answer(self, data: Mapping[str, Any]) -> Answer:
        """Answer with an object, in a protocol that speaks JSON."""
        return Answer(200, json.dumps(data, default=str).encode(), [("Content-Type", "application/json")])

    def error(self, code: str, message: str, status: int = 400) -> Answer:
        """Answer with an error, as the service's protocol writes it."""
        if self.protocol in {"json", "rest-json"}:
            headers = [("Content-Type", "application/json"), ("x-amzn-errortype", code)]
            return Answer(status, json.dumps({"__type": code, "message": message}).encode(), headers)
        one = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        whole = {
            "ec2": f"<Response><Errors>{one}</Errors><RequestID>r</RequestID></Response>",
            "query": f"<ErrorResponse>{one}<RequestId>r</RequestId></ErrorResponse>",
            "rest-xml": one if self.service == "s3" else f"<ErrorResponse>{one}</ErrorResponse>",
        }[self.protocol]
        return Answer(status, whole.encode(), [("Content-Type", "text/xml")])


Layer: TypeAlias = Callable[[Call], Answer]
"""Answers one operation; it may ask moto with `call.forward()`."""


@dataclass
class Emulator:
    """One AWS, with nothing in it."""

    layers: Mapping[tuple[str, str], Layer] = field(default_factory=dict)
    """By service and operation."""
    url: str = ""
    journal: list[str] = field(default_factory=list)
    """The calls that changed something, in order: the IAM action and the parameters."""
    state: dict[str, Any] = field(default_factory=dict)
    """What layers remember."""
    losing: int = 0
    """Answers of calls that change something which will be lost."""
    throttling: bool = False
    denied: set[str] = field(default_factory=set)
    """IAM actions that are refused, `*` for whatever changes something."""
    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What roles may, by ARN. A role that is not here may everything."""
    holders: dict[str, str] = field(default_factory=dict)
    """Which role a temporary key is of."""

    def role(self, actions: Iterable[str]) -> str:
        """Give a role that may do this and nothing else."""
        arn = f"arn:aws:iam::{ACCOUNT}:role/halon-{len(self.roles)}"
        self.roles[arn] = tuple(actions)
        return arn

    def admin(self, service: str, region: str = REGION) -> Any:
        """A client that is held to nothing."""
        client: Any = boto3.client(  # type: ignore[call-overload]
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=ADMIN,
            aws_secret_access_key=ADMIN,
            config=Config(inject_host_prefix=False, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )
        if service == "s3control":
            client.meta.events.register("before-sign.s3-control", same_host(self.url))
        return client

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        call = understood(environ, self)
        answer = self._answer(call)
        if call.changes and not call.rehearsal and call.key_id != ADMIN and answer.status < 300:
            self.journal.append(call.line())
            if self.losing:
                self.losing -= 1
                environ["werkzeug.socket"].shutdown(SHUT_RDWR)
                return []
        if environ["REQUEST_METHOD"] == "HEAD":  # it tells the length of what it does not send
            start(f"{answer.status} X", answer.headers)
            return []
        sized = [one for one in answer.headers if one[0].lower() != "content-length"]
        start(f"{answer.status} X", [*sized, ("Content-Length", str(len(answer.body)))])
        return [answer.body]

    def _answer(self, call: Call) -> Answer:
        refused = None if call.key_id == ADMIN or call.action in _FREE else self._refusal(call)
        if refused is not None:
            return refused
        layer = self.layers.get((call.service, call.operation))
        answer = layer(call) if layer else call.forward()
        if call.action == "sts:AssumeRole" and answer.status == 200:
            key = re.search(rb"<AccessKeyId>([A-Z0-9]+)</AccessKeyId>", answer.body)
            assert key is not None
            self.holders[key[1].decode()] = str(call.data["RoleArn"])
        return answer

    def _refusal(self, call: Call) -> Answer | None:
        if self.throttling:
            codes = {"ec2": ("RequestLimitExceeded", 503), "query": ("Throttling", 400), "rest-xml": ("SlowDown", 503)}
            code, status = codes.get(call.protocol, ("ThrottlingException", 429))
            return call.error(code, "Rate exceeded", status)
        owners = {call.environ.get(f"HTTP_X_AMZ{of}_EXPECTED_BUCKET_OWNER") for of in ("", "_SOURCE")}
        if owners - {None, ACCOUNT}:
            return call.error("AccessDenied", "Access Denied", 403)
        may = self.roles.get(self.holders.get(call.key_id, ""), ("*",))
        lacking = sorted(one for one in call.needs if not any(fnmatchcase(one, pattern) for pattern in may))
        lacking += sorted(call.needs & self.denied) or ([call.action] if "*" in self.denied and call.changes else [])
        if not lacking:
            return None
        codes = {"ec2": ("UnauthorizedOperation", 403), "json": ("AccessDeniedException", 400)}
        code, status = codes.get(call.protocol, ("AccessDenied", 403))
        return call.error(code, f"User: halon is not authorized to perform: {lacking[0]} on resource: x", status)


def understood(environ: dict[str, Any], emulator: Emulator) -> Call:
    """Read a request."""
    scope = re.search(r"Credential=([^/]+)/\d+/([^/]*)/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    key_id, region, signed = scope.groups() if scope else ("", REGION, "s3")
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode()
    service = "s3control" if signed == "s3" and path.startswith("/v20180820/") else _SERVICES.get(signed, signed)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else _chunks(environ)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    protocol = _model(service).resolved_protocol
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if protocol in {"query", "ec2"}:
        operation = dict(parse_qsl(body.decode())).get("Action", "")
    elif target:
        operation = target.rpartition(".")[2]
    else:
        raw = environ.get("RAW_URI", path).partition("?")[0]  # in a label, a slash is written %2F
        operation = _routed(service, environ["REQUEST_METHOD"], raw, query)
        if operation == "PutObject" and "HTTP_X_AMZ_COPY_SOURCE" in environ:
            operation = "CopyObject"
    call = Call(service, operation, key_id, region, protocol, path, query, body, environ, emulator)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return call


def _chunks(environ: dict[str, Any]) -> bytes:
    return bytes(environ["wsgi.input"].read()) if environ.get("HTTP_TRANSFER_ENCODING") == "chunked" else b""


@cache
def _moto() -> Any:
    return DomainDispatcherApplication(create_backend_app)


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], dict[str, str | None], str]]:
    found: list[tuple[str, re.Pattern[str], dict[str, str | None], str]] = []
    for name in _model(service).operation_names:
        if service == "s3" and ("DirectoryBucket" in name or name == "CreateSession"):  # elsewhere
            continue
        model = _model(service).operation_model(name)
        http, shape = model.http, model.input_shape
        members = {one: shape.members[one].serialization for one in shape.required_members} if shape else {}
        asked = [one["name"] for one in members.values() if one.get("location") == "querystring"]
        path, _, query = http["requestUri"].partition("?")
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.sub(r"\\\{\w+\\\+\\\}", ".+", re.escape(path)))
        wanted = {**dict.fromkeys(asked), **dict(parse_qsl(query, keep_blank_values=True))}
        found.append((http["method"], re.compile(f"{pattern}/?"), wanted, name))
    return found


def _routed(service: str, method: str, path: str, query: Mapping[str, str]) -> str:
    """Which operation of a REST service it is: the one whose path and query say most."""
    fitting = [
        (len(wanted), -pattern.pattern.count("+"), len(pattern.pattern), name)
        for verb, pattern, wanted, name in _routes(service)
        if verb == method
        and pattern.fullmatch(path)
        and all(one in query and value in {None, query[one]} for one, value in wanted.items())
    ]
    return max(fitting)[-1] if fitting else f"{method} {path}"


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def emulated(layers: Mapping[tuple[str, str], Layer] | None = None) -> Iterator[Emulator]:
    """An AWS with nothing in it, for as long as the context is open."""
    emulator = Emulator(layers or {})
    server = make_server("127.0.0.1", 0, emulator, threaded=True, request_handler=_Quiet)
    emulator.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield emulator
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        moto_api_backend.reset()
