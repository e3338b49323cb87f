"""`GET /v1/me`: who one is to Halon, and what one may do."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from halon.contracts.people import Right
from halon.gateway.api.edge import PROBLEMS, Caller
from halon.gateway.api.parts import Parts


class Me(BaseModel):
    """Who asks."""

    person: str = Field(description="What decisions and the audit call you.")
    known: bool = Field(description="Whether `people` in halon.yaml has you.")
    authenticated: str = Field(description="How you proved who you are: `oidc`, `token` or `operator`.")
    groups: list[str] = Field(description="Groups that you are in, by halon.yaml or by your token.")
    rights: list[Right] = Field(description="What you may do everywhere.")
    rights_for_some: list[Right] = Field(description="What you may do where labels match, such as for one team.")


def add(router: APIRouter, parts: Parts) -> None:
    """Add the routes."""

    @router.get("/me", responses=PROBLEMS, summary="Who am I, and what may I do?", operation_id="me")
    async def me(caller: Caller) -> Me:  # pyright: ignore[reportUnusedFunction]  # registered
        rights = parts.guard.rights
        everywhere = rights.of(caller)
        some = [one for one in Right if one not in everywhere and rights.anywhere(caller, one)]
        return Me(
            person=caller.person,
            known=parts.identity.knows(caller),
            authenticated=caller.method.value,
            groups=list(rights.groups_of(caller)),
            rights=list(everywhere),
            rights_for_some=some,
        )
