"""The audit from the command line: from the key to the archive in an auditor's hands, with a store in PostgreSQL."""

import json
import os
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Answer, Shell, configure, free_port, process, stopped, temporal, until_logged

from halon.cli.app import execute

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from postgres_server import PostgresServer


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker that signs, over PostgreSQL, with the Temporal that it needs. Gives halon.yaml."""
    directory = tmp_path_factory.mktemp("engine")
    port = free_port()
    assert execute(["audit", "keygen", str(directory / "audit.key")]) == 0
    with PostgresServer() as postgres:
        config = configure(
            directory,
            f'environment: lab\ntemporal: {{address: "127.0.0.1:{port}"}}\n'
            f'store: {{url: "{postgres.url()}"}}\naudit: {{signing_key: {{file: audit.key}}, sign_every: 1h}}\n',
        )
        log = directory / "worker.log"
        with temporal(port), process(config, "worker", "--json", log=log) as worker:
            deadline = time.monotonic() + 60
            while execute(["--config", str(config), "setup", "--json"]) != 0:
                assert time.monotonic() < deadline
            until_logged(log, "worker.started", worker)
            yield config
            assert stopped(worker) == 0


@pytest.fixture
def halon(engine: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(engine, capsys)


@pytest.fixture
def alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A command whose halon.yaml cannot be read: nothing of it may be needed."""
    (tmp_path / "broken.yaml").write_text("{")
    return Shell(tmp_path / "broken.yaml", capsys)


def closed_and_signed(halon: Shell) -> str:
    answer = halon("run", "names", "--json", "--wait")
    incident: str = answer.json["incident"]
    deadline = time.monotonic() + 60
    while True:
        shown, status = halon("show", incident, "--json"), halon("audit", "status", "--json")
        done = shown.code == 0 and shown.json["incident"]["state"] == "closed"
        if done and status.json["unsigned"] == 0 and status.json["signed"]:
            return incident
        assert time.monotonic() < deadline, (shown, status)


def test_an_incident_is_signed_when_it_closes_exported_and_proven_by_somebody_who_has_nothing_else(
    halon: Shell, alone: Shell, engine: Path, tmp_path: Path
) -> None:
    incident = closed_and_signed(halon)
    key = str(engine.parent / "audit.key.pub.pem")
    archive = tmp_path / "incident.tar"
    answer = halon("audit", "export", incident[:-4], "--output", str(archive), "--json")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["missing"] == []
    again = halon("audit", "export", incident, "--output", str(archive))
    assert (again.code, "is there already" in again.err) == (2, True)
    before, deadline = b"", time.monotonic() + 20
    while archive.read_bytes() != before:  # the same once Temporal has written the last event
        assert time.monotonic() < deadline
        before = archive.read_bytes()
        assert halon("audit", "export", incident, "--output", str(archive), "--force").code == 0

    proven = alone("audit", "verify", str(archive), "--public-key", key, "--json")
    assert proven.code == 0, proven
    assert proven.json["ok"]
    assert (proven.json["incident"], proven.json["environment"]) == (incident, "lab")
    with tarfile.open(archive) as tar:
        names = answer.json["files"]
        assert sorted(name.split()[0] for name in names.values()) == [incident.rpartition("-")[0], f"{incident}-run"]
        histories = [json.load(tar.extractfile(f"halon-audit/{name}")) for name in names]  # type: ignore[arg-type]  # files
    assert all(history["events"] for history in histories)

    assert alone("audit", "keygen", str(tmp_path / "other.key")).code == 0
    wrong = alone("audit", "verify", str(archive), "--public-key", str(tmp_path / "other.key.pub.pem"))
    assert (wrong.code, wrong.out.count("unproven")) == (1, 3)
    nobody = alone("audit", "verify", str(archive))
    assert (nobody.code, "no key is trusted" in nobody.out) == (1, True)
    assert alone("audit", "verify", str(archive), "--allow-unsigned").code == 0
    archive.write_bytes(before.replace(b"incident.opened", b"incident.0pened"))
    changed = alone("audit", "verify", str(archive), "--public-key", key, "--json")
    assert (changed.code, changed.json["ok"]) == (1, False)
    assert "records.jsonl was changed" in changed.json["problems"]

    whole = halon("audit", "verify", "--json")
    assert (whole.code, whole.json["signatures"] > 0, whole.json["unchecked"]) == (0, True, 0)


def test_a_hold_and_its_end_are_told(halon: Shell) -> None:
    incident = closed_and_signed(halon)
    held = halon("audit", "hold", incident, "--reason", "claim 4711", "--by", "ana@example.com", "--json")
    assert (held.code, held.json["incident"], held.json["by"]) == (0, incident, "ana@example.com")
    assert "claim 4711" in halon("audit", "status").out
    assert halon("audit", "hold", incident, "--reason", "again").code == 1
    assert halon("audit", "release", incident).code == 2
    assert halon("audit", "release", incident, "--reason", "settled").code == 0
    shown = halon("audit", "show", incident).out
    assert "On legal hold: claim 4711 (by ana@example.com)" in shown
    assert "Legal hold ended: settled" in shown


def test_without_terms_nothing_is_pruned(halon: Shell) -> None:
    answer = halon("audit", "prune")
    assert (answer.code, "kept for ever" in answer.err) == (2, True)


def test_a_key_is_for_its_owner_alone_and_never_replaced(alone: Shell, tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    answer = alone("audit", "keygen", str(file), "--json")
    assert (answer.code, file.stat().st_mode & 0o777) == (0, 0o600)
    assert answer.json["public_key"].startswith("ed25519:")
    assert "PRIVATE" not in answer.out
    before = file.read_bytes()
    again = alone("audit", "keygen", str(file))
    assert (again.code, "never replaced" in again.err, file.read_bytes() == before) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "finding"),
    [
        (("--public-key", "nowhere.pem"), "cannot be read"),
        (("--public-key", os.devnull), "holds no Ed25519 public key"),
        (("--public-key", "ed25519:AAAA"), "holds no Ed25519 public key"),
        (("--anchor", "what"), "an anchor is N:HASH"),
    ],
)
def test_a_wrong_call_is_another_answer_than_a_broken_archive(
    alone: Shell, tmp_path: Path, arguments: tuple[str, str], finding: str
) -> None:
    (tmp_path / "a.tar").write_bytes(b"no archive")
    wrong = alone("audit", "verify", str(tmp_path / "a.tar"), *arguments)
    assert (wrong.code, finding in wrong.err) == (2, True), wrong
    broken = alone("audit", "verify", str(tmp_path / "a.tar"))
    assert (broken.code, "this is no archive" in broken.out) == (1, True)
    gone = alone("audit", "verify", str(tmp_path / "gone.tar"))
    assert (gone.code, "No such file" in gone.err) == (1, True)


def test_who_has_no_right_to_administer_holds_and_prunes_nothing(shell: Shell) -> None:
    with shell.config.open("a") as file:
        file.write("people: {ana: {}}\nroles: {all: {may: [read, decide, run], to: [ana]}}\n")
        file.write("retention: {incidents: 1d}\n")
    for command in (("hold", "dim-0a1b2c3d4e-01234567", "--reason", "x"), ("prune",)):
        denied = shell("audit", *command, "--by", "ana")
        assert (denied.code, "has no right to `administer`" in denied.err) == (1, True), denied
    assert shell("audit", "prune", "--by", "ana", "--dry-run").code == 0


def test_nothing_signs_without_a_key(shell: Shell) -> None:
    answer: Answer = shell("audit", "sign")
    assert (answer.code, "halon audit keygen" in answer.err) == (1, True)
