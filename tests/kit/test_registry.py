import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from valve import ACTIONS, Look, Turn

from halon.contracts.plan import ActionCall, Effect
from halon.errors import InvalidInput, Misconfigured
from halon.kit.registry import discover

READ = """
from typing import ClassVar
from halon.kit.action import Output, Read

class Seen(Output):
    lit: bool

class Look(Read[Seen]):
    example: ClassVar[dict] = {}
"""
CHANGE = """
from typing import ClassVar
from halon.kit.action import Change, State

class Level(State):
    level: int

class Dim(Change[Level]):
    example: ClassVar[dict] = {}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[dict[str, str]], ModuleType]]:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"made_{tmp_path.name.replace('-', '_')}"

    def make(files: dict[str, str]) -> ModuleType:
        for path, text in {"__init__.py": "", **files}.items():
            place = tmp_path / name / path
            place.parent.mkdir(parents=True, exist_ok=True)
            (place.parent / "__init__.py").touch()
            place.write_text(text)
        return importlib.import_module(name)

    yield make
    for loaded in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[loaded]


def test_a_file_is_an_action_and_its_path_is_the_name(package: Any) -> None:
    registry = discover(package({"lamp/look.py": READ, "lamp/_shared.py": "x = 1", "door/look.py": READ}))
    assert registry.names == ("door.look", "lamp.look")
    assert registry.effects == {"door.look": Effect.READ, "lamp.look": Effect.READ}


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("lamp/dim.py", CHANGE, "does not say how it is taken back"),
        ("lamp/look.py", READ.replace("example: ClassVar[dict] = {}", "pass"), "does not declare `example`"),
        ("lamp/look.py", READ.replace("Read[Seen]", "Read"), "does not say what it answers"),
        ("lamp/look.py", READ + "    effect = 'destroy'\n", "has effect"),
        ("lamp/look.py", READ + READ.replace("Look", "Other"), "exactly one action, this one holds Look, Other"),
        ("lamp/look.py", "x = 1", "this one holds none"),
        ("lamp/look.py", "import nothing_like_this", "nothing_like_this"),
        ("lamp/Look.py", READ, "lower-case"),
        ("look.py", READ, "belongs into a family"),
    ],
)
def test_a_file_that_is_no_action_is_named_with_what_is_wrong(package: Any, path: str, text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        discover(package({path: text, "lamp/fine.py": READ}))
    assert path in str(caught.value)
    assert said in str(caught.value)
    assert "fine.py" not in str(caught.value)


def test_the_language_is_told_what_an_action_takes_gives_and_reaches() -> None:
    turn, look = ACTIONS.schemas["valve.turn"], ACTIONS.schemas["valve.look"]
    assert (turn.effect, turn.output, turn.changes, turn.undoable) == (Effect.CHANGE, None, True, True)
    assert turn.params["required"] == ["to"]
    documented = ACTIONS.documented["valve.turn"].params["properties"]
    assert documented["to"]["description"] == "Position, 0 is closed."
    assert look.hints == {"age": "duration", "since": "timestamp"}
    assert look.output is not None
    assert sorted(look.output["properties"]) == ["age", "position", "since"]


def test_a_name_that_is_not_there_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidInput, match=r"no action valve\.shut"):
        ACTIONS.parse(ActionCall(action="valve.shut"))
    assert (ACTIONS.name_of(Turn), ACTIONS.name_of(Look)) == ("valve.turn", "valve.look")
