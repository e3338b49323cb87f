"""`halon audit keygen` and `halon audit sign`: the key that signs the chain, and signing by hand."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import say, say_json, say_whole
from halon.clients.seals import key_id, new_private_key, read_private_key
from halon.errors import Conflict, Misconfigured
from halon.settings import Settings
from halon.store.keeper import Keeper
from halon.store.keys import anchor_bucket, audit_key
from halon.store.signatures import SignedHead
from halon.store.signing import AuditKey, public_pem
from halon.store.store import open_store

Json = Annotated[bool, flag("--json", help="Write the answer as JSON.")]


def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the private key goes; FILE.pub.pem is public.")],
    *,
    json: Json = False,
) -> None:
    """Make a key that signs the audit chain, for `audit.signing_key`, and its public half, for those who verify.

    The private key is readable by you alone. A file that is there is never replaced. To change keys, name the new one
    in `audit.signing_key` and keep the public halves of all earlier ones in `audit.public_keys`.

    Example: halon audit keygen /etc/halon/audit.key
    """
    pem = new_private_key()
    public = AuditKey(read_private_key(pem, str(file))).public
    beside = file.with_name(f"{file.name}.pub.pem")
    _write(file, pem, 0o600)
    _write(beside, public_pem(public).encode(), 0o644)
    if json:
        say_json({"id": key_id(public), "public_key": public, "private_file": str(file), "public_file": str(beside)})
        return
    say(f"key {key_id(public)}: private in {file}, public in {beside}")
    say_whole(f"audit: {{signing_key: {{file: {file.absolute()}}}, public_keys: ['{public}']}}")


def sign(context: typer.Context, *, json: Json = False) -> None:
    """Sign the end of the audit chain now, and copy it to object storage when that is due, as workers do by themselves.

    For a key that no worker holds: run it from where the key is, with its own settings.
    """
    signed = asyncio.run(_signed(settings_of(context)))
    if json:
        say_json(signed)
    else:
        copied = f", copied to {signed.anchor}" if signed.anchor else ""
        say(f"head {signed.n} is signed with key {signed.key} since {signed.at:%Y-%m-%d %H:%M:%S} UTC{copied}")


async def _signed(settings: Settings) -> SignedHead:
    key = audit_key(settings)
    if key is None:
        raise Misconfigured("nothing signs the audit chain: make a key with `halon audit keygen FILE`")
    async with open_store(settings) as store:
        keeper = Keeper(store, settings, key, anchor_bucket(settings))
        await keeper.sign(datetime.now(UTC))
        await keeper.anchor(datetime.now(UTC))
        latest = await store.signatures.latest()
    if latest is None:
        raise Conflict("there is nothing to sign yet: no audit record was written")
    return latest


def _write(file: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
            out.write(data)
    except FileExistsError as error:
        raise Conflict(f"{file} is there already, and a key is never replaced: name another file") from error
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error.strerror}") from error
