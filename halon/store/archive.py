"""The archive of one incident: what is in it, under which names. It proves itself, with the public key alone.

README.txt          what this is, and how to check it without Halon
SHA256SUMS          the digest of every other file, and SHA256SUMS.sig the signature over it
manifest.json       whose archive it is, and what is missing
records.jsonl       the records, each line exactly what is hashed: the next line holds its hash
heads.jsonl         links from the incident's last record to a signed head, each line exactly what is hashed
head.json           that head as it was signed, and head.json.sig the signature over it
keys/               public keys, for comparison: trust your own copy
plans/, evidence/, temporal/
"""

import base64
import hashlib
import os
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from halon.contracts.base import Contract, JsonObject, canonical
from halon.store import tarball
from halon.store.signing import AuditKey

FORMAT = "halon audit archive 1"
SUMS, HEAD, MANIFEST, RECORDS, HEADS = "SHA256SUMS", "head.json", "manifest.json", "records.jsonl", "heads.jsonl"
EVIDENCE = "evidence/"
SIGNATURE = ".sig"

STEPS = """\
set -eu
signed() {
  openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in "$1" -sigfile "$1.sig" >/dev/null || exit 1
}
signed SHA256SUMS
signed head.json
sha256sum --check --strict --quiet SHA256SUMS

# In both lists every line names the hash of the line before.
follow() {
  hash=$2
  while IFS= read -r line; do
    case $line in *"\\"$hash\\""*) ;; *) echo "broken: $1"; exit 1 ;; esac
    hash=$(printf %s "$line" | sha256sum | cut -c 1-64)
  done <"$1"
}
follow records.jsonl 0000000000000000000000000000000000000000000000000000000000000000
head -n 1 heads.jsonl | grep -q ",\\"$hash\\"\\]\\$"                # the incident's last record is its head
follow heads.jsonl "$(head -n 1 heads.jsonl | cut -c 3-66)"
grep -q "\\"chain\\":\\"$hash\\"" head.json                        # and that leads to the signed one
echo whole
"""
"""What an auditor runs in the archive's directory, with sha256sum and OpenSSL 3 alone."""

README = f"""\
The audit of one incident, as Halon kept it. Every record holds the hash of the one before it, heads.jsonl leads from
the last record to a head of the whole audit chain, and head.json is that head as it was signed. SHA256SUMS has the
digest of every file here and is signed too. manifest.json says which keys signed, and what could not be put in.

With Halon:     halon audit verify ARCHIVE --public-key audit.pem
Without Halon:  in this directory, with KEY as the path of the public key that you were given by somebody you trust (the
copies in keys/ prove nothing by themselves):

{STEPS}
A file in evidence/ is named by its own SHA-256, by which a record names it. Files in temporal/ are the histories of the
workflows as Temporal kept them. plans/ repeats what the records of kind `planned` say.
"""


class Manifest(Contract):
    """Whose archive it is."""

    format: str = FORMAT
    incident: str
    environment: str
    records: int
    first_at: datetime
    last_at: datetime
    head: int
    """Number of the head in `head.json`, or of the incident's own last one when none is signed."""
    head_key: str = ""
    archive_key: str = ""
    """Keys that signed the head and this archive; empty when nobody did."""
    files: dict[str, str] = {}
    """What the files with names of numbers are."""
    missing: tuple[str, ...] = ()
    """What belongs in here and could not be had."""


class Staging:
    """A directory in which an archive is put together."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def put(self, name: str, data: bytes) -> None:
        """Put a file in."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def put_json(self, name: str, value: JsonObject) -> None:
        """Put a file in as canonical JSON."""
        self.put(name, canonical(value) + b"\n")

    def put_signature(self, name: str, signature: str) -> None:
        """Put a signature in, as OpenSSL reads it."""
        self.put(name + SIGNATURE, base64.b64decode(signature))

    def write(self, target: Path, key: AuditKey | None) -> None:
        """Write all of it as one file, whole or not at all.

        Raises:
            InvalidInput: it is too large.
            OSError: the file cannot be written.
        """
        names = sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())
        self.put(SUMS, "".join(f"{_sum(self.directory / name)}  {name}\n" for name in names).encode())
        first = [SUMS]
        if key is not None:
            self.put_signature(SUMS, key.sign((self.directory / SUMS).read_bytes()))
            first.append(SUMS + SIGNATURE)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                tarball.write(out, [(name, self.directory / name) for name in (*first, *names)])
                out.flush()
                os.fsync(out.fileno())
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        NotWhole: it is none.
    """
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        raise tarball.NotWhole(f"{MANIFEST} is not as Halon writes it") from error
    if manifest.format != FORMAT:
        raise tarball.NotWhole(f"{MANIFEST} has the format '{manifest.format}', and this Halon knows '{FORMAT}'")
    return manifest


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
