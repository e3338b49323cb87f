"""The tree: what may be where, how big, and under which name."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("worker.py", "workflows", "activities", "halon", "tests", "benchmarks", "requirements", ".ci")
MAX_LINES = 400
VAGUE = re.compile(r"_?(utils?|helpers?|manager|common|misc)(\.py)?")


def files() -> list[Path]:
    found: list[Path] = []
    for source in SOURCES:
        path = ROOT / source
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert len(found) > 100
    return found


def shown(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_no_file_is_so_long_that_it_wants_splitting() -> None:
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in files()}
    assert shown([path for path, lines in lengths.items() if lines > MAX_LINES]) == []


def test_a_module_is_named_by_a_word_of_the_domain() -> None:
    vague = [path for path in files() if any(VAGUE.fullmatch(part) for part in path.relative_to(ROOT).parts)]
    assert shown(vague) == []


def test_no_package_below_tests_shadows_one_that_ships() -> None:
    assert shown(sorted((ROOT / "tests").rglob("__init__.py"))) == []


def test_no_other_distribution_ships_a_top_level_name_of_ours() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    names = {name.removesuffix(".py") for name in shipped}
    assert {"halon", "workflows", "activities", "worker"} <= names
    others = {
        f"{distribution.name}: {file}"
        for distribution in metadata.distributions()
        if distribution.name.lower() != "halon"
        for file in distribution.files or ()
        if file.parts[0].removesuffix(".py") in names
    }
    assert others == set()
