"""docs/configuration.md names every setting with its default, and what it shows can be loaded."""

import re
import types
import typing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from halon.contracts.base import parse_duration
from halon.contracts.playbook import Trigger
from halon.settings import SecretRef, Settings
from halon.settings.loading import parse_settings

DOCS = Path(__file__).parents[2] / "docs"
ROW = re.compile(r"^\| `([a-z_.<>]+)` \| (.+?) \| .+ \|$", re.MULTILINE)
NOTHING = "\N{EN DASH}"
PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")


def sections(kind: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """Give the models within a type, each with what stands between its name and its parent's."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind is not SecretRef:
            yield "", kind
    elif typing.get_origin(kind) in {types.UnionType, typing.Union, typing.Annotated}:
        for part in typing.get_args(kind):
            yield from sections(part)
    elif typing.get_origin(kind) is dict:
        for between, model in sections(typing.get_args(kind)[1]):
            yield f".<name>{between}", model


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every setting with its default; a section that has one is told by its own settings."""
    for name, field in model.model_fields.items():
        inner = list(sections(field.annotation))
        if not (inner and isinstance(field.default, BaseModel)):
            yield f"{prefix}{name}", "required" if field.is_required() else field.default
        for between, section in inner:
            yield from settings_of(section, f"{prefix}{name}{between}.")


def as_written(default: Any, said: str) -> Any:
    """Read a default off the page the way the setting itself would be read."""
    if said == NOTHING:
        return default if default in {None, ""} else said
    text = said.strip("`")
    if isinstance(default, str):
        return text
    if isinstance(default, timedelta):
        return parse_duration(text)
    if isinstance(default, Path):
        return Path(text)
    value = yaml.safe_load(text)
    if isinstance(default, tuple):
        return tuple(Path(one) if isinstance(default[0], Path) else one for one in value) if default else tuple(value)
    return value


def test_every_setting_is_on_the_page_with_its_default() -> None:
    real, told = dict(settings_of(Settings)), dict(ROW.findall(PAGE))
    assert sorted(told) == sorted(real)
    read = {name: as_written(default, told[name]) for name, default in real.items()}
    assert read == real


@pytest.mark.parametrize(
    "page", ["configuration.md", "gateway.md", "sources.md", "communication.md", "people.md", "slack.md"]
)
def test_what_the_pages_show_can_be_loaded(page: str) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        if example.startswith("trigger:"):  # of a playbook that hears of the source
            Trigger.model_validate(yaml.safe_load(example)["trigger"])
        else:
            parse_settings(example, Path("halon.yaml"))
