"""What all messages of AWS share: ARNs, the console that shows things, and words for severity."""

import re
from dataclasses import dataclass
from urllib.parse import quote

from halon.gateway.sources._reading import CRITICAL, INFO, WARNING, ranked

_CONSOLES = {"aws-cn": "https://console.amazonaws.cn", "aws-us-gov": "https://console.amazonaws-us-gov.com"}
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]{1,20}){1,3}-\d{1,2}")
_PARTS = 6
_SEVERITIES = {
    CRITICAL: CRITICAL,
    "high": CRITICAL,
    "fatal": CRITICAL,
    "emergency": CRITICAL,
    WARNING: WARNING,
    "warn": WARNING,
    "medium": WARNING,
    "moderate": WARNING,
    "error": WARNING,
    INFO: INFO,
    "low": INFO,
    "informational": INFO,
    "information": INFO,
}


_OVER = frozenset({"resolved", "recovered", "closed", "ok"})
_OVER_TITLE = re.compile(r"\W{0,3}(resolved|recovered|closed|ok)\b", re.IGNORECASE)
OVER = "it says that something is over, and not what: it begins no alert and ends none"


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an ARN."""

    partition: str = "aws"
    service: str = ""
    region: str = ""
    account: str = ""
    resource: str = ""


NOWHERE = Arn()


def arn(text: str) -> Arn:
    """Take an ARN apart; what is none gives empty parts."""
    parts = text.split(":", _PARTS - 1)
    return Arn(*parts[1:]) if len(parts) == _PARTS and parts[0] == "arn" else NOWHERE


def region_of(text: str) -> str:
    """Give a region's code, and nothing for a name such as `EU (Ireland)`."""
    return text if _REGION.fullmatch(text) else ""


def console(partition: str, region: str, path: str) -> str:
    """Give an address in the console; nothing without a region, for it would lead elsewhere."""
    if not region_of(region):
        return ""
    host = _CONSOLES.get(partition, f"https://{region}.console.aws.amazon.com")
    return f"{host}/{path.replace('REGION', region)}"


def quoted(name: str) -> str:
    """Write a name as it stands in an address."""
    return quote(name, safe="")


def severity_of(word: str) -> str:
    """Give the severity for a word or a rank; empty when it is none."""
    return _SEVERITIES.get(word.strip().lower(), "") or ranked(word)


def is_over(words: str) -> bool:
    """Whether a field says that something is over."""
    return words.strip().lower() in _OVER


def is_over_title(title: str) -> bool:
    """Whether a title begins so, such as `[RESOLVED] CheckoutDown`."""
    return _OVER_TITLE.match(title.strip()) is not None
