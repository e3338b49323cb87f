"""docs/other-systems.md: its settings can be loaded, its steps are steps, and every system has its section."""

import re
from pathlib import Path

import pytest
import yaml
from world import REGISTRY

from halon.playbook.loader import load
from halon.settings.loading import parse_settings
from halon.settings.services import ServiceSettings

PAGE = (Path(__file__).parents[2] / "docs" / "other-systems.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
HEAD = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: cart, title: Cart is down, owner: team-shop}
trigger: {alerts: [CartDown], labels: {severity: critical}}
target: shop/cart
"""


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_it_shows_can_be_loaded(example: str) -> None:
    if not isinstance(yaml.safe_load(example), list):
        parse_settings(example, Path("halon.yaml"))
        return
    failing = "failure." in example
    steps = f"steps: [{{wait: 1s}}]\non_failure:\n{example}" if failing else f"steps:\n{example}"
    loaded = load(HEAD + steps, "playbooks/cart.yaml", REGISTRY.schemas)
    assert loaded.problems == ()


def test_every_action_that_it_names_is_there() -> None:
    families = {name.partition(".")[0] for name in REGISTRY.names}
    named = {name for name in re.findall(r"`([a-z]+\.[a-z_]+)`", PAGE) if name.partition(".")[0] in families}
    settings = {name for name in named if name.partition(".")[2] in {"allow", "clusters", "documents"}}
    assert named - settings <= set(REGISTRY.names)


def test_every_system_that_halon_yaml_has_a_section_for_is_shown_at_work() -> None:
    families = {name.partition(".")[0] for name in REGISTRY.names}
    assert set(ServiceSettings.model_fields) & families <= set(re.findall(r"uses: ([a-z]+)\.", PAGE))
