"""Writing pages: templates with every value escaped, and the headers that keep a browser from doing more than asked."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from halon.gateway.console import shown, times
from halon.gateway.console.views import severity_tone, standing

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With `no-referrer` browsers would send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
"""Of every answer of the console, whatever it is."""
_STATIC = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages use."""

    body: bytes
    media_type: str
    version: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page."""

    base: str
    form_token: str
    who: str
    now: datetime
    environment: str
    note: str = ""
    may: dict[str, bool] = field(default_factory=dict[str, bool])


class Pages:
    """The templates and the files beside them, read once."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("halon.gateway.console"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        filters: dict[str, Any] = {
            "line": shown.line,
            "passage": shown.passage,
            "prose": shown.prose,
            "value": shown.value,
            "iso": times.iso_text,
            "clock": times.clock_text,
            "distance": times.distance_text,
            "span": times.span_text,
            "severity_tone": severity_tone,
        }
        self._templates.filters.update(filters)
        directory = files("halon.gateway.console") / "static"
        bodies = {name: (directory / name).read_bytes() for name in _STATIC}
        self.assets = {name: Asset(body, _STATIC[name], sha256(body).hexdigest()[:12]) for name, body in bodies.items()}
        versions = {name: asset.version for name, asset in self.assets.items()}
        known: dict[str, Any] = {"assets": versions, "standing": standing}
        self._templates.globals.update(known)

    def text(self, template: str, frame: Frame, **values: Any) -> str:
        """Fill in a template."""
        return self._templates.get_template(template).render(frame=frame, now=frame.now, base=frame.base, **values)

    def page(self, template: str, frame: Frame, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        return Response(self.text(template, frame, **values), status, media_type="text/html")
