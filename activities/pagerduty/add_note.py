"""Write a note on an incident in PagerDuty."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints, model_validator

from activities.pagerduty._event import IncidentId
from halon.clients.pagerduty import PagerDuty
from halon.contracts.base import JsonObject
from halon.kit.action import Notice, Output, Permission
from halon.kit.env import Env
from halon.kit.once import Reference, Title, mark_of, words_of

_MAX_NOTE = 8000


class Noted(Output):
    """Where it stands."""

    incident: str
    """The id of the incident."""
    written: bool
    """False when an earlier attempt had written it."""


class AddNote(Notice[Noted]):
    """Write a note on an incident in PagerDuty, once for a `reference`, such as what a diagnosis found.

    Needs `token` and `user` under `pagerduty` of halon.yaml, for the REST API. The note ends with a mark, by which it
    is found before it is written again. What looks like a secret is masked. Errors: a refused token is
    `permission_denied`, an incident that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/incidents", "scope `incidents.read`"),
        Permission("http", ("POST",), "/incidents/{incident}/notes", "scope `incidents.write`"),
    )
    example: ClassVar[JsonObject] = {
        "dedup_key": "i-20260102-cart",
        "reference": "i-20260102-cart/diagnosis",
        "text": "Memory grew since revision 42, which was rolled out 12 minutes before.",
    }

    incident: IncidentId = ""
    """The incident's id in PagerDuty, such as the `alert.fingerprint` of an alert that came from there."""
    dedup_key: Annotated[str, StringConstraints(pattern=r"^[ -~]*$", max_length=255)] = ""
    """Or the key that it was triggered with: the newest incident with it."""
    reference: Reference
    """What the note is, such as the incident's id and the step's: the same reference is the same note."""
    text: Title
    """The note; cut to 8,000 characters."""

    @model_validator(mode="after")
    def _one(self) -> "AddNote":
        if bool(self.incident) == bool(self.dedup_key):
            raise ValueError("say which incident: exactly one of `incident` and `dedup_key`")
        return self

    def target(self) -> str:
        """Name the incident."""
        return f"pagerduty/incidents/{self.incident or self.dedup_key}"

    async def run(self, env: Env) -> Noted:
        """Write it, unless it is there."""
        duty = env.get(PagerDuty)
        incident = self.incident or await duty.incident_of(self.dedup_key)
        written = await duty.note(incident, words_of(self.text, _MAX_NOTE), mark_of(self.reference))
        return Noted(incident=incident, written=written)
