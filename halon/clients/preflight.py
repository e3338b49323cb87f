"""Whether every credential that halon.yaml names is there. Values are read and forgotten: nothing here repeats one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel

from halon.clients.codec import read_key
from halon.clients.credentials import Credentials
from halon.errors import Misconfigured
from halon.settings.credentials import SecretRef
from halon.settings.model import Settings, Tls
from halon.settings.secrets import NoSecret, secrets_of

State: TypeAlias = Literal["ok", "fallback", "missing"]
_KEYS = "temporal.encryption.keys."


class Finding(BaseModel):
    """One credential."""

    setting: str
    """Where it is named in halon.yaml."""
    state: State
    """`fallback`: a source before the one that has it does not."""
    source: str = ""
    """The one that has it."""
    problems: tuple[str, ...] = ()
    """What is wrong with the others."""


def inspect(settings: Settings, credentials: Credentials, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Look for every credential, one after the other. With `only`, for those whose setting begins with one of these.

    It waits for networks: call it in a thread.
    """
    for place, ref in secrets_of(settings):
        if is_wanted(place, only):
            yield _secret(place, ref, credentials)
    for place, file in _files(settings):
        if is_wanted(place, only):
            yield _file(place, file)


def is_wanted(place: str, only: Sequence[str]) -> bool:
    """Whether a setting is among those, or below one of them; without any, all are."""
    return not only or any(place == one or place.startswith((f"{one}.", f"{one}[")) for one in only)


def _secret(place: str, ref: SecretRef, credentials: Credentials) -> Finding:
    problems: list[str] = []
    for source in ref.sources:
        try:
            text = credentials.try_source(source)
            if place.startswith(_KEYS):
                read_key(text.get_secret_value(), place)
        except NoSecret as error:
            problems.append(f"{source} {error}")
        except Misconfigured as error:
            problems.append(f"{source}: {error}")
        else:
            return Finding(
                setting=place, state="fallback" if problems else "ok", source=str(source), problems=tuple(problems)
            )
    return Finding(setting=place, state="missing", problems=tuple(problems))


def _files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Files that hold credentials, or what is needed beside them."""
    tls = settings.temporal.tls
    if isinstance(tls, Tls):
        for name, file in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
            if file is not None:
                yield f"temporal.tls.{name}", file
    for name, cluster in settings.kubernetes.clusters.items():
        if cluster.kubeconfig is not None and not cluster.worker:  # its own worker has the file
            yield f"kubernetes.clusters.{name}.kubeconfig", cluster.kubeconfig


def _file(place: str, file: Path) -> Finding:
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        return Finding(setting=place, state="missing", problems=(f"the file {file} cannot be read: {error.strerror}",))
    return Finding(setting=place, state="ok", source=f"the file {file}")
