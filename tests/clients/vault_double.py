"""A Vault on loopback that speaks what Halon uses: two ways to log in, and the KV engine, version 2."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


def answer(body: dict[str, Any], status: int = 200) -> web.Response:
    """As Vault does: its media type has no charset."""
    return web.Response(body=json.dumps(body).encode(), status=status, headers={"Content-Type": "application/json"})


@dataclass
class VaultDouble:
    """Answers as Vault 1.20 does."""

    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    """The tokens that are good."""
    sealed: bool = False
    broken: bool = False
    logins: int = 0
    reads: int = 0
    namespaces: set[str] = field(default_factory=set)
    address: str = ""

    async def start(self) -> web.AppRunner:
        application = web.Application()
        application.router.add_post("/v1/auth/{mount}/login", self._login)
        application.router.add_get("/v1/{mount}/data/{path:.+}", self._read)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _login(self, request: web.Request) -> web.Response:
        given = await request.json()
        good = {"approle": ("secret_id", "the-secret-id"), "kubernetes": ("jwt", "the-jwt")}
        name, value = good[request.match_info["mount"]]
        if given.get(name) != value:
            return answer({"errors": ["invalid role or secret ID"]}, status=400)
        self.logins += 1
        token = f"hvs.login-{self.logins}"
        self.tokens.add(token)
        return answer({"auth": {"client_token": token, "lease_duration": 60, "renewable": True}})

    async def _read(self, request: web.Request) -> web.Response:
        self.reads += 1
        self.namespaces.add(request.headers.get("X-Vault-Namespace", ""))
        if self.sealed:
            return answer({"errors": ["Vault is sealed"]}, status=503)
        if self.broken:
            return web.Response(text="<html>proxy</html>", content_type="text/html")
        if request.headers.get("X-Vault-Token") not in self.tokens:
            return answer({"errors": ["permission denied"]}, status=403)
        data = self.secrets.get(f"{request.match_info['mount']}/{request.match_info['path']}")
        if data is None:
            return answer({"errors": []}, status=404)
        return answer({"data": {"data": data, "metadata": {"version": 1, "deletion_time": ""}}})
