"""Where alerts come from: one file a source. The file's name is the source's type; it is found by being here.

A source's file defines `SENDER`, what its sender can do, and `build(name, settings)`, which gives an `AlertSource`.
Files that begin with an underscore hold what sources share.
"""

import importlib
import pkgutil
from types import ModuleType

from halon.errors import Misconfigured
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource
from halon.settings import Source


def source_types() -> list[str]:
    """Give the types of source that there are, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def build_source(name: str, settings: Source) -> AlertSource:
    """Build the source that stands under `gateway.sources.<name>`.

    Raises:
        Misconfigured: there is no such type, or its settings are wrong.
    """
    source: AlertSource = _module(name, settings).build(name, settings)
    return source


def sender_of(name: str, settings: Source) -> Sender:
    """Say what the sender of the source can do that stands under `gateway.sources.<name>`.

    Raises:
        Misconfigured: there is no such type.
    """
    sender: Sender = _module(name, settings).SENDER
    return sender


def _module(name: str, settings: Source) -> ModuleType:
    known = source_types()
    if settings.type not in known:
        raise Misconfigured(f"`gateway.sources.{name}.type` is {settings.type}; it may be {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{settings.type}")
