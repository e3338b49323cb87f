"""`halon incidents` and `halon show`: what is going on, and the whole story of one incident."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import typer
from rich.console import RenderableType
from rich.text import Text
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from halon.cli.connections import answering, connected, rpc_problem
from halon.cli.invocation import settings_of
from halon.cli.output import OUTCOME_STYLES, note, say, say_json, styled, table
from halon.cli.plans import gate_block, of_record, plan_block
from halon.cli.timeline import all_records, timeline
from halon.contracts.audit import StoredRecord
from halon.contracts.base import Contract
from halon.contracts.incident import IncidentRow
from halon.contracts.outcome import Outcome
from halon.contracts.run import INCIDENT_WORKFLOW, REMEDIATION_WORKFLOW, STATUS_QUERY, RunStatus, SearchAttribute
from halon.core.ids import incident_of, run_id
from halon.errors import HalonError, NotFound, TransientError
from halon.settings import Settings
from halon.store.incidents import MAX_LIST, IncidentFilter
from halon.store.store import Store, open_store
