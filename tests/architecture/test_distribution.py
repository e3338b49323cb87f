"""What is installed beside Halon, and that the pinned versions are the ones that pyproject.toml asks for."""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
OUR_NAMES = {"halon", "workflows", "activities", "worker", "playbooks"}
PINS = dict(
    line.split("==")
    for line in (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if "==" in line
)
VERSIONS = {canonicalize_name(name): version for name, version in PINS.items()}


def test_no_other_distribution_ships_a_name_of_ours() -> None:
    taken = {
        (one.name, file.parts[0].removesuffix(".py"))
        for one in distributions()
        if one.name != "halon"
        for file in one.files or []
        if file.parts[0].removesuffix(".py") in OUR_NAMES
    }
    assert taken == set()


def asked() -> list[Requirement]:
    """Every requirement of pyproject.toml, whoever needs it."""
    groups = [*PYPROJECT["dependency-groups"].values(), *PROJECT["optional-dependencies"].values()]
    lists = [PROJECT["dependencies"], PYPROJECT["build-system"]["requires"], *groups]
    found = [Requirement(one) for group in lists for one in group if isinstance(one, str)]
    return [one for one in found if one.name != "halon"]


@pytest.mark.parametrize("requirement", asked(), ids=lambda one: one.name)
def test_what_is_asked_for_is_pinned_to_a_version_that_will_do(requirement: Requirement) -> None:
    assert requirement.specifier.contains(VERSIONS[canonicalize_name(requirement.name)], prereleases=True)


def test_the_constraints_say_versions_and_nothing_of_where_they_come_from() -> None:
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [
        line for line in lines if not line.startswith("#") and not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9a-z.]+", line)
    ] == []
