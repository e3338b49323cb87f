"""The archive of an incident proves itself: to Halon without a store, and to an auditor without Halon."""

import asyncio
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from halon.clients.seals import new_private_key, read_private_key
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Json
from halon.errors import InvalidInput, NotFound
from halon.store import tarball
from halon.store.archive import README, STEPS, Staging
from halon.store.archive_check import ArchiveReport, check_archive
from halon.store.engine import open_database
from halon.store.evidence import EvidenceDirectory
from halon.store.export import Provenance
from halon.store.signing import AuditKey, TrustedKeys, public_pem
from halon.store.store import Store
from halon.store.verification import Anchor

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
INCIDENT, OTHER = "dim-0a1b2c3d4e-01234567", "lit-0a1b2c3d4e-01234567"
PLAN = hashlib.sha256(b"a plan").hexdigest()
LOG = b"cart-7d9f: panic: out of memory\n"
Files = dict[str, bytes]


def new_key() -> AuditKey:
    return AuditKey(read_private_key(new_private_key(), "a test"))


KEY, EARLIER = new_key(), new_key()
TRUSTED = TrustedKeys([KEY.public, EARLIER.public])


def record(sequence: int, kind: AuditKind, incident: str = INCIDENT, **data: Json) -> AuditRecord:
    at = AT + timedelta(seconds=sequence)
    message = f'Step {sequence}: "é" and \\ and $HOME'
    return AuditRecord(incident=incident, writer="r", sequence=sequence, at=at, kind=kind, message=message, data=data)


async def filled(url: str, directory: Path) -> Store:
    evidence = EvidenceDirectory(directory)
    kept = await evidence.put(LOG, "text/plain", "cart.log")
    store = Store(await open_database(url), evidence)
    gone = hashlib.sha256(b"gone").hexdigest()
    looked = record(2, AuditKind.READ, output={"digest": kept.digest})
    await store.audit.append([record(1, AuditKind.INCIDENT_OPENED), looked])
    await store.audit.append([record(1, AuditKind.INCIDENT_OPENED, OTHER)])
    await store.audit.append([record(3, AuditKind.READ, output={"digest": gone})])
    await store.audit.append(
        [record(4, AuditKind.PLANNED, plan=PLAN, rows=[{"field": "image", "before": 1, "after": 2}])]
    )
    await store.audit.append([record(5, AuditKind.INCIDENT_CLOSED)])
    await store.audit.append([record(2, AuditKind.INCIDENT_CLOSED, OTHER)])
    await store.audit.append([record(3, AuditKind.RUN_FINISHED, OTHER)])
    return store


async def exported(store: Store, target: Path, key: AuditKey | None = KEY) -> Path:
    staging = Staging(target.parent / f"{target.name}.d")
    provenance = Provenance.of("lab", key, [KEY.public])
    await store.export.stage(staging, INCIDENT, provenance, {"dim-0a1b2c3d4e run-1": b'{"events": []}'}, ["the moon"])
    staging.write(target, key)
    return target


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole archive, whose head was signed with an earlier key than the archive itself."""
    directory = tmp_path_factory.mktemp("archive")

    async def make() -> Path:
        store = await filled(f"sqlite+aiosqlite:///{directory / 'halon.db'}", directory / "evidence")
        await store.signatures.sign(EARLIER, "lab", AT)
        made = await exported(store, directory / "incident.tar")
        await store.close()
        return made

    return asyncio.run(make())


async def test_an_archive_holds_what_is_known_and_says_what_is_missing(url: str, tmp_path: Path) -> None:
    store = await filled(url, tmp_path / "evidence")
    await store.signatures.sign(KEY, "lab", AT)
    path = await exported(store, tmp_path / "incident.tar")
    again = await exported(store, tmp_path / "again.tar")
    anchor = Anchor.parse(await store.audit.anchor())
    await store.close()
    assert path.read_bytes() == again.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    report = check_archive(path, TRUSTED, [anchor])
    assert report.ok
    assert (report.incident, report.environment, report.records, report.evidence) == (INCIDENT, "lab", 5, 1)
    assert (report.anchor, report.signed_by) == (f"{anchor.n}:{anchor.chain}", KEY.id)
    assert report.signed_at.startswith("2026-01-02T03:04:05")
    assert report.missing[0] == "the moon"
    assert "not in the evidence store any more" in report.missing[1]
    with tarfile.open(path) as tar:
        names = {name.removeprefix("halon-audit/") for name in tar.getnames()}
    assert {f"plans/{PLAN}.json", f"evidence/{hashlib.sha256(LOG).hexdigest()}", "temporal/1.json"} <= names


async def test_what_has_no_record_has_no_archive(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await exported(store, tmp_path / "incident.tar")


def test_every_byte_of_an_archive_counts(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    changed = tmp_path / "changed.tar"
    for offset in range(0, len(whole), 53):
        data = bytearray(whole)
        data[offset] ^= 1
        changed.write_bytes(data)
        assert not check_archive(changed, TRUSTED).ok, offset


@pytest.mark.parametrize("cut", [1, 512, 1024, 5000, 100_000])
def test_a_cut_off_or_longer_file_is_no_archive(archive: Path, tmp_path: Path, cut: int) -> None:
    changed = tmp_path / "changed.tar"
    changed.write_bytes(archive.read_bytes()[:-cut])
    assert not check_archive(changed, TRUSTED).ok
    changed.write_bytes(archive.read_bytes() + bytes(cut))
    assert not check_archive(changed, TRUSTED).ok


def rebuilt(archive: Path, target: Path, change: Callable[[Files], object], key: AuditKey | None) -> ArchiveReport:
    """Write an archive anew after a change, with digests that fit; with a key, signed with it too."""
    with archive.open("rb") as source:
        members = tarball.index(source)
        files = {name: tarball.content(source, one) for name, one in members.items()}
    change(files)
    for name in ("SHA256SUMS", "SHA256SUMS.sig"):
        old = files.pop(name, None)
        if name == "SHA256SUMS.sig" and key is None and old:
            kept = old
    staging = Staging(target.parent / f"{target.name}.d")
    for name, data in files.items():
        staging.put(name, data)
    staging.write(target, key)
    if key is None:
        with target.open("rb") as source:
            sums = tarball.content(source, tarball.index(source)["SHA256SUMS"])
        order = ["SHA256SUMS", "SHA256SUMS.sig", *sorted(files)]
        for name, data in {"SHA256SUMS": sums, "SHA256SUMS.sig": kept}.items():
            staging.put(name, data)
        with target.open("wb") as out:
            tarball.write(out, [(name, staging.directory / name) for name in order])
    return check_archive(target, TRUSTED)


def on_lines(name: str, change: Callable[[list[bytes]], object]) -> Callable[[Files], object]:
    def apply(files: Files) -> None:
        lines = files[name].splitlines(keepends=True)
        change(lines)
        files[name] = b"".join(lines)

    return apply


def reworded(lines: list[bytes]) -> None:
    lines[2] = lines[2].replace(b"Step 3", b"Step 9")


def swapped(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def renumbered(files: Files) -> None:
    """Take the last record away, and make the manifest and the first link fit."""
    lines = files["records.jsonl"].splitlines(keepends=True)[:-1]
    files["records.jsonl"] = b"".join(lines)
    manifest: dict[str, Any] = json.loads(files["manifest.json"])
    manifest["records"] = len(lines)
    files["manifest.json"] = json.dumps(manifest).encode()
    links = files["heads.jsonl"].splitlines(keepends=True)
    link = json.loads(links[0])
    link[3:] = [len(lines), hashlib.sha256(lines[-1][:-1]).hexdigest()]
    links[0] = json.dumps(link, separators=(",", ":")).encode() + b"\n"
    follow = [json.loads(one) for one in links]
    for before, after in zip(range(len(follow)), range(1, len(follow)), strict=False):
        text = json.dumps(follow[before], separators=(",", ":")).encode()
        follow[after][0] = hashlib.sha256(text).hexdigest()
    files["heads.jsonl"] = b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in follow)


CHANGED: dict[str, tuple[Callable[[Files], object], str]] = {
    "a changed word": (on_lines("records.jsonl", reworded), "record 4: the record does not follow"),
    "a removed record": (on_lines("records.jsonl", lambda lines: lines.pop(2)), "record 3: the record does not follow"),
    "swapped records": (on_lines("records.jsonl", swapped), "record 2: the record does not follow"),
    "a cut-off tail": (on_lines("records.jsonl", lambda lines: lines.pop()), "the records after 4 are gone, up to 5"),
    "a cut-off tail with links that fit": (renumbered, "do not lead to the head that was signed"),
    "a removed link": (on_lines("heads.jsonl", lambda lines: lines.pop(1)), "does not follow the one before"),
    "removed links at the end": (on_lines("heads.jsonl", lambda lines: lines.pop()), "do not lead to the head"),
    "changed evidence": (
        lambda files: files.update({f"evidence/{hashlib.sha256(LOG).hexdigest()}": b"nothing"}),
        "is not the evidence that its name says",
    ),
    "another time of signing": (
        lambda files: files.update({"head.json": files["head.json"].replace(b"03:04:05", b"03:04:06")}),
        "head.json: the signature of key",
    ),
    "another environment": (
        lambda files: files.update({"manifest.json": files["manifest.json"].replace(b'"lab"', b'"production"')}),
        "was signed in lab, the manifest says production",
    ),
}


@pytest.mark.parametrize("signed_anew", [False, True])
@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_shows_even_when_all_digests_fit(
    archive: Path, tmp_path: Path, what: str, *, signed_anew: bool
) -> None:
    change, finding = CHANGED[what]
    report = rebuilt(archive, tmp_path / "changed.tar", change, KEY if signed_anew else None)
    said = "; ".join(report.problems)
    assert finding in said
    assert ("SHA256SUMS: the signature" in said) is not signed_anew or "no archive" in said


@pytest.mark.parametrize(
    ("name", "finding"), [("plans/x.json", "was added"), ("README.txt", "is gone"), ("temporal/1.json", "was changed")]
)
def test_digests_that_do_not_fit_name_the_file(archive: Path, tmp_path: Path, name: str, finding: str) -> None:
    with archive.open("rb") as source:
        files = {one: tarball.content(source, member) for one, member in tarball.index(source).items()}
    files[name] = b"changed"
    if finding == "is gone":
        del files[name]
    for one, data in files.items():
        (tmp_path / one).parent.mkdir(exist_ok=True)
        (tmp_path / one).write_bytes(data)
    with (tmp_path / "changed.tar").open("wb") as out:
        tarball.write(out, [(one, tmp_path / one) for one in sorted(files)])
    assert check_archive(tmp_path / "changed.tar", TRUSTED).problems == (f"{name} {finding}",)


def test_a_key_that_was_not_given_proves_nothing(archive: Path) -> None:
    stranger = new_key()
    report = check_archive(archive, TrustedKeys([stranger.public]))
    assert (report.ok, report.problems, report.signed_by) == (False, (), "")
    assert len(report.unproven) == 2
    assert all(f"the trusted ones are {stranger.id}" in one for one in report.unproven)
    half = check_archive(archive, TrustedKeys([EARLIER.public]))
    assert (half.ok, half.signed_by, len(half.unproven)) == (False, EARLIER.id, 1)


def test_an_anchor_that_names_another_history_or_lies_elsewhere_shows(archive: Path) -> None:
    n, chain = check_archive(archive, TRUSTED).anchor.split(":")
    assert check_archive(archive, TRUSTED, [Anchor(int(n), chain)]).ok
    assert "is not the one" in check_archive(archive, TRUSTED, [Anchor(int(n), "0" * 64)]).problems[0]
    assert "cannot be compared" in check_archive(archive, TRUSTED, [Anchor(int(n) + 5, chain)]).problems[0]


async def test_an_archive_that_nobody_signed_is_whole_and_unproven(store: Store, tmp_path: Path) -> None:
    await store.audit.append([record(1, AuditKind.INCIDENT_OPENED)])
    report = check_archive(await exported(store, tmp_path / "incident.tar", None), TRUSTED)
    assert (report.ok, report.problems, report.records) == (False, (), 1)
    assert len(report.unproven) == 2


@pytest.mark.parametrize("text", [b"", b"x" * 5000, bytes(1024), bytes(10)])
def test_what_is_no_archive_is_told_as_such(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(text)
    (problem,) = check_archive(tmp_path / "a.tar", TRUSTED).problems
    assert problem.startswith("this is no archive")


def test_an_archive_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(InvalidInput, match="too large"):
        tarball.write(io.BytesIO(), [(f"{n}", tmp_path / "x") for n in range(tarball.MAX_MEMBERS + 1)])


def run_steps(directory: Path, key: Path) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "KEY": str(key)}
    return subprocess.run(  # noqa: S603  # the page's own
        ["/bin/sh", "-c", STEPS],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


async def test_the_steps_of_the_page_prove_an_archive_with_openssl_alone(store: Store, tmp_path: Path) -> None:
    (page,) = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / "docs" / "audit.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert page == STEPS
    assert STEPS in README
    await store.audit.append([record(n, AuditKind.READ) for n in range(1, 4)])
    await store.audit.append([record(1, AuditKind.READ, OTHER)])
    await store.signatures.sign(KEY, "lab", AT)
    with tarfile.open(await exported(store, tmp_path / "incident.tar")) as tar:
        tar.extractall(tmp_path, filter="data")
    (tmp_path / "audit.pem").write_text(public_pem(KEY.public))
    (tmp_path / "other.pem").write_text(public_pem(EARLIER.public))
    there = tmp_path / "halon-audit"
    done = run_steps(there, tmp_path / "audit.pem")
    assert (done.returncode, done.stdout, done.stderr) == (0, "whole\n", "")
    assert run_steps(there, tmp_path / "other.pem").returncode != 0
    for name in ("records.jsonl", "heads.jsonl", "head.json", "manifest.json", "SHA256SUMS"):
        before = (there / name).read_bytes()
        (there / name).chmod(0o644)
        (there / name).write_bytes(before.replace(b"a", b"b", 1))
        assert run_steps(there, tmp_path / "audit.pem").returncode != 0, name
        (there / name).write_bytes(before)
    assert run_steps(there, tmp_path / "audit.pem").returncode == 0
