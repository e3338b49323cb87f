"""Reading what senders write: fields that may be missing or of another type, times in many forms, labels within bounds.

What decides is asked for and named when it is not there. Everything else may be absent, or be what a later version of
the sender makes of it.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import ValidationError

from halon.contracts.alert import MAX_LABEL_VALUE, MAX_LABELS, Alert
from halon.contracts.base import is_list, is_object
from halon.errors import InvalidInput
from halon.gateway.parsing import MAX_LABEL_NAME, Parsed, checked, field_problems, refuse_too_many
from halon.redaction import cut_text

CRITICAL, WARNING, INFO = "critical", "warning", "info"
"""The severities that playbooks use. What the sender called it stays in a label of its own."""
MAX_NAME = 512
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
"""Numbers from here on are nano-, micro- or milliseconds: as anything longer they would lie beyond the year 5000."""
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,9})?")
_AMERICAN = "%b %d, %Y, %I:%M:%S %p"
"""How Amazon Inspector writes times in its events."""
_RANK = re.compile(r"(?:p|s|sev|severity|priority)[ _-]?(\d)", re.IGNORECASE)
_RANKS = (CRITICAL, CRITICAL, CRITICAL, WARNING, INFO, INFO)


def at(value: Any, *path: str | int) -> Any:
    """Give what stands at a path of names and indexes, and None when there is nothing."""
    for part in path:
        if isinstance(part, int):
            value = value[part] if is_list(value) and part < len(value) else None
        else:
            value = value.get(part) if is_object(value) else None
    return value


def text(value: Any, *path: str | int) -> str:
    """Give a plain value as text: empty when it is missing, and for lists and objects their JSON."""
    found = at(value, *path)
    if found is None:
        return ""
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, sort_keys=True)


def first(*values: str) -> str:
    """Give the first text that is not empty."""
    return next((value for value in values if value.strip()), "")


def needed(value: Any, where: str, *path: str) -> str:
    """Give a text that has to be there.

    Raises:
        InvalidInput: it is not.
    """
    found = text(value, *path).strip()
    if not found:
        raise missing(".".join(part for part in (where, *path) if part))
    return found


def missing(place: str, what: str = "Field required") -> InvalidInput:
    """Give the error about a field."""
    return InvalidInput(f"{place}: {what}", [f"{place}: {what}"])


def moment(value: Any, place: str) -> datetime:
    """Give a time: ISO 8601, the form of mail headers, or a number since 1970, in seconds down to nanoseconds.

    One without a zone is UTC, because that is what senders mean who leave it out.

    Raises:
        InvalidInput: it is none of that.
    """
    try:
        return _moment(value).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise missing(place, "no time: ISO 8601, or seconds or milliseconds since 1970") from error


def maybe_moment(value: Any) -> datetime | None:
    """Give a time, and None when there is none that can be read, or the zero that stands for none."""
    if value in (None, "", 0, "0") or text(value).startswith("0001-01-01"):
        return None
    try:
        return moment(value, "")
    except InvalidInput:
        return None


def _moment(value: Any) -> datetime:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError("no time")
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if not isinstance(value, str):
        unit = next((unit for least, unit in _UNITS if abs(value) >= least), 1)
        return datetime.fromtimestamp(value / unit, UTC)
    found = value.strip()
    try:
        parsed = datetime.fromisoformat(found)
    except ValueError:
        if found.endswith(("AM", "PM")):
            return datetime.strptime(found, _AMERICAN).replace(tzinfo=UTC)
        parsed = parsedate_to_datetime(found)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def ranked(word: str) -> str:
    """Give the severity of a rank such as P1, SEV-2 or `P3 - Moderate`; empty when it is none."""
    found = _RANK.match(word.strip())
    rank = int(found[1]) if found else len(_RANKS)
    return _RANKS[rank] if rank < len(_RANKS) else ""


def labelled(pairs: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Sort a sender's fields into labels, and what is too long or too much for one, which is left to annotations.

    Fields that are empty are left out. The first come first: those that decide belong in front.
    """
    labels: dict[str, str] = {}
    rest: dict[str, str] = {}
    for name, value in pairs.items():
        shown = text(value)
        if not shown or not name or name in labels:
            continue
        fits = len(shown) <= MAX_LABEL_VALUE and len(name) <= MAX_LABEL_NAME and len(labels) < MAX_LABELS
        (labels if fits else rest)[name] = shown
    return labels, rest


def beside(own: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Give a sender's own fields, and with them what people named, such as tags, under the names that are left.

    A tag `account:…` must not hide the account that an alert is about.
    """
    return dict(own) | {name: value for name, value in others.items() if not text(own.get(name))}


def texts(pairs: Mapping[str, Any]) -> dict[str, str]:
    """Give the fields that are not empty, as texts: what an alert's annotations are made of."""
    return {name: text(value) for name, value in pairs.items() if text(value)}


def finished(draft: Alert, where: str) -> Alert:
    """Hold an alert to its bounds. A name that is too long is cut.

    Raises:
        InvalidInput: it is not fit to act on.
    """
    name = cut_text(draft.name, MAX_NAME - 60) if len(draft.name) > MAX_NAME else draft.name
    try:
        return Alert.model_validate(checked(draft.model_copy(update={"name": name}), where).model_dump())
    except ValidationError as error:
        problems = field_problems(error, where)
        raise InvalidInput(problems[0], problems) from error


def each(items: list[Any], place: str, read: Callable[[Any, str], Alert | str]) -> Parsed:
    """Read each item by itself: one that is not fit to act on must not hold up the others.

    `read` gives an alert, or a remark on why the item is none.

    Raises:
        InvalidInput: there are too many.
    """
    refuse_too_many(len(items))
    alerts: list[Alert] = []
    rejected: list[str] = []
    remarks: list[str] = []
    for index, item in enumerate(items):
        try:
            found = read(item, f"{place}[{index}]")
        except InvalidInput as error:
            rejected.append(str(error))
        else:
            (alerts if isinstance(found, Alert) else remarks).append(found)  # type: ignore[arg-type]  # each to its own
    return Parsed(tuple(alerts), tuple(rejected), remarks=tuple(remarks))


def one(found: Alert | str) -> Parsed:
    """Give a body that holds one alert, or a remark on why it is none."""
    return Parsed((found,)) if isinstance(found, Alert) else Parsed((), remarks=(found,))


def tagged(tags: Any) -> tuple[dict[str, str], list[str]]:
    """Sort tags, a list or a text with commas, into those of the form `name:value` or `name=value`, and plain ones.

    Values of a name that comes several times are joined with commas, in order, so that it is always the same text.
    """
    listed = tags if is_list(tags) else text(tags).split(",")
    named: dict[str, set[str]] = {}
    plain: set[str] = set()
    for tag in (text(one).strip() for one in listed):
        name, colon, value = tag.partition(":" if ":" in tag else "=")
        if colon and name.strip() and value.strip():
            named.setdefault(name.strip(), set()).add(value.strip())
        elif tag:
            plain.add(tag)
    return {name: ",".join(sorted(values)) for name, values in sorted(named.items())}, sorted(plain)
