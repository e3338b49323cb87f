"""A playbook in plain words: when it acts, what it looks at and changes, who is asked, and what happens when it fails.

Everything is said from the loaded model, so that what is explained is what runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from halon.contracts.base import JsonObject, format_duration
from halon.contracts.playbook import Once, Playbook, Trigger
from halon.contracts.steps import Approve, ApproveStep, Steps, UsesStep, VerifyStep
from halon.playbook.actions import ActionSchemas
from halon.playbook.explain_steps import Line, Sentences, asked, code, walk


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and what there is to say under it."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A playbook in words."""

    name: str
    title: str
    owner: str
    description: str
    runbook: str
    sections: tuple[Section, ...]


def explain(playbook: Playbook, library: Mapping[str, Playbook], actions: ActionSchemas) -> Explanation:
    """Say what a playbook does. `library` holds the playbooks that it may call."""
    about = playbook.metadata
    sentences = Sentences(actions, library)
    changing = bool(_changing(playbook, actions)) or any(walk_playbooks(playbook.steps))
    sections = (
        Section("When it acts", tuple(_when(playbook.trigger))),
        Section("What it acts on", tuple(_what(playbook, sentences))),
        Section("What must hold before", tuple(_guards(playbook))),
        Section("What it does", tuple(sentences.steps(playbook.steps))),
        Section("Who is asked", tuple(_asked(playbook.steps))),
        Section("What it changes, and how that is undone", tuple(_changes(playbook, actions))),
        Section("How it knows that it helped", tuple(_verified(playbook, changing))),
        Section("When it fails, or is cancelled", tuple(_failing(playbook, sentences, changing))),
        Section("What its tests show", tuple(Line(0, test.name) for test in playbook.tests)),
    )
    return Explanation(
        name=about.name,
        title=about.title,
        owner=about.owner,
        description=about.description,
        runbook=about.runbook,
        sections=tuple(section for section in sections if section.lines),
    )


def _when(trigger: Trigger | None) -> Iterator[Line]:
    if trigger is None:
        yield Line(0, "No alert starts it: a person does, or another playbook")
        return
    yield Line(0, f"On the alert {_either(trigger.alerts)}")
    if trigger.sources:
        yield Line(0, f"From the source {_either(trigger.sources)}")
    for label, patterns in sorted(trigger.labels.items()):
        yield Line(0, f"Label {code(label)} {_label(patterns)}")
    if trigger.if_ is not None:
        yield Line(0, f"Only if {code(trigger.if_)}")
    if trigger.group_by:
        yield Line(0, f"Alerts with the same {', '.join(map(code, trigger.group_by))} are one incident")
    else:
        yield Line(0, "Every alert is an incident of its own")
    if trigger.after is not None:
        within = format_duration(trigger.after.within)
        yield Line(0, f"Not before {trigger.after.count} alerts have come within {within}")
    if isinstance(trigger.once, Once):
        yield Line(0, f"At most once within {format_duration(trigger.once.within)} for the same incident")
    elif trigger.once is not None:
        yield Line(0, "Not again before the alerts that it acted on have resolved")
    if trigger.reopen_within:
        again = format_duration(trigger.reopen_within)
        yield Line(0, f"An alert that is back within {again} after success reopens its incident")


def _label(patterns: Sequence[str]) -> str:
    wanted = [one for one in patterns if not one.startswith("!")]
    unwanted = [one[1:] for one in patterns if one.startswith("!")]
    said: list[str] = []
    if wanted == ["*"]:
        said.append("is there")
    elif wanted:
        said.append(f"is {_either([one or 'missing' for one in wanted])}")
    if unwanted == ["*"]:
        said.append("is not there")
    elif unwanted:
        said.append(f"is not {_either([one or 'missing' for one in unwanted])}")
    return " and ".join(said) or "may be anything"


def _what(playbook: Playbook, sentences: Sentences) -> Iterator[Line]:
    for one in playbook.resolve:
        condition = f"if {code(one.if_)}, " if one.if_ else ""
        yield Line(0, f"First, {condition}{sentences.action(one.uses, one.with_)}, as {code(one.id)}")
    for name, declared in playbook.inputs.items():
        default = f", by default {code(declared.default)}" if declared.default is not None else ""
        needed = " (must be given)" if declared.required and declared.default is None else ""
        one_of = f", one of {', '.join(map(code, declared.enum))}" if declared.enum else ""
        about = f": {declared.description}" if declared.description else ""
        yield Line(0, f"Input {code(name)}, {declared.type}{one_of}{default}{needed}{about}")
    if playbook.target:
        yield Line(0, f"Target {code(playbook.target)}")


def _guards(playbook: Playbook) -> Iterator[Line]:
    guard = playbook.guard
    if guard.lock is not None:
        what = "its target" if guard.lock == "target" else code(guard.lock)
        yield Line(0, f"No other playbook acts on {what}: it holds the lock to its end")
    if guard.breaker is not None:
        one, by = guard.breaker, "on one target" if guard.breaker.by == "target" else "in all"
        trips = f"{one.failures} failures {by} within {format_duration(one.within)}"
        yield Line(0, f"After {trips} it stays off for {format_duration(one.cooldown)}, then one trial is let through")
    if guard.rate is not None:
        by = " on one target" if guard.rate.by == "target" else ""
        yield Line(0, f"At most {guard.rate.runs} runs{by} within {format_duration(guard.rate.per)}")
    if guard.budget is not None:
        budget = guard.budget
        within = format_duration(budget.per)
        yield Line(0, f"At most {budget.max_targets} targets within {within} in {code(budget.scope)}")
    if guard.freeze == "override":
        yield Line(0, "A change freeze does not stop it: then a person must approve each change")
    else:
        yield Line(0, "No change freeze is in force, and nobody has paused it")
    yield Line(0, f"It takes no longer than {format_duration(playbook.timeout)}")


def _asked(steps: Steps) -> Iterator[Line]:
    found = False
    for path, step in walk(steps):
        if step.approve is not None:
            found = True
            which = "the steps up to the next question" if isinstance(step, ApproveStep) else "it"
            yield Line(0, f"At {code(path)}, about {which}: {asked(step.approve)}")
            yield from _escalated(step.approve)
    if not found:
        yield Line(0, "Nobody, unless a storm, a flapping alert or the installation's policy asks for a person")
        return
    yield Line(0, "No decision in time is never a yes: the run ends as `expired`")


def _escalated(approve: Approve) -> Iterator[Line]:
    if approve.remind is not None:
        yield Line(1, f"reminded every {format_duration(approve.remind)}")
    if approve.escalate is not None:
        also = ", ".join(approve.escalate.to)
        yield Line(1, f"after {format_duration(approve.escalate.after)} {also} may decide as well")
    if approve.self_approval:
        yield Line(1, "also whoever started the run by hand")


def _changing(playbook: Playbook, actions: ActionSchemas) -> list[tuple[str, UsesStep]]:
    """The steps that change something, with their paths."""
    blocks = [("", playbook.steps), ("on_failure", playbook.on_failure), ("finally", playbook.finally_)]
    return [
        (path, step)
        for prefix, steps in blocks
        for path, step in walk(steps or (), prefix)
        if isinstance(step, UsesStep) and step.uses in actions and actions[step.uses].changes
    ]


def _changes(playbook: Playbook, actions: ActionSchemas) -> Iterator[Line]:
    changing = _changing(playbook, actions)
    for path, step in changing:
        action = actions[step.uses]
        how = "destroys" if action.effect.value == "destroy" else "changes"
        if isinstance(step.undo, UsesStep):
            back = f"taken back by {code(step.undo.uses)}"
        elif step.undo == "never":
            back = "never taken back, as the playbook says"
        elif action.undoable:
            back = "taken back to what was there before, when the run fails"
        else:
            back = "cannot be taken back"
        lease = f"; only for {format_duration(step.expires)}, then it is taken back in any case" if step.expires else ""
        yield Line(0, f"{code(path)} {how} by {code(step.uses)}: {back}{lease}")
    for name in walk_playbooks(playbook.steps):
        yield Line(0, f"What playbook {code(name)} changes, which has its own guards")
    if not changing and not any(walk_playbooks(playbook.steps)):
        yield Line(0, "Nothing: it only looks, and tells people")


def walk_playbooks(steps: Steps) -> Iterator[str]:
    """The names of the playbooks that these steps call."""
    for _, step in walk(steps):
        name = getattr(step, "playbook", None)
        if isinstance(name, str):
            yield name


def _verified(playbook: Playbook, changing: bool) -> Iterator[Line]:  # noqa: FBT001  # a plain yes or no
    found = [(path, step) for path, step in walk(playbook.steps) if isinstance(step, VerifyStep)]
    for path, step in found:
        hold = f", and stays so for {format_duration(step.hold)}" if step.hold else ""
        yield Line(0, f"At {code(path)}: {code(step.until)} within {format_duration(step.within)}{hold}")
    if found:
        yield Line(0, "No data is not success: without data the outcome is `unverified`")
    elif changing:
        yield Line(0, "It does not verify anything: after a change the outcome is `unverified` at best")


def _failing(playbook: Playbook, sentences: Sentences, changing: bool) -> Iterator[Line]:  # noqa: FBT001  # as above
    if changing:
        back = "What was changed is put back in reverse order"
        yield Line(0, f"{back}; what cannot be keeps the lock until a person has looked")
    asks = any(step.approve is not None for _, step in walk(playbook.steps))
    if asks and playbook.on_resolved == "end" and playbook.trigger is not None:
        yield Line(
            0, "When the alert clears before anybody has decided, and nothing was changed, it ends as `resolved`"
        )
    if playbook.on_failure:
        yield Line(0, "Then, unless people denied or cancelled it:" if changing else "Unless it was cancelled:")
        yield from sentences.steps(playbook.on_failure, depth=1, prefix="on_failure")
    if playbook.finally_:
        yield Line(0, "At the end, however it ended:")
        yield from sentences.steps(playbook.finally_, depth=1, prefix="finally")


def as_text(found: Explanation) -> str:
    """Write it for a terminal."""
    lines = [f"{found.name}: {found.title}", f"owner: {found.owner}"]
    lines += [f"runbook: {found.runbook}"] if found.runbook else []
    lines += ["", found.description.strip()] if found.description else []
    for section in found.sections:
        lines += ["", section.title]
        lines += [f"{'  ' * (line.depth + 1)}- {line.text}" for line in section.lines]
    return "\n".join(lines) + "\n"


def as_markdown(found: Explanation, diagram: str) -> str:
    """Write it for a repository or a wiki, with its diagram."""
    lines = [f"# {found.title}", "", f"Playbook `{found.name}`, owned by {found.owner}."]
    lines += ["", f"Runbook: <{found.runbook}>"] if found.runbook else []
    lines += ["", found.description.strip()] if found.description else []
    for section in found.sections:
        lines += ["", f"## {section.title}", ""]
        lines += [f"{'  ' * line.depth}- {line.text}" for line in section.lines]
    return "\n".join([*lines, "", "## The way it goes", "", "```mermaid", diagram.rstrip(), "```"]) + "\n"


def as_json(found: Explanation, diagram: str) -> JsonObject:
    """The same for machines."""
    return {
        "playbook": found.name,
        "title": found.title,
        "owner": found.owner,
        "runbook": found.runbook,
        "description": found.description,
        "sections": [
            {"title": one.title, "lines": [{"depth": line.depth, "text": line.text} for line in one.lines]}
            for one in found.sections
        ],
        "mermaid": diagram,
    }


def _either(names: Sequence[str]) -> str:
    shown = [code(name) for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
