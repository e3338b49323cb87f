"""Move calls of a Lambda function's alias to another version, all of them or a share."""

import asyncio
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import inner
from activities.aws._lambda import FUNCTION, LOOK, MARK, AliasName, Function, FunctionName, Version, look
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.errors import Conflict
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_VERSIONS = 1000


class Aliased(State):
    """Where an alias points."""

    function: Function
    version: str
    also: str
    """The version that gets the share; empty when all goes to one."""
    weight: float
    """What `also` gets, from 0 to 1."""
    revision: str
    """AWS's id of the alias's state, which guards the write."""
    versions: tuple[int, ...]
    """Published versions, oldest first."""


class ShiftAlias(Change[Aliased]):
    """Move calls of a Lambda function's alias to another version: all of them, or a share.

    Most often back to the version before, which is what it does without `to_version`. Moving an alias with provisioned
    concurrency makes AWS provision the new version anew, which takes minutes.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK,
        Permission(
            "aws", ("lambda:GetAlias", "lambda:ListVersionsByFunction"), FUNCTION, "to see where the alias points"
        ),
        Permission("aws", ("lambda:GetAlias", "lambda:UpdateAlias"), f"{FUNCTION}:{{alias}}", "to move the alias"),
        MARK,
        Permission("aws", ("lambda:UpdateAlias",), FUNCTION, "to move the alias"),
    )
    example: ClassVar[JsonObject] = {"function": "checkout", "alias": "live", "to_version": "41"}

    function: FunctionName
    """The function's name."""
    alias: AliasName
    """The alias."""
    to_version: Version = ""
    """The version that gets the calls; without it, the newest published one older than the one the alias points to."""
    weight: Annotated[float, Field(gt=0, le=1)] = 1
    """The share of calls that `to_version` gets: 1 is all, 0.1 one in ten; the others stay where they are."""
    from_version: Version = ""
    """With a `weight` below 1: the version that keeps the other calls; without it, the one the alias points to."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    def target(self) -> str:
        """Name the alias."""
        return target(self.account, self.region, "lambda", f"{self.function}:{self.alias}")

    async def observe(self, env: Env) -> Aliased:
        """Look at the alias and at the published versions."""
        api = account_of(env, self.account)
        function, alias, versions = await asyncio.gather(
            look(env, self.account, self.region, self.function),
            api.call("lambda", "get_alias", region=self.region, FunctionName=self.function, Name=self.alias),
            api.pages(
                "lambda",
                "list_versions_by_function",
                "Versions[].{version: Version}",
                region=self.region,
                most=MAX_VERSIONS,
                FunctionName=self.function,
            ),
        )
        shares = inner(inner(alias, "RoutingConfig"), "AdditionalVersionWeights")
        also, weight = next(iter(shares.items()), ("", 0.0))
        return Aliased(
            function=function,
            version=str(alias["FunctionVersion"]),
            also=str(also),
            weight=float(weight),
            revision=str(alias.get("RevisionId", "")),
            versions=tuple(sorted(int(one["version"]) for one in versions if str(one["version"]).isdigit())),
        )

    def plan(self, state: Aliased, now: datetime) -> Proposal | Nothing | Refusal:
        """Find the version, and compare."""
        wanted = self.to_version or _before(state)
        if not wanted:
            return Refusal(f"{self._title} points to version {state.version}, and no older one is published")
        keeper = self.from_version or state.version
        for one in (wanted,) if self.weight == 1 else (wanted, keeper):
            if int(one) not in state.versions if one.isdigit() else one != "$LATEST":
                return Refusal(f"Lambda function {self.function} has no published version {one}")
        if self.weight < 1 and wanted == keeper:
            return Refusal(f"a share of version {wanted} needs another version that gets the rest")
        there = self.owned(state)
        after: JsonObject = (
            {"version": wanted, "also": "", "weight": 0}
            if self.weight == 1
            else {"version": keeper, "also": wanted, "weight": self.weight}
        )
        if there == after:
            return Nothing(f"{self._title} gives {_shown(after)} already")
        return Proposal(
            summary=f"Let {self._title} give {_shown(after)}",
            before=there,
            after=after,
            rows=[Row(field="calls", before=_shown(there), after=_shown(after))],
        )

    def owned(self, state: Aliased) -> JsonObject:
        """The versions and the share."""
        return {"version": state.version, "also": state.also, "weight": state.weight}

    def mark(self, state: Aliased) -> str:
        """The key of the last move of this alias."""
        return state.function.intent(self._part).mark(self.owned(state))

    async def apply(self, env: Env, after: JsonObject, state: Aliased, key: str) -> None:
        """Write the mark, then the alias as it was seen: AWS refuses when somebody moved it since."""
        await state.function.announce(env, self._part, key, self.owned(state))
        shares = {str(after["also"]): after["weight"]} if after["also"] else {}
        guard = {"RevisionId": state.revision} if state.revision else {}
        try:
            await state.function.call(
                env,
                "update_alias",
                FunctionName=self.function,
                Name=self.alias,
                FunctionVersion=after["version"],
                RoutingConfig={"AdditionalVersionWeights": shares},
                **guard,
            )
        except Conflict:
            await state.function.withdraw(env, self._part)
            raise

    def settled(self, state: Aliased, after: JsonObject) -> Settlement:
        """It holds as soon as it is written."""
        there = self.owned(state)
        if there == after:
            return Settlement(state="settled", reason=f"it gives {_shown(there)}")
        return Settlement(state="broken", reason=f"somebody moved it meanwhile: it gives {_shown(there)}")

    def undo(self, before: JsonObject, after: JsonObject) -> "ShiftAlias":
        """Point to what it pointed to."""
        shared = bool(before["also"])
        return ShiftAlias.model_validate(
            {
                **self.model_dump(),
                "to_version": before["also"] if shared else before["version"],
                "from_version": before["version"] if shared else "",
                "weight": before["weight"] if shared else 1,
            }
        )

    @property
    def _title(self) -> str:
        return f"alias {self.alias} of Lambda function {self.function}"

    @property
    def _part(self) -> str:
        return f"alias/{self.alias}"


def _before(state: Aliased) -> str:
    """The newest published version older than the one that gets most calls."""
    if not state.version.isdigit():
        return ""
    older = [one for one in state.versions if one < int(state.version)]
    return str(older[-1]) if older else ""


def _shown(shares: JsonObject) -> str:
    if not shares["also"]:
        return f"all calls to version {shares['version']}"
    share = shares["weight"]
    return f"{float(str(share)):.0%} of calls to version {shares['also']} and the rest to version {shares['version']}"
