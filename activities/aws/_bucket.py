"""What the actions on S3 share: names of buckets, and the text of a bucket's policy, which is edited and not rewritten.

A bucket's policy is written whole. What others wrote into it stays byte for byte: Halon's statement is put in front of
theirs, and taken out again, in the text.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import StringConstraints

from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsNotFound
from halon.contracts.base import is_list, is_object
from halon.errors import PermanentError

BucketName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", min_length=3, max_length=63)
]
BUCKET = "arn:aws:s3:::{bucket}"
MAX_POLICY = 20 * 1024
"""Bytes of a bucket's policy, S3's own bound."""
NO_POLICY = "NoSuchBucketPolicy"
NOTHING_BLOCKED = "NoSuchPublicAccessBlockConfiguration"
Setting: TypeAlias = Literal["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
ALL: tuple[Setting, ...] = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
"""The four switches of public access."""
_SPACE = " \t\r\n"
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Span:
    """A value, and where it stands in a text."""

    start: int
    end: int
    value: Any


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A bucket's policy as text, with the places of its statements."""

    text: str
    statements: tuple[Span, ...] = ()
    whole: Span = Span(0, 0, None)
    """All statements, as they stand there: a list, or one alone."""

    @property
    def alone(self) -> bool:
        """Whether the statement stands alone, outside of a list."""
        return is_object(self.whole.value)

    @property
    def values(self) -> tuple[dict[str, Any], ...]:
        """The statements."""
        return tuple(one.value for one in self.statements if is_object(one.value))

    def with_first(self, statement: dict[str, Any]) -> str:
        """Give the text with one statement more, before the others."""
        ours = json.dumps(statement, separators=(",", ":"))
        if not self.statements:
            return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
        start, end = self.statements[0].start, self.statements[-1].end
        if self.alone:
            return f"{self.text[:start]}[{ours},{self.text[start:end]}]{self.text[end:]}"
        return f"{self.text[:start]}{ours},{self.text[start:]}"

    def without(self, sid: str, *, alone: bool) -> str:
        """Give the text without the statement of this id, empty when there is no other one.

        With `alone` the other one, if it is one, stood alone before.
        """
        index = next(i for i, one in enumerate(self.statements) if is_object(one.value) and one.value.get("Sid") == sid)
        if len(self.statements) == 1:
            return ""
        ours = self.statements[index]
        if alone and len(self.statements) == 2:  # noqa: PLR2004  # ours and the other
            other = self.statements[1 - index]
            return self.text[: self.whole.start] + self.text[other.start : other.end] + self.text[self.whole.end :]
        if index + 1 < len(self.statements):
            return self.text[: ours.start] + self.text[self.statements[index + 1].start :]
        return self.text[: self.statements[index - 1].end] + self.text[ours.end :]


def parsed(text: str) -> PolicyText:
    """Find the statements in a policy's text.

    Raises:
        PermanentError: it is no policy.
    """
    if not text:
        return PolicyText("")
    try:
        whole = next((one for name, one in _members(text) if name == "Statement"), None)
        if whole is None or not (is_object(whole.value) or is_list(whole.value)):
            raise PermanentError("the bucket's policy has no statements")
        if is_object(whole.value):
            return PolicyText(text, (whole,), whole)
        return PolicyText(text, tuple(_elements(text, whole.start)), whole)
    except (ValueError, IndexError) as error:
        raise PermanentError("the bucket's policy is no JSON") from error


async def read_policy(account: Account, bucket: str, region: str) -> str:
    """Read a bucket's policy, empty when it has none.

    Raises:
        NotFound: there is no such bucket.
    """
    try:
        answer = await account.call("s3", "get_bucket_policy", region=region, Bucket=bucket)
    except AwsNotFound as error:
        if error.code != NO_POLICY:
            raise
        return ""
    return str(answer["Policy"])


def _members(text: str) -> list[tuple[str, Span]]:
    """The members of the object that the text is."""
    found: list[tuple[str, Span]] = []
    at = _after(text, _past(text, 0, "{"))
    while text[at] != "}":
        name, at = _decoder.raw_decode(text, at)
        at = _after(text, _past(text, _after(text, at), ":"))
        value, end = _decoder.raw_decode(text, at)
        found.append((str(name), Span(at, end, value)))
        at = _comma(text, end)
    return found


def _elements(text: str, start: int) -> list[Span]:
    """The elements of the list that begins at `start`."""
    found: list[Span] = []
    at = _after(text, _past(text, start, "["))
    while text[at] != "]":
        value, end = _decoder.raw_decode(text, at)
        found.append(Span(at, end, value))
        at = _comma(text, end)
    return found


def _comma(text: str, end: int) -> int:
    """Go past the comma behind a value, if there is one, to what comes next."""
    at = _after(text, end)
    return _after(text, at + 1) if text[at] == "," else at


def _past(text: str, at: int, wanted: str) -> int:
    at = _after(text, at)
    if text[at] != wanted:
        raise ValueError(f"expected {wanted}")
    return at + 1


def _after(text: str, at: int) -> int:
    """Go past white space."""
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
