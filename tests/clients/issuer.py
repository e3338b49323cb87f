"""An OpenID Connect provider on loopback: real HTTP, real keys that change, and a count of what it is asked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from halon.settings.auth import OidcSettings

AUDIENCE = "halon"


@dataclass
class Issuer:
    port: int = 0
    keys: dict[str, PrivateKeyTypes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    """What it says instead of the truth."""
    extra_keys: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, **changes: Any) -> OidcSettings:
        return OidcSettings.model_validate({"issuer": self.url, "audience": [AUDIENCE]} | changes)

    def rotate(self, kid: str, kind: str = "rsa") -> None:
        """Sign with a new key from now on; the old ones are gone."""
        self.keys = {kid: _key(kid, kind)}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(time.time())
        whole = {"iss": self.url, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 300} | changes
        return {name: value for name, value in whole.items() if value is not None}

    def token(self, header: dict[str, Any] | None = None, algorithm: str = "RS256", **changes: Any) -> str:
        kid, key = next(iter(self.keys.items()))
        headers = {"kid": kid} | (header or {})
        return jwt.encode(
            self.claims(**changes), key, algorithm, {name: one for name, one in headers.items() if one is not None}
        )

    def public_pem(self) -> bytes:
        key = next(iter(self.keys.values()))
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwks(self) -> dict[str, Any]:
        keys: list[dict[str, Any]] = []
        for kid, key in self.keys.items():
            public = key.public_key()
            known = RSAAlgorithm.to_jwk(public) if isinstance(public, rsa.RSAPublicKey) else ECAlgorithm.to_jwk(public)
            keys.append(json.loads(known) | {"kid": kid, "use": "sig"})
        return {"keys": [*keys, *self.extra_keys]}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        self.asked.append(path)
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.metadata,
            "/keys": self.jwks(),
        }
        status = "503 Down" if self.down else "200 OK" if path in documents else "404 Not Found"
        body = json.dumps(documents.get(path, {})).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@cache
def _key(_kid: str, kind: str) -> PrivateKeyTypes:
    """One key for each name: making one takes a while."""
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


@asynccontextmanager
async def issuing(kid: str = "first") -> AsyncIterator[Issuer]:
    issuer = Issuer()
    issuer.rotate(kid)
    server = await asyncio.start_server(issuer.answer, "127.0.0.1", 0)
    issuer.port = server.sockets[0].getsockname()[1]
    try:
        yield issuer
    finally:
        server.close()
        await server.wait_closed()
