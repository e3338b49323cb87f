"""One run's dealings with the guards: what its playbooks ask for, what they are granted, and giving it back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import ValidationError

from halon.contracts.audit import AuditKind
from halon.contracts.base import MAX_DURATION, JsonObject, digest
from halon.contracts.ledger import MAX_REASON, MAX_TARGETS, Admission, AdmissionRequest, Release
from halon.contracts.outcome import Outcome, RunResult
from halon.contracts.playbook import Budget, Playbook
from halon.contracts.run import RunSpec
from halon.contracts.steps import Approve
from halon.core.frame import Account, Cover, Scope, StepFailed, rendered
from halon.core.library import longest_lease
from halon.core.routing import carriers_ahead
from halon.core.runtime import ActionFailed, Event, Runtime

ENDING_MARGIN = timedelta(hours=3)
"""What may come after a run's own time: undo, `on_failure` and `finally`, and waiting for a person about them."""
NOT_ADMITTED = "nothing is changed for a playbook that its guards have not admitted"
"""Said by `on_failure` and `finally` steps of one that was refused: neither its lock nor the policy covers them."""
GUARDS = "guards"
"""Where a refusal by the guards stands in the story."""


class Guards:
    """Asks the guards for one run."""

    def __init__(self, spec: RunSpec, runtime: Runtime, account: Account) -> None:
        self._spec = spec
        self._runtime = runtime
        self._account = account
        self._asked = False

    async def admit(self, book: Playbook, scope: Scope, path: str, cover: Cover) -> Cover:
        """Ask for a playbook, before anything of it is planned. Gives what its steps are covered by.

        Raises:
            StepFailed: refused, with every reason; or nobody could be asked, which is a refusal too.
        """
        guard, names = book.guard, scope.names(self._runtime.now())
        target = str(scope.base["target"])
        where = path or GUARDS
        lock = target if guard.lock == "target" else str(rendered(where, guard.lock or "", names))
        if guard.lock is not None and not lock:
            raise StepFailed(where, "misconfigured", "`guard.lock` has no name: the playbook's target is empty")
        budget = guard.budget
        if budget is not None:
            budget = budget.model_copy(update={"scope": str(rendered(where, budget.scope, names))})
        admission = await self._ask(
            _request(
                where,
                holder=self._runtime.holder,
                ask=path,
                incident=self._spec.incident,
                playbook=book.metadata.name,
                target=target,
                lock=lock,
                breaker=guard.breaker,
                rate=guard.rate,
                budget=budget,
                targets=(target or self._spec.incident,) if budget else (),
                freeze=guard.freeze,
                workers=carriers_ahead(self._spec.routes, book, names),
                holds_for=_longest(book),
                automatic=not self._spec.started_by,
                dry_run=self._spec.dry_run,
            ),
            where,
        )
        cover = replace(
            cover,
            playbook=book.metadata.name,
            target=target,
            budget=budget,
            rules=admission.rules,
            environment=admission.environment,
            barred="",
        )
        return self._admitted(admission, path, cover)

    async def reserve(self, items: Sequence[Any], path: str, cover: Cover) -> None:
        """Count the targets of a loop against the budget before the first of them is touched.

        Raises:
            StepFailed: the budget does not cover all of them.
        """
        if cover.budget is None:
            return
        targets = tuple(dict.fromkeys(_named(one) for one in items))
        if len(targets) > MAX_TARGETS:
            raise StepFailed(path, "refused", f"{len(targets)} targets at a time, at most {MAX_TARGETS}")
        admission = await self._ask(
            _request(
                path,
                holder=self._runtime.holder,
                ask=path,
                incident=self._spec.incident,
                playbook=cover.playbook,
                target=cover.target,
                budget=cover.budget,
                targets=targets,
                holds_for=_longest(self._spec.playbook),
                automatic=not self._spec.started_by,
                dry_run=self._spec.dry_run,
            ),
            path,
        )
        self._admitted(admission, path, cover)

    async def release(self, result: RunResult, *, unverified: bool) -> None:
        """Give everything back and say how the run went. `unverified`: a verification did not hold or had no data."""
        if not self._asked:
            return
        left = result.left[0] if result.left else None
        await self._runtime.release(
            Release(
                holder=self._runtime.holder,
                incident=self._spec.incident,
                playbook=self._spec.playbook.metadata.name,
                outcome=result.outcome.value,
                reason=result.reason[:MAX_REASON],
                changed=bool(self._account.changes),
                keep_lock=f"{left.summary}: {left.reason}"[:MAX_REASON] if left else "",
                health=_health(result.outcome, unverified=unverified),
            )
        )

    async def _ask(self, request: AdmissionRequest, path: str) -> Admission:
        if not request.ask:
            request = request.model_copy(update={"recurrence": self._spec.recurrence[:MAX_REASON]})
        self._asked = self._asked or not request.dry_run
        try:
            return await self._runtime.admit(request)
        except ActionFailed as failure:
            reason = f"the guards cannot be asked: {failure.reason}"
            self._tell(AuditKind.RUN_REFUSED, path, f"Refused: {reason}", {})
            raise StepFailed(path, "refused", reason) from failure

    def _admitted(self, admission: Admission, path: str, cover: Cover) -> Cover:
        facts: JsonObject = {
            "reserved": list(admission.reserved),
            "reasons": list(admission.reasons),
            "approvals": list(admission.approvals),
            "fence": admission.fence.number if admission.fence else 0,
            "earlier": admission.earlier,
        }
        if not admission.granted and not self._spec.dry_run:
            self._tell(AuditKind.RUN_REFUSED, path, f"Refused: {admission.reason}", facts)
            raise StepFailed(path or GUARDS, "refused", admission.reason)
        approvals = (*admission.approvals, *((self._spec.caution,) if self._spec.caution else ()))
        said = [
            f"would be refused: {admission.reason}" if not admission.granted else "",
            ", ".join(admission.reserved),
            f"each change needs a person's approval: {'; '.join(approvals)}" if approvals else "",
            admission.earlier,
        ]
        message = "; ".join(one for one in said if one)
        if message:
            self._tell(AuditKind.RUN_ADMITTED, path, f"Admitted: {message}" if admission.granted else message, facts)
        if approvals and cover.approve is None:
            return replace(cover, approve=Approve(message="; ".join(approvals)))
        return cover

    def _tell(self, kind: AuditKind, path: str, message: str, data: JsonObject) -> None:
        self._runtime.emit(Event(kind, message[:1].upper() + message[1:], step=path, data=data))


def _request(path: str, *, budget: Budget | None, **given: Any) -> AdmissionRequest:
    """A question that the guards can take. Names come from alerts, and what raises here would stop the workflow.

    Raises:
        StepFailed: a name is too long.
    """
    try:
        if budget is not None:
            budget = Budget.model_validate(budget.model_dump())
        return AdmissionRequest(**given, budget=budget)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        what = ".".join(str(one) for one in first["loc"])
        raise StepFailed(path, "invalid_input", f"the guards cannot be asked: `{what}`: {first['msg']}") from error


def _named(item: Any) -> str:
    """What a loop's item is called in a budget."""
    return item if isinstance(item, str) else digest(item)[:16]


def _health(outcome: Outcome, *, unverified: bool) -> Literal["success", "failure", "neutral"]:
    """What a run shows to its breaker. A verification without data is a failure; a decision of people shows nothing."""
    if outcome in {Outcome.FAILED, Outcome.UNDONE} or (outcome is Outcome.UNVERIFIED and unverified):
        return "failure"
    return "success" if outcome in {Outcome.REMEDIATED, Outcome.UNNECESSARY} else "neutral"


def _longest(book: Playbook) -> timedelta:
    """How long a run of this playbook can take at the most: its time, its leases, and what comes at its end."""
    return min(book.timeout + longest_lease(book) + ENDING_MARGIN, MAX_DURATION)
