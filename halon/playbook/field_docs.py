"""The texts below the fields of a model, read from its source when a schema with descriptions is written.

Pydantic reads them when a class is made, which would be most of the time that a process takes to start.
"""

import ast
import inspect
import textwrap
from functools import lru_cache

from pydantic import BaseModel


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """Give the docstring of each field of a model and of its parents, by the field's name.

    A class whose source is not at hand has none.
    """
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            docs |= _written_in(owner)
    return {name: text for name, text in docs.items() if name in model.model_fields}


@lru_cache(maxsize=1024)
def _written_in(owner: type[BaseModel]) -> dict[str, str]:
    try:
        source = textwrap.dedent(inspect.getsource(owner))
    except (OSError, TypeError):
        return {}
    (made,) = ast.parse(source).body
    if not isinstance(made, ast.ClassDef):
        return {}
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in zip(made.body, made.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
