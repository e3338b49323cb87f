"""`halon permissions`: the least privilege that playbooks need, in the words of those who grant it."""

import json as json_module
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from halon.cli.installed import Installation, installation
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json, styled
from halon.clients.targets import accounts_of, default_cluster
from halon.contracts.base import JsonObject
from halon.contracts.playbook import Playbook
from halon.documents import nearest
from halon.errors import InvalidInput
from halon.kit.privileges.hcl import terraform
from halon.kit.privileges.iam import MAX_ATTACHED, AwsAccount, AwsPolicy, concerns, policies_of
from halon.kit.privileges.manifests import Account, manifests
from halon.kit.privileges.needs import Need, needs_of
from halon.kit.privileges.rbac import Roles, Wanted, roles_of
from halon.settings import Settings


class Format(StrEnum):
    """Who reads it."""

    TEXT = "text"
    JSON = "json"
    KUBERNETES = "kubernetes"
    IAM = "iam"
    TERRAFORM = "terraform"


_SYSTEMS = {Format.KUBERNETES: {"kubernetes"}, Format.IAM: {"aws"}, Format.TERRAFORM: {"kubernetes", "aws"}}


def permissions(  # noqa: PLR0913  # the options of a command
    context: typer.Context,
    playbooks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PLAYBOOK]...", help="Names, files or directories; by default what is installed."),
    ] = None,
    *,
    form: Annotated[Format, typer.Option("--format", help="What it is written for.")] = Format.TEXT,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Grant here what may be in any namespace; may be repeated."),
    ] = None,
    namespaced: Annotated[
        bool, flag("--namespaced", help="Roles of namespaces only: nothing is granted in the whole cluster.")
    ] = False,
    read_only: Annotated[bool, flag("--read-only", help="Only what looking and planning need.")] = False,
    cluster: Annotated[str, typer.Option(help="Only what this cluster of halon.yaml needs.")] = "",
    account: Annotated[str, typer.Option(help="Only what this AWS account of halon.yaml needs.")] = "",
    service_account: Annotated[
        str, typer.Option(metavar="NAMESPACE/NAME", help="The service account that the worker acts as.")
    ] = "halon/halon",
    json: Annotated[bool, flag("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the least privilege that playbooks need, from what the action of each step declares.

    A step that names its namespace, object, account or region as a constant needs it there only.

    Example: halon permissions --format kubernetes --namespace shop | kubectl apply -f -
    """
    settings = settings_of(context)
    form = Format.JSON if json else form
    installed, chosen = _chosen(settings, playbooks or ())
    needs = needs_of(chosen, installed.catalogue.playbooks, installed.registry)
    needs = [one for one in needs if _asked(one, settings, cluster, account) and (one.reads or not read_only)]
    wanted = Wanted(cluster or None, default_cluster(settings), tuple(namespace or ()), namespaced)
    who = _service_account(service_account)
    if form is Format.TEXT:
        _show(needs)
    elif form is Format.JSON:
        say_json([_described(one) for one in needs])
    elif form is Format.KUBERNETES:
        sys.stdout.write(manifests(_roles(needs, wanted), who, _title(chosen)))
    elif form is Format.IAM:
        policies = _policies(needs, settings, account)
        sys.stdout.write(json_module.dumps({one.name: one.document() for one in policies}, indent=2) + "\n")
    else:
        policies = _policies(needs, settings, account)
        sys.stdout.write(terraform(_roles(needs, wanted), policies, who, _title(chosen)))
    _tell_what_is_not_in_it(needs, form)


def _chosen(settings: Settings, names: Sequence[str]) -> tuple[Installation, list[Playbook]]:
    """Load the playbooks: those that are named by file, and those of the installation.

    Raises:
        InvalidInput: a name is none, or a playbook is wrong: what it needs is then not known.
    """
    paths = [Path(one) for one in names if "/" in one or Path(one).suffix in {".yaml", ".yml"}]
    named = [one for one in names if Path(one) not in paths]
    installed = installation(settings, [*paths, *(settings.playbooks if named else ())] if names else ())
    below = [one.resolve() for one in paths]
    known = installed.catalogue.playbooks
    problems = [
        str(one)
        for one in installed.catalogue.problems
        if not set(named) <= set(known) or not names or _is_below(one.file, below)
    ]
    if problems:
        raise InvalidInput("what a playbook needs that is wrong is not known: mend it, or name others", problems)
    for name in named:
        if name not in known:
            raise InvalidInput(f"there is no playbook {name}{nearest(name, known)}")
    if not named:
        return installed, list(known.values())
    from_paths = [name for name in known if _is_below(installed.catalogue.files[name], below)]
    return installed, [known[one] for one in dict.fromkeys([*named, *from_paths])]


def _is_below(file: str | Path, paths: Sequence[Path]) -> bool:
    return any(Path(file).resolve().is_relative_to(one) for one in paths)


def _asked(need: Need, settings: Settings, cluster: str, account: str) -> bool:
    """Whether it is about the cluster or account that was asked for."""
    if need.targets is None:
        return True
    if cluster and need.system == "kubernetes":
        return cluster in {one or default_cluster(settings) for one in need.targets}
    return not (account and need.system == "aws") or concerns(need, _account(settings, account))


def _account(settings: Settings, name: str) -> AwsAccount:
    accounts = {one.name: one for one in accounts_of(settings)}
    if name not in accounts:
        raise InvalidInput(
            f"halon.yaml has no account {name} under aws.accounts{nearest(name, filter(None, accounts))}"
        )
    return accounts[name]


def _policies(needs: Sequence[Need], settings: Settings, account: str) -> list[AwsPolicy]:
    accounts = [_account(settings, account)] if account else accounts_of(settings)
    found = [policies_of(needs, one) for one in accounts]
    for policies in found:
        if len(policies) > MAX_ATTACHED:
            most = f"a role takes {MAX_ATTACHED} policies unless its quota was raised"
            note(f"{counted(len(policies), 'policy').replace('policys', 'policies')} for one role: {most}")
    return [policy for policies in found for policy in policies]


def _roles(needs: Sequence[Need], wanted: Wanted) -> Roles:
    roles = roles_of(needs, wanted)
    for one in dict.fromkeys((need.playbook, need.step) for need in roles.left_out):
        note(f"step {one[1]} of playbook {one[0]} needs a right in the whole cluster, which is left out")
    return roles


def _service_account(text: str) -> Account:
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise InvalidInput(f"--service-account is NAMESPACE/NAME such as halon/halon, not '{text}'")
    return Account(namespace, name)


def _title(chosen: Sequence[Playbook]) -> list[str]:
    names = ", ".join(sorted(one.metadata.name for one in chosen))
    return [
        "What these playbooks need, and no more. Written by `halon permissions`: write it anew when they change.",
        f"Playbooks: {names or 'none'}.",
    ]


def _show(needs: Sequence[Need]) -> None:
    """Write what each step needs, for people."""
    if not needs:
        say("these playbooks need no permission")
    before = ("", "")
    for need in _together(needs):
        if need[0] != before[0]:
            say(Text(need[0], style="bold"))
        if need[:2] != before:
            say(Text.assemble("  ", styled(need[1], "bold"), "  ", styled(need[2], "dim")))
        before = need[:2]
        say(styled(f"    {need[3]}"))


def _together(needs: Sequence[Need]) -> list[tuple[str, str, str, str]]:
    """Put the verbs of one permission on one line."""
    verbs: dict[tuple[str, str, str, str, str, str], list[str]] = {}
    for one in needs:
        key = (one.playbook, one.step, one.action, one.system, _where(one), one.why)
        verbs.setdefault(key, []).append(one.verb)
    return [
        (key[0], key[1], key[2], f"{key[3]}: {', '.join(found)} {key[4]}{f': {key[5]}' if key[5] else ''}")
        for key, found in verbs.items()
    ]


def _where(need: Need) -> str:
    said = [need.resource]
    if need.names:
        said.append(f"named {', '.join(need.names)}")
    if need.system == "kubernetes":
        said.append(_namespaces(need))
    if need.targets and any(need.targets):
        said.append(f"of {', '.join(one or 'the default' for one in need.targets)}")
    return " ".join(said)


def _namespaces(need: Need) -> str:
    if need.scope == "cluster":
        return "in the whole cluster"
    return "in any namespace" if need.namespaces is None else f"in {', '.join(need.namespaces)}"


def _described(need: Need) -> JsonObject:
    return {
        "playbook": need.playbook,
        "step": need.step,
        "action": need.action,
        "system": need.system,
        "verb": need.verb,
        "resource": need.resource,
        "why": need.why,
        "scope": need.scope if need.system == "kubernetes" else "",
        "targets": None if need.targets is None else list(need.targets),
        "namespaces": None if need.namespaces is None else list(need.namespaces),
        "names": list(need.names),
        "regions": None if need.regions is None else list(need.regions),
    }


def _tell_what_is_not_in_it(needs: Sequence[Need], form: Format) -> None:
    """Say on standard error that steps need something else too."""
    missing = {need.who for need in needs if need.system not in _SYSTEMS.get(form, {need.system})}
    if missing:
        need = "needs" if len(missing) == 1 else "need"
        note(f"{counted(len(missing), 'step')} {need} something else too: see `halon permissions`", label="note")
