"""The stage of the actions on AWS: an emulator, and an environment whose role has the declared permissions only."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from emulator import ACCOUNT, REGION, Emulator, Layer, emulated
from world import REGISTRY, World

from halon.clients.aws.api import AwsApi
from halon.contracts.activity import ReadRequest
from halon.contracts.base import JsonObject
from halon.contracts.plan import ActionCall
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.settings.aws import AwsAccount, AwsAccounts

ANYWHERE = {
    "AWS_ACCESS_KEY_ID": "AKIATESTING",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}
"""Whom boto3 finds: nobody of the machine that the tests run on."""

DOCUMENTS = ["Acme-Restart"]
"""What halon.yaml allows to be run."""


@dataclass(frozen=True)
class Stage:
    """An AWS, and an environment to act on it."""

    aws: Emulator
    env: Env

    def world(self, action: str, params: JsonObject, drift: Callable[[], Any]) -> World:
        """Give the world of an action, once everything that it acts on is there."""

        async def drifted() -> None:
            drift()

        wanted: Callable[[], Awaitable[None]] = drifted
        self.aws.journal.clear()
        return World(
            action=action,
            params=params,
            env=self.env,
            writes=lambda: list(self.aws.journal),
            lose_reply=self._lose_reply,
            throttle=self._throttle,
            deny=lambda: self.aws.denied.add("*"),
            drift=wanted,
        )

    async def read(self, action: str, params: JsonObject) -> Any:
        """Run a read; gives what a playbook sees."""
        call = ActionCall(action=action, params=params)
        request = ReadRequest(call=call, incident="i-1", step="look")
        return (await Lifecycle(REGISTRY, self.env).read(request)).output

    def _lose_reply(self) -> None:
        self.aws.losing = 1

    def _throttle(self) -> None:
        self.aws.throttling = True


@asynccontextmanager
async def stage(
    *actions: str, layers: Mapping[tuple[str, str], Layer] | None = None, more: tuple[object, ...] = ()
) -> AsyncIterator[Stage]:
    """Open an AWS, and an environment with the permissions of these actions and with `more`."""
    with emulated(layers) as aws, pytest.MonkeyPatch.context() as patch:
        for name, value in ANYWHERE.items():
            patch.setenv(name, value)
        allowed = [verb for one in actions for given in REGISTRY.action(one).permissions for verb in given.verbs]
        account = AwsAccount.model_validate(
            {
                "role": aws.role(allowed),
                "region": REGION,
                "endpoint": aws.url,
                "account_id": ACCOUNT,
                "documents": DOCUMENTS,
            }
        )
        api = AwsApi(AwsAccounts(accounts={"prod": account}))
        try:
            yield Stage(aws, Env(api, *more))
        finally:
            await api.close()
