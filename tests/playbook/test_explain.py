"""A playbook in plain words and as a diagram, whatever kinds of steps it has."""

import re
from pathlib import Path

import pytest

import worker
from halon.contracts.playbook import Playbook
from halon.playbook.catalogue import load_catalogue
from halon.playbook.diagram import mermaid
from halon.playbook.explain import Explanation, as_json, as_markdown, as_text, explain
from halon.playbook.explain_steps import walk
from halon.playbook.loader import load

ACTIONS = worker.registry().schemas
SHIPPED = load_catalogue([Path(__file__).parents[2] / "playbooks"], ACTIONS).playbooks

EVERY_KIND = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: every-kind, title: Every kind of step, owner: team-a, description: All of it., runbook: "https://x/y"}
trigger:
  alerts: [CartDown, "Cart*Slow"]
  sources: [alertmanager]
  labels: {severity: [critical, warning], namespace: "!kube-*", pod: "*"}
  if: ${{ alert.age < duration('6h') }}
  group_by: [namespace]
  after: {count: 2, within: 10m}
  once: {within: 1h}
inputs:
  namespace: {default: "${{ alert.labels.namespace }}", description: Where it is}
  size: {type: integer, enum: [1, 2], default: 1}
target: k8s/default/${{ inputs.namespace }}/deployment/cart
guard:
  lock: target
  breaker: {failures: 3, within: 1h, cooldown: 30m}
  rate: {runs: 2, per: 1h, by: target}
  budget: {scope: cluster, max_targets: 5, per: 1h}
  freeze: override
steps:
  - id: gate
    approve: {from: [group:sre], quorum: 2, within: 10m, remind: 3m, escalate: {after: 5m, to: [group:leads]}}
  - id: note
    set: {names: ["a", "b"]}
  - id: restart
    if: ${{ inputs.size > 1 && 'a"b' != '<c>' }}
    uses: kubernetes.restart_deployment
    with: {namespace: "${{ inputs.namespace }}", name: cart}
    retry: {attempts: 3, interval: 5s}
    timeout: 10m
    within: 5m
    undo: never
    on_failure: continue
  - id: more
    uses: kubernetes.scale_deployment
    with: {namespace: "${{ inputs.namespace }}", name: cart, replicas: 5}
    expires: 2h
    approve: {within: 15m, message: capacity costs money}
    on_failure:
      - id: told
        uses: notify.send
        with: {to: team-a, title: it could not be scaled}
  - id: both
    parallel:
      web: {steps: [{id: web_up, uses: http.check, with: {url: "https://web/"}}]}
      api: {on_failure: continue, steps: [{id: api_up, uses: http.check, with: {url: "https://api/"}}]}
  - id: each
    for_each:
      in: ${{ vars.names }}
      as: one
      max_items: 3
      max_parallel: 2
      max_failures: 2
      steps: [{id: look, uses: http.check, with: {url: "https://${{ one }}/"}}]
  - id: way
    switch:
      cases:
        - if: ${{ inputs.size == 1 }}
          steps: [{id: pause, wait: 5m}]
      default: [{id: clear, wait: {until: resolved, within: 10m}}]
  - id: other
    playbook: scale-down-suspect
    inputs: {namespace: shop, deployment: cart}
  - id: well
    verify: {uses: http.check, with: {url: "https://web/"}}
    until: ${{ result.ok }}
    every: 10s
    within: 5m
    hold: 1m
    on_failure: stop
  - id: end
    if: ${{ inputs.size == 2 }}
    stop: {outcome: refused, reason: it is too large}
on_failure:
  - {id: page, uses: notify.page, with: {to: team-a, summary: failed}}
finally:
  - {id: bye, uses: notify.send, with: {to: team-a, title: over}}
tests:
  - {name: a dry test, inputs: {namespace: shop}, expect: {outcome: refused}}
"""


@pytest.fixture(scope="module")
def book() -> Playbook:
    result = load(EVERY_KIND, "every-kind.yaml", ACTIONS)
    assert result.playbook is not None, result.problems
    return result.playbook


@pytest.fixture(scope="module")
def found(book: Playbook) -> Explanation:
    return explain(book, SHIPPED, ACTIONS)


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("When it acts", "On the alert `CartDown` or `Cart*Slow`"),
        ("When it acts", "From the source `alertmanager`"),
        ("When it acts", "Label `severity` is `critical` or `warning`"),
        ("When it acts", "Label `namespace` is not `kube-*`"),
        ("When it acts", "Label `pod` is there"),
        ("When it acts", "Only if `${{ alert.age < duration('6h') }}`"),
        ("When it acts", "Alerts with the same `namespace` are one incident"),
        ("When it acts", "Not before 2 alerts have come within 10m"),
        ("When it acts", "At most once within 1h for the same incident"),
        ("What it acts on", "Input `size`, integer, one of `1`, `2`, by default `1`"),
        ("What it acts on", "Target `k8s/default/${{ inputs.namespace }}/deployment/cart`"),
        ("What must hold before", "No other playbook acts on its target: it holds the lock to its end"),
        (
            "What must hold before",
            "After 3 failures in all within 1h it stays off for 30m, then one trial is let through",
        ),
        ("What must hold before", "At most 2 runs on one target within 1h"),
        ("What must hold before", "At most 5 targets within 1h in `cluster`"),
        ("What must hold before", "A change freeze does not stop it: then a person must approve each change"),
        ("What it does", "`gate`: asks for 2 approvals by group:sre within 10m"),
        ("What it does", "tried up to 3 times, first again after 5s"),
        ("What it does", "taken back after 2h: a lease"),
        ("What it does", "not taken back when the run fails"),
        ("What it does", "`api`, whose failure does not stop the others:"),
        ("What it does", "`pause`: waits 5m"),
        ("What it does", "`clear`: waits until the alert has cleared, and fails when it has not within 10m"),
        ("What it does", "when it fails, the run ends, and what was changed stays as it is"),
        ("Who is asked", "At `gate`, about the steps up to the next question: 2 approvals by group:sre within 10m"),
        ("Who is asked", "after 5m group:leads may decide as well"),
        ("Who is asked", "At `more`, about it: an approval by anyone who may decide within 15m (capacity costs money)"),
        ("How it knows that it helped", "At `well`: `${{ result.ok }}` within 5m, and stays so for 1m"),
        ("What its tests show", "a dry test"),
    ],
)  # fmt: skip
def test_every_part_is_told(found: Explanation, title: str, said: str) -> None:
    lines = {section.title: [line.text for line in section.lines] for section in found.sections}
    assert said in lines[title]


def test_changes_are_told_with_their_way_back(found: Explanation) -> None:
    changes = next(one for one in found.sections if one.title.startswith("What it changes"))
    restart, more, other = (line.text for line in changes.lines)
    assert other == "What playbook `scale-down-suspect` changes, which has its own guards"
    assert restart == "`restart` changes by `kubernetes.restart_deployment`: never taken back, as the playbook says"
    back = "taken back to what was there before, when the run fails; only for 2h, then it is taken back in any case"
    assert more == f"`more` changes by `kubernetes.scale_deployment`: {back}"


def test_text_markdown_and_json_say_the_same(book: Playbook, found: Explanation) -> None:
    diagram = mermaid(book, ACTIONS)
    text, page, data = as_text(found), as_markdown(found, diagram), as_json(found, diagram)
    assert text.startswith("every-kind: Every kind of step\nowner: team-a\nrunbook: https://x/y\n")
    for section in found.sections:
        assert f"\n## {section.title}\n" in page
        assert all(line.text in text and line.text in page for line in section.lines)
    assert f"```mermaid\n{diagram}```" in page
    assert data["mermaid"] == diagram


NODE = re.compile(r'^    (n\d+)(?:\["|\[\["|\{\{"|\{"|\(\["|>")([^"]*)(?:"\]|"\]\]|"\}\}|"\}|"\]\))$')
EDGE = re.compile(r'^    (n\d+) (?:-->|-\.->)(?:\|"([^"|]*)"\|)? (n\d+)$')


def drawn(diagram: str) -> tuple[dict[str, str], list[tuple[str, str, str]]]:
    """Boxes by name, and lines; whatever is neither fails."""
    first, *lines = diagram.splitlines()
    assert first == "flowchart TD"
    boxes = {one[1]: one[2] for one in map(NODE.match, lines) if one}
    edges = [(one[1], one[2] or "", one[3]) for one in map(EDGE.match, lines) if one]
    assert len(boxes) + len(edges) == len(lines), [one for one in lines if not NODE.match(one) and not EDGE.match(one)]
    return boxes, edges


def test_the_diagram_has_every_step_and_its_ways(book: Playbook) -> None:
    boxes, edges = drawn(mermaid(book, ACTIONS))
    ways = {(boxes[start], label, boxes[end]) for start, label, end in edges}
    assert ("ask 2 of group:sre, within 10m", "approved", "note: set names") in ways
    assert (
        "inputs.size #gt; 1 #amp;#amp; 'a#quot;b' != '#lt;c#gt;'",
        "yes",
        "restart: kubernetes.restart_deployment",
    ) in ways
    assert ("more: kubernetes.scale_deployment, for 2h", "fails", "told: notify.send") in ways
    assert ("both: at the same time", "web", "web_up: http.check") in ways
    assert ("look: http.check", "", "each: for each one of vars.names, at most 3") in ways
    assert ("inputs.size == 1", "no", "clear: wait until the alert has cleared, at most 10m") in ways
    assert ("put back what was changed, in reverse order", "", "page: notify.page") in ways
    assert ("refused: it is too large", "", "bye: notify.send") in ways
    assert ("bye: notify.send", "", "done") in ways


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_shipped_playbook_can_be_explained_and_drawn(name: str) -> None:
    playbook = SHIPPED[name]
    text = as_text(explain(playbook, SHIPPED, ACTIONS))
    for path, _ in walk(playbook.steps):
        assert f"`{path.rpartition('.')[2]}`" in text
    boxes, edges = drawn(mermaid(playbook, ACTIONS))
    reached = {end for _, _, end in edges}
    assert set(boxes) - reached == {"n1"}
