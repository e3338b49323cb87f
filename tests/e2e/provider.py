"""An OpenID Connect provider on loopback, with a page on which people sign in and what a test wants it to get wrong."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

CLIENT = "halon console"
SECRET = "planted:secret of the client"


@dataclass
class Provider:
    """What it knows, and what it does to tokens before it gives them out."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    port: int = 0
    claims: dict[str, Any] = field(default_factory=dict)
    """Instead of the truth."""
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    """Requests by code."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def metadata(self, _request: Request) -> Response:
        names = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return JSONResponse({"issuer": self.url} | {name: self.url + path for name, path in names.items()})

    async def keys(self, _request: Request) -> Response:
        known = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return JSONResponse({"keys": [known | {"kid": "one", "use": "sig"}]})

    async def authorize(self, request: Request) -> Response:
        """The page with the button; pressing it leads back with a code."""
        asked = dict(request.query_params)
        code = f"code-{len(self.asked)}"
        self.asked[code] = asked
        back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.url})}"
        return HTMLResponse(f"<title>Provider</title><a href='{back.replace('&', '&amp;')}'>I am Ana</a>")

    async def token(self, request: Request) -> Response:
        """Give a token for a code, once, to who has the secret and the verifier."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.asked.pop(form.get("code", ""), None)
        expected = base64.b64encode(
            f"{CLIENT.replace(' ', '+')}:{SECRET.replace(':', '%3A').replace(' ', '+')}".encode()
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        genuine = (
            asked is not None
            and request.headers.get("authorization") == f"Basic {expected.decode()}"
            and challenge.decode() == asked["code_challenge"]
            and asked["code_challenge_method"] == "S256"
            and form["redirect_uri"] == asked["redirect_uri"]
        )
        if not genuine or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "u-1",
            "email": "Ana@example.com",
            "email_verified": True,
            "groups": ["night-shift"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        } | self.claims
        return JSONResponse({"id_token": jwt.encode(said, self.key, "RS256", {"kid": "one"}), "token_type": "Bearer"})


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    provider = Provider()
    routes = [
        Route("/.well-known/openid-configuration", provider.metadata),
        Route("/keys", provider.keys),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
    ]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    provider.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.should_exit = True
        await serving
