"""Puts the API into the gateway's application."""

from fastapi import APIRouter, Depends, FastAPI

from halon.gateway.api import decisions, guards, incidents, people, runs
from halon.gateway.api.access import Access
from halon.gateway.api.decisions import Decisions
from halon.gateway.api.edge import Edge, bearer, route_of
from halon.gateway.api.parts import Parts


def install(app: FastAPI, parts: Parts) -> Decisions:
    """Add all routes. Gives what hands in decisions, for other ways in."""
    access = Access(parts)
    router = APIRouter(prefix="/v1", route_class=route_of(Edge(parts)), dependencies=[Depends(bearer)], tags=["people"])
    people.add(router, parts)
    incidents.add(router, parts, access)
    desk = decisions.add(router, parts, access)
    runs.add(router, parts, access)
    guards.add(router, parts, access)
    app.include_router(router)
    return desk
