"""Where alerts come from: one file a source. The file's name is the source's type; it is found by being here.

A source's file defines `build(name, settings)`, which gives an `AlertSource`.
"""

import importlib
import pkgutil

from halon.errors import Misconfigured
from halon.gateway.parsing import AlertSource
from halon.settings import Source


def source_types() -> list[str]:
    """Give the types of source that there are, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def build_source(name: str, settings: Source) -> AlertSource:
    """Build the source that stands under `gateway.sources.<name>`.

    Raises:
        Misconfigured: there is no such type, or its settings are wrong.
    """
    known = source_types()
    if settings.type not in known:
        raise Misconfigured(f"`gateway.sources.{name}.type` is {settings.type}; it may be {', '.join(known)}")
    source: AlertSource = importlib.import_module(f"{__name__}.{settings.type}").build(name, settings)
    return source
