"""Ask CloudWatch Logs Insights."""

import asyncio
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import finite, inner, words
from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsRefusal
from halon.contracts.base import Duration, JsonObject, format_duration, is_list, is_object
from halon.errors import HalonError, PermanentError, TransientError
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text, redact_text

MAX_ROWS = 200
MAX_TEXT = 2000
_MAX_FIELDS = 50
_MAX_NAME = 200
_HIDDEN = "@ptr"
"""A field of every row, by which a whole record could be fetched."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_FIRST, _LONGEST = timedelta(seconds=0.25), timedelta(seconds=2)
_TOO_MANY = "LimitExceededException"
"""What CloudWatch says when the account has as many queries under way as it may."""
_AGAIN = timedelta(seconds=10)
_ENDED = frozenset({"Complete", "Failed", "Cancelled", "Timeout"})


class LogsResult(Output):
    """What was found."""

    value: float | None
    """Of the field that `value` names, in the only row; without `value`, of its only field. Null when there is none,
    when there are several, or when it is no finite number."""
    no_data: bool
    """True when there are no rows; a verification then waits, and never passes. A count of nothing has no row."""
    rows: tuple[dict[str, str], ...]
    """The rows, in the query's order, each as text by the name of its field; what looks like a secret is masked."""
    cut: bool
    """Whether there may be more rows than `most`."""
    matched: float
    """Records that the query's filters let through."""
    scanned_bytes: float
    """Bytes that were read, which is what AWS charges for."""


class QueryLogs(Read[LogsResult]):
    """Ask CloudWatch Logs Insights, most often to count errors or to verify an effect.

    AWS charges for every byte of the log groups in the window that is asked for. A query that is not complete in time
    is stopped, and the step fails: ask for less. What looks like a secret is masked. Errors: a query that CloudWatch
    does not understand is `invalid_input`, a log group that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "aws",
            ("logs:StartQuery",),
            "arn:aws:logs:{region}:{account}:log-group:{groups}:*",
            "to ask about these groups",
        ),
        Permission("aws", ("logs:GetQueryResults", "logs:StopQuery"), "*", "to read the answer, or to stop the query"),
    )
    example: ClassVar[JsonObject] = {
        "groups": ["/aws/lambda/checkout"],
        "query": "filter @message like /ERROR/ | stats count(*) as errors",
        "over": "15m",
    }

    groups: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[.\-_/#A-Za-z0-9]{1,512}$", max_length=512)], ...],
        Field(min_length=1, max_length=20),
    ]
    """From 1 to 20 log groups, by name."""
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10000)]
    """A query in the language of Logs Insights."""
    over: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=31))] = timedelta(minutes=15)
    """How far back, at most 31 days."""
    most: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 50
    """At most so many rows, up to 200."""
    value: Annotated[str, StringConstraints(max_length=_MAX_NAME)] = ""
    """Which field is the value, as in `stats count(*) as errors`; without it, a row has only one."""
    within: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(seconds=30))] = timedelta(seconds=25)
    """How long the query may take, at most 30 seconds."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _once_each(self) -> "QueryLogs":
        if len(set(self.groups)) != len(self.groups):
            raise ValueError("groups: each once")
        return self

    def target(self) -> str:
        """Name what is asked."""
        return target(self.account, self.region, "logs", self.groups[0])

    async def run(self, env: Env) -> LogsResult:
        """Ask, and wait for the answer.

        Raises:
            PermanentError: the query failed, or took too long.
        """
        account = account_of(env, self.account)
        query = await self._started(account, env.now())
        answer: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self.within.total_seconds()):
                answer = await self._answer(account, query)
        except TimeoutError as error:
            raise PermanentError(
                f"the query was not complete within {format_duration(self.within)}, and is stopped: ask for less"
            ) from error
        finally:
            if answer.get("status") not in _ENDED:
                await self._stop(account, query)
        if answer["status"] != "Complete":
            raise PermanentError(f"CloudWatch ended the query as {answer['status']}")
        return self._result(answer)

    async def _started(self, account: Account, now: datetime) -> str:
        try:
            started = await account.call(
                "logs",
                "start_query",
                region=self.region,
                logGroupNames=list(self.groups),
                startTime=int((now - self.over).timestamp()),
                endTime=int(now.timestamp()),
                queryString=self.query,
                limit=self.most,
            )
        except AwsRefusal as error:
            if error.code != _TOO_MANY:
                raise
            raise TransientError(str(error), retry_after=_AGAIN) from error
        return str(started["queryId"])

    async def _answer(self, account: Account, query: str) -> dict[str, Any]:
        pause = _FIRST
        while True:
            answer = await account.call("logs", "get_query_results", region=self.region, queryId=query)
            if answer.get("status") in _ENDED:
                return answer
            await asyncio.sleep(pause.total_seconds())
            pause = min(pause * 2, _LONGEST)

    async def _stop(self, account: Account, query: str) -> None:
        """Stop it, so that it costs nothing more; one that has ended meanwhile cannot be."""
        try:
            await account.call("logs", "stop_query", region=self.region, queryId=query)
        except HalonError:
            return

    def _result(self, answer: Mapping[str, Any]) -> LogsResult:
        rows = [_row(one) for one in words(answer, "results") if is_list(one)]
        statistics = inner(answer, "statistics")
        return LogsResult(
            value=self._value(rows),
            no_data=not rows,
            rows=tuple({name: redact_text(text, MAX_TEXT) for name, text in row.items()} for row in rows[: self.most]),
            cut=len(rows) >= self.most,
            matched=finite(statistics.get("recordsMatched")) or 0,
            scanned_bytes=finite(statistics.get("bytesScanned")) or 0,
        )

    def _value(self, rows: list[dict[str, str]]) -> float | None:
        if len(rows) != 1:
            return None
        fields = [self.value] if self.value else list(rows[0])
        return number(rows[0].get(fields[0], "")) if len(fields) == 1 else None


def number(text: str) -> float | None:
    """Read a number; what is none, or is not finite, such as `NaN`, is None: no comparison must hold by accident."""
    if not _NUMBER.fullmatch(text):
        return None
    return finite(float(text))


def _row(fields: list[Any]) -> dict[str, str]:
    named = {str(one.get("field", "")): str(one.get("value", "")) for one in fields if is_object(one)}
    shown = [(name, text) for name, text in named.items() if name != _HIDDEN]
    return {cut_text(name, _MAX_NAME): text for name, text in shown[:_MAX_FIELDS]}
