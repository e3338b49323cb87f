"""What actions and guards answer in a back-test: actions by script, guards from the one ledger of all runs."""

from collections.abc import Callable, Sequence
from datetime import datetime

from halon.contracts.ledger import Admission, AdmissionRequest, Release, StormLimit
from halon.contracts.policy import PolicyRule
from halon.core.held import held_to
from halon.core.ledger import Ledger
from halon.core.virtual import Answer
from halon.playbook.actions import ActionSchemas
from halon.playbook.given import Scripts
from halon.playbook.scripted import ScriptedWorld


class BacktestWorld(ScriptedWorld):
    """The world of one run among others."""

    def __init__(
        self,
        *,
        scripts: Scripts,
        actions: ActionSchemas,
        ledger: Ledger,
        installation: tuple[StormLimit, tuple[PolicyRule, ...], str],
        frozen: Callable[[datetime, str, str], Sequence[str]],
        ignores: Callable[[str], bool],
    ) -> None:
        super().__init__(scripts, actions, ignores)
        self._shared = ledger
        self._storm, self._rules, self._environment = installation
        self._frozen = frozen
        self.refusals: list[str] = []
        """Why guards refused, one sentence each."""

    def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
        """Ask the ledger of all runs, and the installation's freezes and policy."""
        frozen = self._frozen(now, request.target, request.playbook)
        changed: dict[str, object] = {"storm": self._storm}
        if frozen and request.freeze == "respect":
            changed["dry_run"] = True  # what else would refuse is told too, and nothing is reserved
        answer = self._shared.admit(request.model_copy(update=changed), now)
        whole = held_to(answer, request, frozen, self._rules, self._environment)
        if not whole.granted:
            self.refusals += whole.reasons
        return Answer(whole)

    def release(self, report: Release, now: datetime) -> None:
        """Give back to the ledger of all runs."""
        self._shared.release(report, now)
