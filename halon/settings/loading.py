"""Loading halon.yaml: which file, what is wrong with it and where, and what its relative paths are relative to."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from halon.documents import parse, validate
from halon.errors import Misconfigured
from halon.settings.model import Settings

CONFIG_VARIABLE = "HALON_CONFIG"
DEFAULT_FILE = "halon.yaml"
_MAX_FILE = 1024 * 1024
"""Bytes that are read at all; the parser has its own, smaller bound."""

ModelT = TypeVar("ModelT", bound=BaseModel)


def load_settings(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the file that `path` or HALON_CONFIG names, or halon.yaml in the working directory when there is one.

    Without any file the defaults hold. Relative paths are taken from the file's directory, and from the working
    directory without a file.

    Raises:
        Misconfigured: the file that was named cannot be read.
        DocumentError: it is wrong; `problems` says where and how.
    """
    named = path or _named(os.environ if environ is None else environ)  # the only reader
    file = named or Path(DEFAULT_FILE)
    if named is None and not file.exists():
        return anchored(Settings(), Path.cwd())
    try:
        with file.open("rb") as opened:
            raw = opened.read(_MAX_FILE)
    except OSError as error:
        raise Misconfigured(f"the configuration {file} cannot be read: {error.strerror}") from error
    return parse_settings(raw, file)


def parse_settings(text: str | bytes, file: Path) -> Settings:
    """Read the text of halon.yaml. An empty one means the defaults.

    Raises:
        DocumentError: it is wrong; `problems` says where and how.
    """
    document = parse(text, str(file))
    settings = Settings() if document.value is None else validate(document, Settings)
    return anchored(settings, file.absolute().parent)


def anchored(model: ModelT, base: Path) -> ModelT:
    """Give the settings with every relative path below `base`, and `~` replaced."""
    return model.model_copy(update={name: _anchor(getattr(model, name), base) for name in type(model).model_fields})


def _anchor(value: Any, base: Path) -> Any:
    if isinstance(value, Path):
        return base / value.expanduser()
    if isinstance(value, BaseModel):
        return anchored(value, base)
    if isinstance(value, tuple):
        return tuple(_anchor(item, base) for item in value)  # pyright: ignore[reportUnknownVariableType]  # any tuple
    if isinstance(value, dict):
        return {key: _anchor(item, base) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _named(environ: Mapping[str, str]) -> Path | None:
    name = environ.get(CONFIG_VARIABLE, "").strip()
    return Path(name) if name else None
