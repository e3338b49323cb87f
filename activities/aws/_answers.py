"""How AWS's answers are read: what is not there is empty, so that an action says only what it looks for."""

import math
from collections.abc import Mapping
from typing import Any

from halon.contracts.base import is_list, is_object


def inner(answer: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Give the object of this name, an empty one when there is none."""
    found = answer.get(name)
    return found if is_object(found) else {}


def listed(answer: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Give the objects of the list of this name."""
    return [one for one in words(answer, name) if is_object(one)]


def words(answer: Mapping[str, Any], name: str) -> list[Any]:
    """Give the list of this name, an empty one when there is none."""
    found = answer.get(name)
    return found if is_list(found) else []


def finite(value: Any) -> float | None:
    """Give a number that comparisons can be made with; None for one that is none, such as NaN or an infinity."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and math.isfinite(value) else None
