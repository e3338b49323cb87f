"""Whether Halon may do in clusters and accounts what the steps of playbooks need. Nothing is changed: they are asked.

What could not be asked is `unknown`, never fine. Every cluster and account has a bounded number of questions and a
bounded time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel

from halon.clients.aws.access import MAX_ACTIONS, principal, simulate
from halon.clients.aws.api import AwsApi
from halon.clients.kubernetes.access import may
from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.preflight import is_wanted
from halon.clients.targets import accounts_of, default_cluster
from halon.errors import HalonError
from halon.kit.privileges.iam import AwsAccount, arns
from halon.kit.privileges.iam import concerns as concerns_account
from halon.kit.privileges.needs import Need
from halon.kit.privileges.rbac import Wanted, concerns, places
from halon.redaction import redact_text
from halon.settings import Settings

MAX_SAID = 1000
"""Characters of what stood in the way."""
MAX_QUESTIONS = 1000
"""Rights that one cluster or account is asked about."""
WITHIN = 60.0
"""Seconds that the questions to one of them may take."""
_AT_ONCE = 8


class NeededBy(BaseModel):
    """A step that needs a right."""

    playbook: str
    step: str
    why: str


class Right(BaseModel):
    """One right, and whether Halon has it."""

    system: Literal["kubernetes", "aws"]
    target: str
    """The cluster or account, by its name in halon.yaml; `default` when it has none."""
    state: Literal["allowed", "missing", "unknown"]
    verb: str
    resource: str
    namespace: str = ""
    """Of Kubernetes; empty for the whole cluster."""
    name: str = ""
    """Of Kubernetes; empty for every object."""
    problem: str = ""
    """Why it is missing, or not known."""
    needed_by: tuple[NeededBy, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    verb: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(slots=True)
class _Asked:
    """The questions to one cluster or account, and its answers."""

    system: Literal["kubernetes", "aws"]
    target: str
    needed: dict[_Key, list[NeededBy]] = field(default_factory=dict[_Key, list[NeededBy]])
    answers: dict[_Key, tuple[Literal["allowed", "missing", "unknown"], str]] = field(
        default_factory=dict[_Key, tuple[Literal["allowed", "missing", "unknown"], str]]
    )

    def add(self, key: _Key, need: Need) -> None:
        by = NeededBy(playbook=need.playbook, step=need.step, why=need.why)
        there = self.needed.setdefault(key, [])
        if by not in there:
            there.append(by)

    @property
    def keys(self) -> list[_Key]:
        """What is asked: as much as may be."""
        return list(self.needed)[:MAX_QUESTIONS]

    def rights(self, otherwise: str) -> list[Right]:
        """Give every right; those without an answer are not known, for the reason given."""
        found: list[Right] = []
        for number, (key, by) in enumerate(self.needed.items()):
            left = otherwise if number < MAX_QUESTIONS else f"more than {MAX_QUESTIONS} rights: it was not asked"
            state, problem = self.answers.get(key, ("unknown", left))
            found.append(
                Right(
                    system=self.system,
                    target=self.target,
                    state=state,
                    verb=key.verb,
                    resource=key.resource,
                    namespace=key.namespace,
                    name=key.name,
                    problem=problem,
                    needed_by=tuple(by),
                )
            )
        return found


async def rights_of_clusters(
    needs: Sequence[Need],
    settings: Settings,
    kubernetes: KubernetesApi,
    namespaces: Sequence[str] = (),
    only: Sequence[str] = (),
) -> list[Right]:
    """Ask every cluster of halon.yaml that these needs concern, by SelfSubjectAccessReview.

    Args:
        needs: what playbooks need.
        settings: they name the clusters; without any there is one without a name. What only a worker of its own reaches
            is not asked.
        kubernetes: the clusters.
        namespaces: where what may be in any namespace is asked about; none: in the whole cluster.
        only: parts of halon.yaml; without any, all of it.
    """
    known = settings.kubernetes.clusters
    here = [name for name, one in known.items() if not one.worker] if known else [""]
    default = default_cluster(settings)
    found: list[Right] = []
    for name in here:
        if not is_wanted(f"kubernetes.clusters.{name}" if name else "kubernetes", only):
            continue
        wanted = Wanted(name or None, default, tuple(namespaces))
        asked = _Asked("kubernetes", name or "default")
        for need in needs:
            if need.system == "kubernetes" and concerns(need, wanted):
                for place in places(need, wanted):
                    for one in need.names or ("",):
                        asked.add(_Key(need.verb, need.resource, place, one), need)
        found += await _bounded(asked, _ask_cluster(asked, kubernetes, name))
    return found + [
        one for one in _nowhere("kubernetes", needs, known, default) if is_wanted("kubernetes.clusters", only)
    ]


async def rights_of_accounts(
    needs: Sequence[Need], settings: Settings, aws: AwsApi, only: Sequence[str] = ()
) -> list[Right]:
    """Ask every account of halon.yaml that these needs concern, by iam:SimulatePrincipalPolicy.

    What only a worker of its own reaches is not asked.
    """
    known, accounts = settings.aws.accounts, accounts_of(settings)
    default = next((one.name for one in accounts if one.is_default), "")
    found: list[Right] = []
    for account in accounts:
        elsewhere = account.name in known and known[account.name].worker
        if elsewhere or not is_wanted(f"aws.accounts.{account.name}" if account.name else "aws", only):
            continue
        asked = _Asked("aws", account.name or "default")
        for need in needs:
            if need.system == "aws" and concerns_account(need, account):
                for arn in arns(need, account):
                    asked.add(_Key(need.verb, arn), need)
        found += await _bounded(asked, _ask_account(asked, aws, account))
    return found + [one for one in _nowhere("aws", needs, known, default) if is_wanted("aws.accounts", only)]


async def _bounded(asked: _Asked, asking: Awaitable[None]) -> list[Right]:
    """Ask within the time; what stands in the way is why the rest is not known."""
    otherwise = f"no answer within {WITHIN:.0f} s"
    try:
        async with asyncio.timeout(WITHIN):
            await asking
    except TimeoutError:
        pass  # `otherwise` says so
    except HalonError as error:
        otherwise = redact_text(str(error), MAX_SAID)  # an API may repeat what it was sent
    return asked.rights(otherwise)


async def _ask_cluster(asked: _Asked, kubernetes: KubernetesApi, name: str) -> None:
    if not asked.needed:
        return
    api = kubernetes.cluster(name)

    async def ask(key: _Key) -> None:
        verdict = await may(api, key.verb, key.resource, key.namespace, key.name)
        if verdict.allowed:
            asked.answers[key] = ("allowed", "")
        elif verdict.evaluation_error:
            asked.answers[key] = ("unknown", f"the cluster could not tell: {verdict.evaluation_error}")
        else:
            asked.answers[key] = ("missing", verdict.reason or "no role allows it")

    await _each(asked.keys, ask)


async def _ask_account(asked: _Asked, aws: AwsApi, settings: AwsAccount) -> None:
    if not asked.needed:
        return
    account = aws.account(settings.name)
    who = await principal(account)
    by_arn: dict[str, list[str]] = {}
    for key in asked.keys:
        by_arn.setdefault(key.resource, []).append(key.verb)

    async def ask(question: tuple[str, Sequence[str]]) -> None:
        arn, actions = question
        rulings = await simulate(account, who, actions, arn)
        for action in actions:
            ruling = rulings.get(action)
            if ruling is None:
                asked.answers[_Key(action, arn)] = ("unknown", "IAM said nothing of it")
            elif ruling.allowed:
                asked.answers[_Key(action, arn)] = ("allowed", "")
            else:
                asked.answers[_Key(action, arn)] = ("missing" if ruling.known else "unknown", ruling.problem)

    parts = [
        (arn, actions[begin : begin + MAX_ACTIONS])
        for arn, actions in by_arn.items()
        for begin in range(0, len(actions), MAX_ACTIONS)
    ]
    await _each(parts, ask)


async def _each(questions: Sequence[object], ask: Callable[..., Awaitable[None]]) -> None:
    """Ask the first question alone, for when nobody answers, and then a few at once.

    Raises:
        HalonError: one of them was not answered; the others were.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(question: object) -> None:
        async with slots:
            await ask(question)

    await ask(questions[0])
    for outcome in await asyncio.gather(*(one(each) for each in questions[1:]), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _nowhere(
    system: Literal["kubernetes", "aws"], needs: Iterable[Need], known: Collection[str], default: str
) -> list[Right]:
    """Tell the needs in clusters or accounts that halon.yaml does not name; without a name they mean the default."""
    asked: dict[str, _Asked] = {}
    for need in needs:
        for target in need.targets or () if need.system == system else ():
            if target not in known if target else known and not default:
                key = _Key(need.verb, need.resource, next(iter(need.namespaces or ()), ""), next(iter(need.names), ""))
                asked.setdefault(target, _Asked(system, target or "default")).add(key, need)
    section = "kubernetes.clusters" if system == "kubernetes" else "aws.accounts"
    return [
        right.model_copy(
            update={
                "state": "missing",
                "problem": f"halon.yaml does not name it under {section}"
                if target
                else f"the step names none, and halon.yaml has no default among several under {section}",
            }
        )
        for target, one in asked.items()
        for right in one.rights("")
    ]
