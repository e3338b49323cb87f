"""Which worker carries out an action: decided by the cluster or account that its parameters name. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from halon.contracts.base import Json, JsonObject, is_list
from halon.contracts.playbook import Playbook
from halon.contracts.routes import MAX_WORKERS, Carrier, Routes
from halon.contracts.steps import ForEach, ForEachStep, ParallelStep, Step, SwitchStep, UsesStep, VerifyStep
from halon.core.expressions import KNOWN_NAMES, EvaluationError, ExpressionError, compile_expression, render
from halon.core.template import Hole, split


def queue_of(queue: str, worker: str) -> str:
    """Name the task queue of a worker, such as `halon.cluster.eu-1`. The only place that does."""
    return f"{queue}.{worker.replace(':', '.', 1)}"


def carrier_of(routes: Routes, action: str, params: Mapping[str, Any]) -> Carrier | None:
    """Give the worker that this call is for; None for the central one.

    A name that is no name goes to the central worker, which refuses it with the names that there are.
    """
    reach = routes.reach.get(action)
    if reach is None:
        return None
    target = f"{reach}:{params.get(reach) or routes.defaults.get(reach, '')}"
    worker = routes.workers.get(target)
    return Carrier(target=target, worker=worker, queue=queue_of(routes.queue, worker)) if worker else None


def carriers_ahead(routes: Routes, book: Playbook, names: Mapping[str, Any]) -> tuple[Carrier, ...]:
    """Give the workers that a playbook's steps will need, as far as is known before the first of them.

    What only a step will find out is not among them, nor what a playbook that is called needs: that asks for itself. A
    step counts unless its `if` is known to be false.
    """
    if not routes.workers:
        return ()
    found: dict[str, Carrier] = {}
    for action, given, scope in _calls(book.steps, names):
        params = _filled(given, routes.reach.get(action), scope)
        carrier = carrier_of(routes, action, params) if params is not None else None
        if carrier is not None:
            found[carrier.target] = carrier
    return tuple(found[target] for target in sorted(found)[:MAX_WORKERS])


def _calls(steps: Sequence[Step], names: Mapping[str, Any]) -> Iterator[tuple[str, JsonObject, Mapping[str, Any]]]:
    for step in steps:
        if not _may_run(step.if_, names):
            continue
        if isinstance(step, UsesStep):
            yield step.uses, step.with_, names
        elif isinstance(step, VerifyStep):
            yield step.verify.uses, step.verify.with_, names
        for within, scope in _blocks(step, names):
            yield from _calls(within, scope)


def _blocks(step: Step, names: Mapping[str, Any]) -> Iterator[tuple[Sequence[Step], Mapping[str, Any]]]:
    """Give the steps within a step, with the names that they see."""
    if isinstance(step, ParallelStep):
        yield from ((branch.steps, names) for branch in step.parallel.values())
    elif isinstance(step, ForEachStep):
        yield from ((step.for_each.steps, {**names, **item}) for item in _items(step.for_each, names))
    elif isinstance(step, SwitchStep):
        yield from ((case.steps, names) for case in step.switch.cases if _may_run(case.if_, names))
        yield step.switch.default or (), names


def _items(loop: ForEach, names: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Give what a loop adds to the names, item by item; nothing, once, when its items are not known yet."""
    items = _known(loop.in_, names)
    return [{loop.as_: item} for item in items[: loop.max_items]] if is_list(items) else [{}]


def _may_run(source: str | None, names: Mapping[str, Any]) -> bool:
    """Whether a step with this `if` may run: what only a step before it will find out may be true."""
    return source is None or _known(source, names) is not False


def _filled(given: JsonObject, reach: str | None, names: Mapping[str, Any]) -> JsonObject | None:
    """Give the one parameter that says where; None when that is not known yet."""
    if reach is None or reach not in given:
        return {}
    value = _known(given[reach], names)
    return None if value is None else {reach: value}


def _known(value: Json, names: Mapping[str, Any]) -> Json:
    """Give what a value's expressions come to already; None when that depends on what has not run."""
    holes = [piece for piece in split(value) if isinstance(piece, Hole)] if isinstance(value, str) else []
    try:
        return None if any(_later(one.source, names) for one in holes) else render(value, names)
    except (EvaluationError, ExpressionError):
        return None


def _later(source: str, names: Mapping[str, Any]) -> bool:
    """Whether an expression looks at steps that have not run, also where it says what else to take."""
    paths = compile_expression(source, frozenset(names) - KNOWN_NAMES).references
    done = names["steps"]
    return any(path[0] == "vars" or (path[0] == "steps" and not {*path[1:2]} <= done.keys()) for path in paths)
