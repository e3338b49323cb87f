"""The accounts that actions reach: `env.get(AwsApi).account(name)`, and then `call` by boto3's own names.

boto3 is synchronous, so every call runs in a thread: there are as many as one worker keeps calls open, and no more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar, cast

from halon.clients.aws.failures import Asked, answered, unanswered
from halon.clients.aws.sessions import POOL, Session
from halon.errors import Misconfigured, PermanentError, PermissionDenied
from halon.settings.aws import AwsAccount, AwsAccounts

T = TypeVar("T")
MAX_ITEMS = 1000
"""Things of one list; more of them are an error, because part of a list misleads."""


class AwsApi:
    """Accounts by name. Nothing is connected before the first call."""

    def __init__(self, settings: AwsAccounts) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(POOL, thread_name_prefix="aws")
        self._accounts: dict[str, Account] = {}

    def account(self, name: str) -> "Account":
        """Give the account of this name or number; with an empty name the default one.

        Raises:
            Misconfigured: there is no such account, or no default, or another worker's.
        """
        known = self._settings.accounts
        chosen = self._settings.named(name) or self._settings.default or (next(iter(known)) if len(known) == 1 else "")
        if chosen not in known and not (chosen == "" and not known):
            offered = ", ".join(sorted(known)) or "none"
            wanted = f"no account '{chosen}'" if chosen else "no default among several accounts"
            raise Misconfigured(f"halon.yaml has {wanted} under aws.accounts; it names: {offered}")
        if chosen and known[chosen].worker:
            raise Misconfigured(
                f"account {chosen} is reached by its own worker only (`worker` in halon.yaml), not here"
            )
        if chosen not in self._accounts:
            self._accounts[chosen] = Account(chosen or "default", known.get(chosen, AwsAccount()), self._threads)
        return self._accounts[chosen]

    async def close(self) -> None:
        """Close every connection. Calls that are still on their way end by themselves."""
        accounts, self._accounts = self._accounts, {}
        for one in accounts.values():
            one.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Account:
    """One account. Every method raises what `call` raises."""

    def __init__(self, name: str, settings: AwsAccount, threads: ThreadPoolExecutor) -> None:
        self.name = name
        """The account's name in the settings; `default` when it has none."""
        self._settings = settings
        self._threads = threads
        self._session = Session(name, settings)
        self._identity: dict[str, str] = {}
        self._asking = asyncio.Lock()
        self._next: dict[str, float] = {}

    async def call(self, service: str, operation: str, /, *, region: str = "", **params: Any) -> dict[str, Any]:
        """Make one call, one attempt.

        Args:
            service: boto3's name of the service, such as `iam`.
            operation: boto3's name of the operation, such as `update_access_key`.
            region: the region; without it the account's.
            params: the operation's own, as boto3 takes them.

        Raises:
            NotFound: what it names does not exist; `AwsNotFound` has AWS's code.
            PermissionDenied: the credentials may not; the message names the IAM action and the account.
            Conflict: something changed between looking and writing, or is there already.
            InvalidInput: a parameter is wrong.
            Misconfigured: no credentials, no such region, another account than the one that is meant.
            TransientError: throttled, an error of AWS, no connection.
            AwsRefusal: AWS refused for another reason, which its code says.
        """
        await self._checked(region)
        return await self._once(service, operation, region, params)

    async def body(self, service: str, operation: str, /, *, region: str = "", most: int, **params: Any) -> bytes:
        """Make one call and read the body of its answer.

        Args:
            service: boto3's name of the service.
            operation: boto3's name of the operation, one whose answer has a `Body`.
            region: the region; without it the account's.
            most: bytes; what is longer is an error.
            params: the operation's own.

        Raises:
            PermanentError: the body is longer than `most`.
        """
        await self._checked(region)

        def read(client: Any) -> bytes:
            with getattr(client, operation)(**params)["Body"] as body:
                found = bytes(body.read(most + 1))
            if len(found) > most:
                raise PermanentError(f"AWS account {self.name}: {service}:{operation} gives more than {most} bytes")
            return found

        return await self._run(service, operation, region, read)

    async def pages(
        self, service: str, operation: str, key: str, /, *, region: str = "", most: int = MAX_ITEMS, **params: Any
    ) -> list[dict[str, Any]]:
        """Read a list, however many pages it has.

        Args:
            service: boto3's name of the service.
            operation: boto3's name of the operation, one that gives pages.
            key: where the things are in a page, as a JMESPath: `Users`, `Reservations[].Instances[]`.
            region: the region; without it the account's.
            most: more than this is an error.
            params: the operation's own.

        Raises:
            PermanentError: there are more than `most`.
        """
        await self._checked(region)

        def read(client: Any) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            for one in client.get_paginator(operation).paginate(**params).search(key):
                if one is None:
                    continue
                if len(found) >= most:
                    raise PermanentError(f"AWS account {self.name}: {service}:{operation} gives more than {most}")
                found.append(one)
            return found

        return await self._run(service, operation, region, read)

    async def pace(self, what: str, every: timedelta) -> None:
        """Wait for a turn, so that calls of this kind from this worker are so far apart, whichever run makes them."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next.get(what, now))
        self._next[what] = turn + every.total_seconds()
        await asyncio.sleep(turn - now)

    async def identity(self) -> dict[str, str]:
        """Who Halon is here: `account` (12 digits), `arn`, and `partition`, such as `aws`."""
        async with self._asking:
            if not self._identity:
                answer = await self._once("sts", "get_caller_identity", "", {})
                arn, account = str(answer.get("Arn", "")), str(answer.get("Account", ""))
                partition = arn.split(":")[1] if ":" in arn else "aws"
                self._expect(account)
                self._identity = {"account": account, "arn": arn, "partition": partition}
            return self._identity

    def region(self, name: str) -> str:
        """Give the region that is meant, empty when only boto3's own configuration says it.

        Raises:
            Misconfigured: the account's `regions` do not have it.
        """
        chosen, allowed = name or self._settings.region or "", self._settings.regions
        if name and allowed and name not in allowed:
            raise Misconfigured(f"aws.accounts.{self.name}.regions in halon.yaml has no {name}")
        return chosen

    def check_document(self, name: str) -> None:
        """Refuse a document of SSM that halon.yaml does not allow.

        Raises:
            PermissionDenied: `documents` of the account do not name it.
        """
        if name not in self._settings.documents:
            raise PermissionDenied(
                f"aws.accounts.{self.name}.documents in halon.yaml does not name {name}: allow it there"
            )

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    async def _checked(self, region: str) -> None:
        """Before anything else: the region is allowed, and the credentials are this account's."""
        self.region(region)
        if self._settings.account_id is not None:
            await self.identity()

    def _expect(self, account: str) -> None:
        if self._settings.account_id not in {None, account}:
            expected = self._settings.account_id
            raise Misconfigured(f"aws.accounts.{self.name} is account {expected}, and the credentials are {account}'s")

    async def _once(self, service: str, operation: str, region: str, params: dict[str, Any]) -> dict[str, Any]:
        def call(client: Any) -> dict[str, Any]:
            return cast("dict[str, Any]", getattr(client, operation)(**params))

        return await self._run(service, operation, region, call)

    async def _run(self, service: str, operation: str, region: str, work: Callable[[Any], T]) -> T:
        chosen = self.region(region)

        def run() -> T:
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
            from botocore.parsers import ResponseParserError  # noqa: PLC0415

            name = operation
            try:
                client = self._session.client(service, chosen)
                names = client.meta.method_to_api_mapping
                name = names.get(operation, operation)
                return work(client)
            except ClientError as error:
                raise answered(
                    Asked(self.name, service, error.operation_name or name, chosen), error.response
                ) from error
            except (BotoCoreError, ResponseParserError) as error:
                raise unanswered(Asked(self.name, service, name, chosen), error) from error

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)
