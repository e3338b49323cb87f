"""Links by which one person decides one question, once, without signing in: the link is the proof.

A link is a JSON Web Token of a gateway's key, which a worker mints when it tells people. It says for whom it is, and
for which plan at which step of which run. It has no state: the run counts it once, by the id that follows from it.
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import jwt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from halon.clients.seals import Sealer, gateway_keys, key_id, public_key, sealer
from halon.contracts.base import Contract, digest
from halon.contracts.people import PersonId
from halon.errors import InvalidInput, NotFound
from halon.settings import Settings

TYPE = "halon-link+jwt"
"""So that no other token of the same key is taken for a link."""
MAX_TOKEN = 900
"""Characters, so that a link fits into what carries messages."""
PATH = "/d/"


class Link(Contract):
    """What a link is for."""

    person: PersonId
    run: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    """Workflow id."""
    step: Annotated[str, StringConstraints(max_length=512)]
    plan: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """The whole digest of what was shown with it."""
    until: AwareDatetime
    """When the question ends, to the second."""

    @property
    def id(self) -> str:
        """Names it: the same question to the same person is the same link, however often it is sent."""
        return f"link-{digest([self.person, self.run, self.step, self.plan, int(self.until.timestamp())])[:40]}"


class _Claims(BaseModel):
    """The same as short as it can be written."""

    model_config = ConfigDict(extra="forbid", strict=True)
    sub: str
    run: str
    step: str
    plan: Annotated[str, Field(min_length=43, max_length=43)]
    exp: int


class LinkMaker:
    """Makes links, with a gateway's key."""

    def __init__(self, key: Sealer, public_url: str) -> None:
        self._key = key
        self._base = public_url.rstrip("/")

    def url(self, link: Link) -> str:
        """Give the address to send to the person, and to nobody else.

        Raises:
            InvalidInput: it would be too long for a message.
        """
        claims = _Claims(
            sub=link.person,
            run=link.run,
            step=link.step,
            plan=base64.urlsafe_b64encode(bytes.fromhex(link.plan)).decode().rstrip("="),
            exp=int(link.until.timestamp()),
        )
        token = self._key.sign(claims.model_dump(), TYPE)
        if len(token) > MAX_TOKEN:
            raise InvalidInput(f"the link to step {link.step[:80]} would have more than {MAX_TOKEN} characters")
        return f"{self._base}{PATH}{token}"


class Links:
    """Reads links."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = {key_id(key): public_key(key) for key in keys}

    def read(self, token: str, now: datetime) -> Link:
        """Give what a link is for.

        Raises:
            InvalidInput: it is forged or damaged, or of a key that nobody knows.
            NotFound: it was one, and has expired.
        """
        if len(token) > MAX_TOKEN:
            raise InvalidInput("it is longer than any link")
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys[header["kid"]]
            said = _Claims.model_validate(jwt.decode(token, key, algorithms=["EdDSA"], options={"verify_exp": False}))
            plan = base64.urlsafe_b64decode(f"{said.plan}=").hex()
            until = datetime.fromtimestamp(said.exp, UTC)
            link = Link(person=said.sub, run=said.run, step=said.step, plan=plan, until=until)
        except KeyError:
            raise InvalidInput("it is of a key that this gateway does not know") from None
        except (jwt.InvalidTokenError, ValidationError, ValueError, OverflowError):
            raise InvalidInput("it is forged or damaged") from None
        if header.get("typ") != TYPE:
            raise InvalidInput("it is a token for something else")
        if link.until <= now:
            raise NotFound(f"it expired at {link.until:%Y-%m-%d %H:%M:%S} UTC")
        return link


def link_maker(settings: Settings) -> LinkMaker | None:
    """Give what this process makes links with; None when it cannot make links that gateways take.

    They need `gateway.public_url`, and the gateways' key: the one in `data_dir`, or `approvals.signing_key`.

    Raises:
        Misconfigured: the key that is named is not there or is none.
    """
    url, named = settings.gateway.public_url, settings.approvals
    if not url or (named.trusted_keys and named.signing_key is None):
        return None
    return LinkMaker(sealer(settings), url)


def links(settings: Settings) -> Links:
    """Give what a gateway reads links with.

    Raises:
        Misconfigured: the key that is named is not there or is none.
    """
    return Links(gateway_keys(settings))
