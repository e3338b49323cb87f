"""The tree keeps its shape: what no linter looks at."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SHIPPED = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
PACKAGES = [ROOT / name for name in ("halon", "workflows", "activities")]
MODULES = [*sorted(file for package in PACKAGES for file in package.rglob("*.py")), ROOT / "worker.py"]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES = 400
NO_WORDS_OF_THE_DOMAIN = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "shared"}


def named(files: list[Path]) -> list[str]:
    return [str(file.relative_to(ROOT)) for file in files]


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in [*MODULES, *TESTS]}
    assert named([file for file, length in lengths.items() if length > MAX_LINES]) == []


def test_a_module_is_named_by_a_word_of_the_domain() -> None:
    assert named([file for file in [*MODULES, *TESTS] if NO_WORDS_OF_THE_DOMAIN & set(file.stem.split("_"))]) == []


def test_no_package_below_tests_shadows_what_it_tests() -> None:
    assert named([file for file in TESTS if file.name == "__init__.py"]) == []


def test_every_directory_with_modules_is_a_package() -> None:
    homes = {file.parent for file in MODULES} - {ROOT}
    assert named([home for home in sorted(homes) if not (home / "__init__.py").exists()]) == []


def test_every_package_of_halon_has_its_place_in_the_layers() -> None:
    (layers,) = [one["layers"] for one in PYPROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    placed = {name.strip() for layer in layers for name in layer.split("|")}
    found = {path for path in (ROOT / "halon").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    there = {f"halon.{path.stem}" for path in found if path.stem != "__init__"}
    assert there | {"workflows", "activities"} == placed


def test_what_a_wheel_ships_is_marked_as_typed() -> None:
    assert [name for name in SHIPPED if (ROOT / name / "__init__.py").exists()] == ["workflows", "activities", "halon"]
    assert all((package / "py.typed").exists() for package in PACKAGES)


def test_files_are_tested_where_the_tree_has_them() -> None:
    about_the_whole = {"architecture", "chaos", "conformance", "deploy", "e2e", "histories"}
    there = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and not path.name.startswith("_")}
    packages = {path.parent.name for path in (ROOT / "halon").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "halon").glob("*.py")}
    assert there - about_the_whole <= packages | modules | set(SHIPPED)
