"""`halon keys`: keys that encrypt what Temporal keeps, and keys that decisions are signed with."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from halon.cli.options import flag
from halon.cli.output import note, say_json
from halon.errors import InvalidInput, Misconfigured

app = typer.Typer(help="Make keys: to encrypt what Temporal keeps, and to sign decisions with.", no_args_is_help=True)


@app.command()
def new(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to a new file that only you can read.")
    ] = None,
    json: Annotated[bool, flag("--json", help="Write JSON.")] = False,
) -> None:
    """Make a new key for `temporal.encryption`: 32 random bytes in base64, on standard output or in a file.

    Name it under `temporal.encryption.keys` on every worker and gateway first, and make it `current` only then.
    """
    from halon.clients.codec import new_key  # noqa: PLC0415  # Temporal's client is half a second of imports

    key = new_key()
    if out is not None:
        _write(out, key)
        if json:
            say_json({"file": str(out)})
        else:
            note(f"name it as {{file: {out}}} under `temporal.encryption.keys`", style="green", label="written")
    elif json:
        say_json({"key": key})
    else:
        sys.stdout.write(f"{key}\n")


@app.command()
def signing(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file that only you can read.")],
    *,
    json: Annotated[bool, flag("--json", help="Write JSON.")] = False,
) -> None:
    """Make a key that decisions are signed with, and print its public half.

    The public half of a person's key belongs under `people.<id>.keys`; the key is for `halon approve --key FILE`. As
    `approvals.signing_key` it is the gateway's, whose public half workers name under `approvals.trusted_keys`.

    Example: halon keys signing ~/.config/halon.pem
    """
    from halon.clients.seals import Sealer, new_private_key, read_private_key  # noqa: PLC0415  # a while to import

    pem = new_private_key()
    _write(file, pem.decode().rstrip("\n"))
    public = Sealer(read_private_key(pem, str(file))).public
    if json:
        say_json({"file": str(file), "public": public})
    else:
        sys.stdout.write(f"{public}\n")


def _write(file: Path, key: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInput(f"{file} is there already: a key that is overwritten is lost") from error
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as opened:
        opened.write(f"{key}\n")
