"""Acknowledge an incident in PagerDuty, so that it calls nobody further."""

from typing import ClassVar, Literal

from activities.pagerduty._event import GoingOn
from halon.contracts.base import JsonObject


class AcknowledgeIncident(GoingOn):
    """Acknowledge an incident in PagerDuty: it is being worked on, and escalates no further.

    It is named by the `reference` that it was triggered with, or by its `dedup_key` if another tool did; the Events API
    is told, which says nothing of one that is not there. Or it is named by its id, for which the REST API needs `token`
    and `user` under `pagerduty` of halon.yaml. One that is acknowledged or resolved already stays as it is.

    Errors: a service that halon.yaml does not name is `misconfigured`, a key that PagerDuty does not take is
    `invalid_input`, a refused token `permission_denied`, an id that is not there `not_found`.
    """

    becomes: ClassVar[Literal["acknowledge", "resolve"]] = "acknowledge"
    example: ClassVar[JsonObject] = {"service": "shop", "reference": "i-20260102-cart"}
