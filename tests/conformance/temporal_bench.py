"""A Temporal server that skips time, and a worker whose activities answer by script, shared by all cases.

Nothing outside decides when something happens: decisions, resolution and cancellation are sent at workflow time by a
workflow of the bench, or by the activity that writes the question down, during which the server's clock stands still.
"""

import sysconfig
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cases import ACTIONS, Case, Ran
from temporalio import activity, workflow
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from halon.clients.temporal import SEARCH_ATTRIBUTES
from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Contract, Duration, JsonObject
from halon.contracts.bookkeeping import APPEND, AppendRequest
from halon.contracts.decision import Verdict
from halon.contracts.outcome import RunResult
from halon.contracts.plan import Applied, Plan, ReadResult, Settlement
from halon.contracts.run import APPROVE_SIGNAL, CLEARED_SIGNAL, DENY_SIGNAL
from halon.core.runtime import ActionFailed
from halon.core.virtual import Answer, Reply
from halon.playbook.scripted import ScriptedWorld
from workflows.remediation import Remediation

QUEUE = "conformance"
_STILL_WAITING = timedelta(minutes=1)
