"""Masking of secrets and cutting to size, before anything is written to a log or to the audit chain.

It works on what things look like, so it is the second line of defence: the first is that secrets are not values in
Halon at all (actions take the name of a credential). It lies below every other layer because logs need it too.
"""

import json
import math
import re
from collections.abc import Iterable
from typing import TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"

MASK = "[redacted]"
MAX_DEPTH = 40
_MAX_SAFE_INTEGER = 2**53 - 1

_SECRET_KEY = re.compile(
    r"pass(?:word|wd|phrase|code)|secret|token|api[-_]?key|apikey|authorization|cookie|credential"
    r"|private[-_]?key|access[-_]?key|signing[-_]?key|encryption[-_]?key|account[-_]?key|connection[-_]?string",
    re.IGNORECASE,
)
_ABOUT_A_SECRET = re.compile(
    r"(?:names?|refs?|ids?|type|kind|namespace|count|ttl|expiry|expires|expires_at|path|version|digest)$"
    r"|^(?:max|min|num|automount)",
    re.IGNORECASE,
)
"""Keys such as `secretName`, `access_key_id` or `token_ttl` say which secret, not the secret."""

_SCHEME_TOKEN = re.compile(r"\b(bearer|basic|digest|negotiate)\s+[A-Za-z0-9+/._~=-]{8,}", re.IGNORECASE)
_USERINFO = re.compile(r"\b([a-z][a-z0-9+.-]{0,30}://)[^\s/?#@'\"]{1,512}@", re.IGNORECASE)
_ASSIGNMENT = re.compile(
    r"(?P<key>(?:pass(?:word|wd|phrase)|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|account[-_]?key"
    r"|authorization)[\w-]{0,20}[\"']?\s{0,3}[:=]\s{0,3}[\"']?)(?!\[redacted\])(?P<value>[^\s\"'&,;]{4,})",
    re.IGNORECASE,
)
_SECRET_FLAG = re.compile(r"(--?(?:password|passwd|token|secret|api-key)[ =])[^\s]{4,}", re.IGNORECASE)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
)
_KNOWN_TOKENS = re.compile(
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{0,}"  # JSON web token
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"
    r"|\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}"
    r"|\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    r"|\bhv[sb]\.[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bdop_v1_[a-f0-9]{40,}"
    r"|\bhalon_[A-Za-z0-9_-]{40,}"
)
_SCHEMES = ("bearer", "basic", "digest", "negotiate")
_BEGINNINGS = (
    *("eyJ", "gh", "github_pat_", "glpat-", "xox", "xapp-", "AIza", "ya29.", "_live_", "_test_"),
    *("SG.", "hvs.", "hvb.", "npm_", "dop_v1_"),
)
_SECRET_WORDS = ("pass", "secret", "token", "key", "authorization")
"""What each expression's text holds, whatever else: without it there is nothing to mask."""
_WEBHOOK = re.compile(
    r"(https://hooks\.slack\.com/(?:services|workflows)/|https://[^\s/]{1,200}/api/webhooks/)[^\s\"']+"
)


def redact_text(text: str, limit: int) -> str:
    """Mask what looks like a secret within `text`, and cut it to `limit` characters; the rest stays readable.

    NUL, which PostgreSQL cannot keep, becomes the sign for what cannot be shown. Masking looks at twice the limit, so
    that a secret which the cut goes through is masked too, and no more than that: its work is bounded.
    """
    seen = text[: 2 * limit].replace("\x00", "\ufffd")
    # Most text holds nothing of the kind, and looking for a word takes a twentieth of the time of an expression.
    low = seen.lower()
    if "-----begin" in low:
        seen = _PRIVATE_KEY.sub(MASK, seen)
    if "://" in seen and "@" in seen:
        seen = _USERINFO.sub(rf"\1{MASK}@", seen)
    if "hooks" in seen:
        seen = _WEBHOOK.sub(rf"\1{MASK}", seen)
    if any(scheme in low for scheme in _SCHEMES):
        seen = _SCHEME_TOKEN.sub(rf"\1 {MASK}", seen)
    if any(beginning in seen for beginning in _BEGINNINGS):
        seen = _KNOWN_TOKENS.sub(MASK, seen)
    if any(word in low for word in _SECRET_WORDS):
        seen = _SECRET_FLAG.sub(rf"\1{MASK}", seen)
        seen = _ASSIGNMENT.sub(_mask_assignment, seen)
    if len(text) <= 2 * limit:
        return cut_text(seen, limit)
    return f"{seen[:limit]}…[cut: {len(text) - limit} more characters]"


def _mask_assignment(match: re.Match[str]) -> str:
    key = match["key"]
    if match["value"].lower() in _SCHEMES:
        return match[0]
    return f"{key}{MASK}" if is_secret_key(key.rstrip("\"' :=")) else match[0]


def is_secret_key(key: str) -> bool:
    """Whether a value under this key is a secret rather than the name of one."""
    return bool(_SECRET_KEY.search(key)) and not _ABOUT_A_SECRET.search(key)


def redact(value: object, limit: int) -> JsonValue:
    """Give `value` as JSON that canonical JSON can say, with secrets masked and every text cut to `limit` characters.

    What is not JSON becomes text. Doing it twice changes nothing more.
    """
    return _redact(value, limit=limit, depth=0, secret=False)


def _redact(value: object, *, limit: int, depth: int, secret: bool) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict | list | tuple) and depth >= MAX_DEPTH:
        return "[cut: nested too deep]"
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {
            _clean(str(key)): _redact(item, limit=limit, depth=depth + 1, secret=secret or is_secret_key(str(key)))
            for key, item in items
        }
    if isinstance(value, list | tuple):
        inner = cast("Iterable[object]", value)
        return [_redact(item, limit=limit, depth=depth + 1, secret=secret) for item in inner]
    return MASK if secret else _scalar(value, limit)


def _scalar(value: object, limit: int) -> JsonValue:
    if isinstance(value, int):
        return value if abs(value) <= _MAX_SAFE_INTEGER else _number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return redact_text(_clean(str(value)), limit)


def _number(value: int) -> str:
    return str(value) if value.bit_length() <= 4096 else f"[cut: integer of {value.bit_length()} bits]"  # noqa: PLR2004


def _clean(text: str) -> str:
    """Replace lone surrogates, which no encoding of JSON can carry, and NUL."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def cut_text(text: str, limit: int) -> str:
    """Cut `text` to `limit` characters and say how much is missing."""
    return text if len(text) <= limit else f"{text[:limit]}…[cut: {len(text) - limit} more characters]"


def bounded(value: dict[str, JsonValue], limit: int) -> dict[str, JsonValue]:
    """Cut long texts and lists until the JSON of `value` has at most `limit` bytes, with a marker wherever it was cut.

    The same value is always cut the same way, so that a repeated attempt to write it is recognised.
    """
    if _size(value) <= limit:
        return value
    for texts, items in ((4096, 200), (1024, 100), (256, 50), (96, 20), (48, 10)):
        cut = cast("dict[str, JsonValue]", _cut(value, texts, items))
        if _size(cut) <= limit:
            return cut
    return {"cut": f"{_size(value)} bytes, more than the {limit} that a record holds"}


def _cut(value: JsonValue, texts: int, items: int) -> JsonValue:
    if isinstance(value, str):
        return cut_text(value, texts)
    if isinstance(value, list):
        kept = [_cut(item, texts, items) for item in value[:items]]
        return [*kept, f"…[cut: {len(value) - items} more]"] if len(value) > items else kept
    if isinstance(value, dict):
        kept_items = {cut_text(key, texts): _cut(item, texts, items) for key, item in list(value.items())[:items]}
        return kept_items | {"…": f"[cut: {len(value) - items} more]"} if len(value) > items else kept_items
    return value


def _size(value: JsonValue) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
